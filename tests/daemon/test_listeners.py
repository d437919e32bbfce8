"""The ports of the daemon: when they accept connections, their addresses, and their errors."""

from __future__ import annotations

import os
import socket
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.config.option_types import Listen
from chatd.daemon.listeners import (
    AdminListener,
    Listener,
    cannot_listen_sentence,
    check_port,
)
from chatd.protocols.admin.connection import AdminFactory
from chatd.server.owner_socket import OwnerPort
from chatd.server.tcp_transport import TrackedServer
from tests.doubles.folders import folder

LOCAL = "tcp:0:interface=127.0.0.1"


class RecordingFactory(Factory):
    """A factory whose first connection fires `connected` with its transport."""

    noisy = False

    def __init__(self) -> None:
        self.connected: Deferred[Any] = Deferred()

    def buildProtocol(self, address: Any) -> Protocol:
        """Build a protocol that reports its connection."""
        factory = self

        class Reporting(Protocol):
            def connectionMade(self) -> None:
                transport: Any = self.transport
                transport.abortConnection()
                factory.connected.callback(transport)

        return Reporting()


class ListenerTests(TestCase):
    """`Listener`, on the loopback interface and on a unix socket."""

    def setUp(self) -> None:
        self.factory = RecordingFactory()

    def listener(self, endpoint: str, name: str = "any") -> Listener:
        """A bound port, which is closed at the end of the test."""
        listener = Listener(reactor, Listen(name, endpoint), self.factory)
        listener.privilegedStartService()
        self.addCleanup(listener.stopService)
        return listener

    async def test_connections_wait_until_the_port_accepts(self) -> None:
        """They are established in the kernel; the transport is one whose writes are tracked."""
        listener = self.listener(LOCAL)
        client = socket.create_connection(("127.0.0.1", listener.port.getHost().port), 10)
        self.addCleanup(client.close)
        readers = cast(IReactorFDSet, reactor).getReaders
        self.assertNotIn(listener.port, readers())
        listener.accept()
        self.assertIn(listener.port, readers())
        self.assertIsInstance(await self.factory.connected, TrackedServer)

    async def test_accepting_before_the_port_is_bound(self) -> None:
        """The port accepts connections as soon as it is bound."""
        listener = Listener(reactor, Listen("any", LOCAL), self.factory)
        listener.accept()
        listener.privilegedStartService()
        self.addCleanup(listener.stopService)
        client = socket.create_connection(("127.0.0.1", listener.port.getHost().port), 10)
        self.addCleanup(client.close)
        await self.factory.connected

    async def test_stopped_port_refuses_connections(self) -> None:
        """A port that was never bound can be stopped as well."""
        listener = Listener(reactor, Listen("any", LOCAL), self.factory)
        self.assertIsNone(listener.stopService())
        listener.privilegedStartService()
        number = listener.port.getHost().port
        await listener.stopService()
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", number))

    def test_address_is_shown_as_people_write_it(self) -> None:
        """IPv6 addresses are in brackets; a unix socket is its path."""
        listener = self.listener(LOCAL)
        self.assertEqual(listener.address, f"127.0.0.1:{listener.port.getHost().port}")
        listener = self.listener(r"tcp:0:interface=\:\:1")
        self.assertEqual(listener.address, f"[::1]:{listener.port.getHost().port}")
        path = os.path.join(folder(self), "chat")
        self.assertEqual(self.listener(f"unix:{path}").address, path)
        unbound = Listener(reactor, Listen("any", LOCAL), self.factory)
        self.assertEqual(unbound.address, f"{LOCAL}:backlog=4096")

    def test_title_is_that_of_the_protocol(self) -> None:
        """The banner shows it, and whether only this machine can connect."""
        listener = Listener(reactor, Listen("ops", LOCAL), self.factory)
        self.assertEqual((listener.title, listener.local), ("ops", True))
        listener = Listener(reactor, Listen("any", "tcp:0"), self.factory)
        self.assertEqual((listener.title, listener.local), ("all protocols", False))

    def test_backlog_of_the_endpoint_is_kept(self) -> None:
        """The default is larger than that of Twisted."""
        for endpoint, backlog in ((LOCAL, 4096), (f"{LOCAL}:backlog=5", 5)):
            self.assertEqual(self.listener(endpoint).port.backlog, backlog)

    def test_invalid_endpoint_is_refused(self) -> None:
        """The error is one sentence, which repeats the option."""
        ended = self.assertRaises(
            SystemExit, Listener, reactor, Listen("ops", "nonsense:1"), self.factory
        )
        sentence = str(ended.code)
        self.assertTrue(
            sentence.startswith("chatd: ops=nonsense:1 is not a valid endpoint: "), sentence
        )

    def test_port_in_use_is_refused(self) -> None:
        """The error is one sentence, which names the address."""
        number = self.listener(LOCAL).port.getHost().port
        second = Listener(reactor, Listen("any", f"tcp:{number}:interface=127.0.0.1"), self.factory)
        ended = self.assertRaises(SystemExit, second.privilegedStartService)
        self.assertEqual(
            ended.code, f"chatd: cannot listen on 127.0.0.1:{number}: address already in use"
        )

    def test_socket_that_cannot_be_made_is_refused(self) -> None:
        """Its folder may have been removed after the options were read."""
        path = os.path.join(folder(self), "none", "chat")
        listener = Listener(reactor, Listen("any", f"unix:{path}"), self.factory)
        ended = self.assertRaises(SystemExit, listener.privilegedStartService)
        self.assertEqual(
            ended.code, f"chatd: cannot listen on unix:{path}: no such file or directory"
        )


