"""Transports that know what has arrived, and those that do not."""

from __future__ import annotations

import sys

from twisted.internet.testing import StringTransport
from twisted.internet.unix import Server as UnixServer
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.tcp_transport import TrackedServer
from chatd.server.tls import TLSTransport
from chatd.server.tracked_transport import TrackedTransport, UntrackedTransport, tracked
from tests.doubles.memory_server import MemoryTransport


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
        self.assertEqual((transport.input_waits(), transport.hung_up()), (False, False))
