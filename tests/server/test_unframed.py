"""`Unframed`: connections that are never paused, and the bound of their queue."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.factory import ConnectionFactory
from chatd.server.unframed import Unframed
from tests.doubles.memory_server import MemoryServer, MemoryTransport


class _WholeReads:
    """A decoder for which each read of the socket is one message."""

    unfinished = False

    def feed(self, data: bytes) -> Sequence[bytes]:
        """See `Decoder`."""
        return [data]


class _HeldProtocol(Unframed):
    """A protocol that records messages and waits for `hold` after each."""

    def __init__(self, factory: ConnectionFactory) -> None:
        super().__init__(factory, _WholeReads())
        self.performed: list[bytes] = []
        self.hold: Deferred[None] = Deferred()

    def burst(self, messages: Sequence[bytes]) -> int:
        """See `Connection`."""
        return 0

    async def perform(self, message: bytes) -> None:
        """See `Connection`."""
        self.performed.append(message)
        if not self.hold.called:
            await self.hold

    def flooded(self) -> None:
        """See `Unframed`."""
        self.transport.write(b"too much")


class Queue(SynchronousTestCase):
    """Messages that arrive while an earlier one is handled."""

    def setUp(self) -> None:
        self.server = MemoryServer(_HeldProtocol, rate=None)
        connection = self.server.factory.buildProtocol(None)
        assert isinstance(connection, _HeldProtocol)
        self.connection = connection
        self.transport: MemoryTransport = self.server.new_transport()
        self.connection.makeConnection(self.transport)

    def test_unframed_connection_is_read_while_messages_wait(self) -> None:
        """Two messages that waited in the socket buffer would become one."""
        messages = [str(number).encode() for number in range(1_000)]
        for message in messages:
            self.connection.dataReceived(message)
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(self.connection.performed, messages[:1])
        self.connection.hold.callback(None)
        self.assertEqual(self.connection.performed, messages)
        self.assertFalse(self.transport.half_closed)

    def test_framed_connection_is_paused_while_messages_wait(self) -> None:
        """A client of the same protocol that sends frames can wait in the socket buffer."""
        self.connection.framed = True
        self.connection.dataReceived(b"1")
        self.assertEqual(self.transport.producerState, "paused")
        self.connection.hold.callback(None)
        self.assertEqual(self.transport.producerState, "producing")

    def test_client_over_the_bound_of_the_queue_is_disconnected(self) -> None:
        """It gets the protocol's reply; the messages that wait are dropped."""
        for _ in range(1_002):
            self.connection.dataReceived(b"x")
        self.assertEqual(self.transport.output, b"too much")
        self.connection.dataReceived(b"more")
        self.connection.hold.callback(None)
        self.assertEqual(self.connection.performed, [b"x"])
        self.assertTrue(self.transport.half_closed)
        self.server.clock.advance(2.1)
        self.assertTrue(self.transport.disconnecting)