class AdminListenerTests(TestCase):
    """`AdminListener`."""

    def setUp(self) -> None:
        self.path = os.path.join(folder(self), "admin")
        self.factory = RecordingFactory()

    def listener(self) -> AdminListener:
        """A listener that has not started."""
        self.port: Any = OwnerPort(self.path, self.factory, reactor)
        return AdminListener(self.path, cast(AdminFactory, self.factory), self.port)

    def exists(self) -> bool:
        """Whether there is a socket."""
        return os.path.exists(self.path)

    async def test_operators_wait_until_the_socket_accepts(self) -> None:
        """The socket is removed at the end."""
        listener = self.listener()
        listener.startService()
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(self.path)
        readers = cast(IReactorFDSet, reactor).getReaders
        self.assertNotIn(self.port, readers())
        listener.accept()
        self.assertIn(self.port, readers())
        await self.factory.connected
        await listener.stopService()
        self.assertFalse(self.exists())

    async def test_socket_of_another_daemon_is_refused(self) -> None:
        """The error is one sentence; the socket of the other daemon stays."""
        listener = self.listener()
        listener.startService()
        ended = self.assertRaises(SystemExit, self.listener().startService)
        self.assertEqual(
            ended.code, f"chatd: the admin socket {self.path} is in use by another daemon"
        )
        self.assertTrue(self.exists())
        await listener.stopService()


class CheckPortTests(SynchronousTestCase):
    """`check_port`, which runs while there is a terminal."""

    def test_free_port_is_released_again(self) -> None:
        """Port 0 is any free port."""
        check_port("127.0.0.1", 0)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            number = probe.getsockname()[1]
        check_port("127.0.0.1", number)
        check_port("127.0.0.1", number)

    def test_port_in_use_is_refused(self) -> None:
        """The error is one sentence, which names the address."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(1)
            number = listening.getsockname()[1]
            ended = self.assertRaises(SystemExit, check_port, "127.0.0.1", number)
        self.assertEqual(
            ended.code, f"chatd: cannot listen on 127.0.0.1:{number}: address already in use"
        )

    def test_invalid_host_name_is_refused(self) -> None:
        """It is not looked up: a label may have at most 63 characters."""
        host = "x" * 64 + ".invalid"
        ended = self.assertRaises(SystemExit, check_port, host, 1)
        self.assertTrue(str(ended.code).startswith(f"chatd: cannot listen on {host}:1: "))

    def test_sentence_names_the_address_and_the_reason(self) -> None:
        """The path of a unix socket; an error without a reason of the system."""
        for error, sentence in (
            (
                CannotListenError("::1", 1, OSError(98, "Address already in use")),
                "cannot listen on ::1:1: address already in use",
            ),
            (
                CannotListenError(None, b"/run/chat", OSError(13, "Permission denied")),
                "cannot listen on /run/chat: permission denied",
            ),
            (
                CannotListenError("a", 1, ValueError("Bad label")),
                "cannot listen on a:1: bad label",
            ),
        ):
            self.assertEqual(cannot_listen_sentence(error), sentence)
