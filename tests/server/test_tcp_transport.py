"""`TrackedServer` on real sockets: all bytes in order, whatever the peer does."""

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
class Producer(Protocol):
    """A producer that records when the transport pauses and resumes it."""

    transport: Any

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.lost: Deferred[None] = Deferred()

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        self.calls.append("resume")

    def stopProducing(self) -> None:
        """See IPushProducer."""

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        """See IProtocol."""
        self.lost.callback(None)


class Sending(TestCase):
    """One connection."""

    async def connect(self) -> tuple[Producer, socket.socket]:
        """A producer, and the socket of the peer."""
        producer = Producer()
        made: Deferred[None] = Deferred()
        producer.connectionMade = lambda: made.callback(None)  # type: ignore[method-assign]
        factory = Factory()
        factory.buildProtocol = lambda addr: producer  # type: ignore[method-assign]
        net: Any = reactor
        port = net.listenTCP(0, factory, interface="127.0.0.1")
        port.transport = TrackedServer
        self.addCleanup(port.stopListening)
        peer = socket.create_connection(("127.0.0.1", port.getHost().port), timeout=10)
        self.addCleanup(peer.close)
        await made
        producer.transport.registerProducer(producer, True)
        return producer, peer

    async def test_a_write_is_sent_at_once(self) -> None:
        """What fits is sent before `write` returns, without a turn of the reactor."""
        producer, peer = await self.connect()
        producer.transport.write(b"hello")
        self.assertEqual(peer.recv(100), b"hello")
        self.assertEqual((producer.transport.bytes_sent(), producer.calls), (5, []))
        self.assertFalse(producer.transport.hung_up())
        producer.transport.abortConnection()
        await producer.lost

    async def test_writes_to_a_slow_reader_arrive_in_order(self) -> None:
        """All bytes arrive in order, and the producer is paused."""
        producer, peer = await self.connect()
        random_source = random.Random(7)
        data = b"".join(
            bytes([n % 251]) * random_source.choice((1, 100, 70_000)) for n in range(400)
        )
        at = 0
        while at < len(data):
            size = random_source.choice((1, 10, 5_000, 90_000))
            producer.transport.write(data[at : at + size])
            at += size
        self.assertEqual(set(producer.calls), {"pause"})
        self.assertLess(producer.transport.bytes_sent(), len(data))
        self.assertLess(producer.transport.bytes_arrived(), len(data))
        producer.transport.unregisterProducer()
        producer.transport.loseConnection()
        received = await deferToThread(self._read_all, peer)
        self.assertEqual(received == data, True)
        await producer.lost
        self.assertEqual(producer.transport.bytes_sent(), len(data))

    async def test_the_producer_is_resumed(self) -> None:
        """When the reader has caught up, writes are sent at once again."""
        producer, peer = await self.connect()
        data = b"x" * 20_000_000
        producer.transport.write(data)
        received = 0
        while received < len(data):
            received += len(await deferToThread(peer.recv, 1 << 20))
        while producer.calls[-1] != "resume":
            await deferLater(reactor, 0)
        producer.transport.write(b"more")
        self.assertEqual(peer.recv(100), b"more")
        producer.transport.abortConnection()
        await producer.lost

    async def test_writing_to_a_peer_that_has_reset(self) -> None:
        """Nothing is raised, and bytes that had not arrived are known."""
        producer, peer = await self.connect()
        producer.transport.write(b"x" * 20_000_000)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        peer.close()
        producer.transport.write(b"more")
        await producer.lost
        self.assertLess(producer.transport.bytes_arrived(), 20_000_000)
        self.assertTrue(producer.transport.hung_up())

    async def test_a_peer_that_has_hung_up_is_noticed(self) -> None:
        """Its last input need not be read first."""
        producer, peer = await self.connect()
        producer.transport.pauseProducing()
        peer.sendall(b"unread")
        peer.shutdown(socket.SHUT_WR)
        while not producer.transport.hung_up():
            await deferLater(reactor, 0)
        self.assertTrue(producer.transport.input_waits())
        producer.transport.abortConnection()
        await producer.lost

    def _read_all(self, end: socket.socket) -> bytes:
        parts = []
        while part := end.recv(1 << 16):
            parts.append(part)
        return b"".join(parts)
