"""The prompt transport on real sockets: the same bytes in the same order, whatever the other end
does."""

from __future__ import annotations

import random
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from chatd.server.tcp_transport import TrackedServer


@implementer(IPushProducer)
class Speaker(Protocol):
    """Says what the test wants said, and notes when it is told to pause and resume."""

    transport: Any

    def __init__(self) -> None:
        self.told: list[str] = []
        self.lost: Deferred[None] = Deferred()

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        self.told.append("resume")

    def stopProducing(self) -> None:
        """See IPushProducer."""

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        """Gone."""
        self.lost.callback(None)


class Prompt(TestCase):
    """One connection."""

    async def connect(self) -> tuple[Speaker, socket.socket]:
        """A speaker, and the plain socket at the other end."""
        speaker = Speaker()
        made: Deferred[None] = Deferred()
        speaker.connectionMade = lambda: made.callback(None)  # type: ignore[method-assign]
        factory = Factory()
        factory.buildProtocol = lambda addr: speaker  # type: ignore[method-assign]
        net: Any = reactor
        port = net.listenTCP(0, factory, interface="127.0.0.1")
        port.transport = TrackedServer
        self.addCleanup(port.stopListening)
        other = socket.create_connection(("127.0.0.1", port.getHost().port), timeout=10)
        self.addCleanup(other.close)
        await made
        speaker.transport.registerProducer(speaker, True)
        return speaker, other

    async def test_at_once(self) -> None:
        """What fits is sent before `write` returns, without a turn of the reactor."""
        speaker, other = await self.connect()
        speaker.transport.write(b"hello")
        self.assertEqual(other.recv(100), b"hello")
        self.assertEqual((speaker.transport.bytes_sent(), speaker.told), (5, []))
        self.assertFalse(speaker.transport.hung_up())
        speaker.transport.abortConnection()
        await speaker.lost

    async def test_order_with_a_slow_reader(self) -> None:
        """Writes of all sizes to one who reads later: all bytes, in order; told to pause."""
        speaker, other = await self.connect()
        chance = random.Random(7)
        said = b"".join(bytes([n % 251]) * chance.choice((1, 100, 70_000)) for n in range(400))
        at = 0
        while at < len(said):
            size = chance.choice((1, 10, 5_000, 90_000))
            speaker.transport.write(said[at : at + size])
            at += size
        self.assertEqual(set(speaker.told), {"pause"})
        self.assertLess(speaker.transport.bytes_sent(), len(said))
        self.assertLess(speaker.transport.bytes_arrived(), len(said))
        speaker.transport.unregisterProducer()
        speaker.transport.loseConnection()
        got = await deferToThread(self._read_all, other)
        self.assertEqual(got == said, True)
        await speaker.lost
        self.assertEqual(speaker.transport.bytes_sent(), len(said))

    async def test_resumed(self) -> None:
        """When the reader has caught up, the producer hears of it, and writes go out at once
        again."""
        speaker, other = await self.connect()
        said = b"x" * 20_000_000
        speaker.transport.write(said)
        got = 0
        while got < len(said):
            got += len(await deferToThread(other.recv, 1 << 20))
        while speaker.told[-1] != "resume":
            await deferLater(reactor, 0)
        speaker.transport.write(b"more")
        self.assertEqual(other.recv(100), b"more")
        speaker.transport.abortConnection()
        await speaker.lost

    async def test_peer_gone(self) -> None:
        """Writing to a peer that broke off raises nothing; what it had not acknowledged is
        known."""
        speaker, other = await self.connect()
        speaker.transport.write(b"x" * 20_000_000)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        other.close()
        speaker.transport.write(b"more")
        await speaker.lost
        self.assertLess(speaker.transport.bytes_arrived(), 20_000_000)
        self.assertTrue(speaker.transport.hung_up())

    async def test_hung_up(self) -> None:
        """A peer's end is known without reading as far as that."""
        speaker, other = await self.connect()
        speaker.transport.pauseProducing()
        other.sendall(b"unread")
        other.shutdown(socket.SHUT_WR)
        while not speaker.transport.hung_up():
            await deferLater(reactor, 0)
        self.assertTrue(speaker.transport.input_waits())
        speaker.transport.abortConnection()
        await speaker.lost

    def _read_all(self, end: socket.socket) -> bytes:
        parts = []
        while part := end.recv(1 << 16):
            parts.append(part)
        return b"".join(parts)
