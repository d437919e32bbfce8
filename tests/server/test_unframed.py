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

    longest = 150_000

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


class _Case(SynchronousTestCase):
    """A server in memory with one connection."""

    def setUp(self) -> None:
        self.server = MemoryServer(_HeldProtocol, rate=None)
        connection = self.server.factory.buildProtocol(None)
        assert isinstance(connection, _HeldProtocol)
        self.connection = connection
        self.transport: MemoryTransport = self.server.new_transport()
        self.connection.makeConnection(self.transport)


class LongMessages(_Case):
    """Messages that do not fit into one read, which has at most 65,536 bytes."""

    def setUp(self) -> None:
        super().setUp()
        self.connection.hold.callback(None)

    def receive(self, *reads: int) -> None:
        """Have the connection read so many bytes at a time."""
        for size in reads:
            self.connection.dataReceived(bytes([48 + len(self.connection.performed)]) * size)

    def performed(self) -> list[int]:
        """The sizes of the messages that were handled."""
        return [len(message) for message in self.connection.performed]

    def test_full_reads_and_the_next_one_are_one_message(self) -> None:
        """A shorter read ends it."""
        self.receive(65_536, 65_536, 100)
        self.assertEqual(self.performed(), [131_172])
        self.receive(100)
        self.assertEqual(self.performed(), [131_172, 100])

    def test_full_read_is_a_message_if_nothing_follows(self) -> None:
        """Nothing follows for a tenth of a second, or the end of the input does."""
        self.receive(65_536)
        self.server.clock.advance(0.09)
        self.receive(65_536)
        self.server.clock.advance(0.09)
        self.assertEqual(self.performed(), [])
        self.server.clock.advance(0.02)
        self.assertEqual(self.performed(), [131_072])
        self.receive(65_536)
        self.connection.readConnectionLost()
        self.assertEqual(self.performed(), [131_072, 65_536])

    def test_rest_that_has_arrived_belongs_to_the_message(self) -> None:
        """The daemon has been busy, and has not read it in time."""
        self.receive(65_536)
        self.transport.input_waiting = True
        self.server.clock.advance(0.3)
        self.assertEqual(self.performed(), [])
        self.transport.input_waiting = False
        self.receive(100)
        self.assertEqual(self.performed(), [65_636])

    def test_message_over_the_limit_ends_where_it_ends(self) -> None:
        """The decoder gets just enough of it to refuse it, and nothing else becomes a message."""
        self.receive(*[65_536] * 10, 100)
        self.assertEqual(self.performed(), [150_001])
        self.receive(7)
        self.assertEqual(self.performed(), [150_001, 7])

    def test_lost_connection_ends_the_message(self) -> None:
        """What was received before is handled."""
        self.receive(65_536)
        self.connection.connectionLost()
        self.assertEqual(self.performed(), [65_536])

    def test_closing_drops_the_message(self) -> None:
        """No timer remains."""
        self.receive(65_536)
        self.connection.close()
        self.server.clock.advance(1)
        self.assertEqual(self.performed(), [])

    def test_framed_input_goes_to_the_decoder_as_it_comes(self) -> None:
        """As long as it is not known whether reads are messages, it does so too."""
        for framed in (True, None):
            self.connection.framed = framed
            self.receive(65_536)
        self.assertEqual(sum(self.performed()), 131_072)


class Queue(_Case):
    """Messages that arrive while an earlier one is handled."""

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
