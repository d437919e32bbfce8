"""Transports that know what has arrived, and those that do not."""

from __future__ import annotations

import socket
import sys

from twisted.internet.interfaces import ISystemHandle
from twisted.internet.testing import StringTransport
from twisted.internet.unix import Server as UnixServer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.server.tcp_transport import TrackedServer
from chatd.server.tls import TLSTransport
from chatd.server.tracked_transport import TrackedTransport, UntrackedTransport, tracked
from tests.doubles.memory_server import MemoryTransport


@implementer(ISystemHandle)
class _SocketTransport:
    """A transport that only has a socket."""

    def __init__(self, handle: socket.socket) -> None:
        self._handle = handle

    def getHandle(self) -> socket.socket:
        """See `ISystemHandle`."""
        return self._handle


class Kinds(SynchronousTestCase):
    """Which transports are tracked."""

    def test_tcp_tls_and_the_tests_transport_are_tracked(self) -> None:
        """They have every method of the interface, without a common base class."""
        for kind in (TrackedServer, TLSTransport, MemoryTransport, UntrackedTransport):
            self.assertTrue(issubclass(kind, TrackedTransport), kind)
        transport = MemoryTransport(1)
        self.assertIs(tracked(transport), transport)

    def test_other_transports_are_untracked(self) -> None:
        """A unix socket reports nothing: whatever is written has arrived."""
        self.assertFalse(issubclass(UnixServer, TrackedTransport))
        transport = tracked(StringTransport())
        self.assertIsInstance(transport, UntrackedTransport)
        self.assertEqual(
            (transport.bytes_written(), transport.bytes_sent(), transport.bytes_arrived()),
            (0, sys.maxsize, sys.maxsize),
        )
        self.assertEqual(
            (transport.input_waits(), transport.close_resets(), transport.hung_up()),
            (False, False, False),
        )

    def test_input_of_an_untracked_socket_may_wait(self) -> None:
        """The socket is asked; what it has is still there to be read."""
        end, peer = socket.socketpair()
        self.addCleanup(end.close)
        self.addCleanup(peer.close)
        transport = tracked(_SocketTransport(end))
        self.assertEqual((transport.input_waits(), transport.close_resets()), (False, False))
        peer.sendall(b"x")
        self.assertEqual((transport.input_waits(), transport.close_resets()), (True, True))
        self.assertEqual(end.recv(10), b"x")
        peer.close()
        self.assertFalse(transport.input_waits())
