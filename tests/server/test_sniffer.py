"""The sniffer: which protocol the first bytes of a connection give it."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.server.closing import DISCARD_LIMIT
from chatd.server.sniffer import PAUSE, Rejection, Signature, Sniffer, first_byte
from tests.doubles.classic_clients import ClassicServer


@implementer(IHalfCloseableProtocol)
class RecordingProtocol(Protocol):
    """A protocol that a connection can get; records its input."""

    def __init__(self, name: str, factory: Any) -> None:
        self.name = name
        self.factory = factory
        self.received: list[bytes] = []
        self.input_ended = False
        self.network = "local"

    def connectionMade(self) -> None:
        self.factory.connection_opened(self)

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)

    def readConnectionLost(self) -> None:
        self.input_ended = True

    def writeConnectionLost(self) -> None:
        pass


def _word(word: bytes) -> Any:
    """A `Signature.matches` for a protocol that begins with a word."""

    def matches(data: bytes) -> bool | None:
        return True if data.startswith(word) else None if word.startswith(data) else False

    return matches


def _digit(data: bytes) -> bool | None:
    """A digit by itself, or before a bar."""
    if not data[:1].isdigit():
        return False
    return None if len(data) == 1 else data[1:2] == b"|"


class Sniffing(SynchronousTestCase):
    """A sniffer with signatures of the test's own."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.clock = self.server.clock
        self.factory: Any = self.server.factory

    def signature(self, matches: Any, name: str, at_pause: bool = False) -> Signature:
        """The signature of a protocol called `name`."""
        return Signature(
            matches, lambda factory: RecordingProtocol(name, factory), lambda data: at_pause
        )

    def connect(self) -> Any:
        """The transport of a new connection; its `protocol` is a sniffer at first."""
        transport: Any = self.server.new_transport()
        signatures = [
            self.signature(first_byte(7), "seven"),
            self.signature(_word(b"HELLO "), "hello"),
            self.signature(_word(b"HELP"), "help"),
            self.signature(_digit, "digit", at_pause=True),
        ]
        transport.protocol = Sniffer(
            self.factory, signatures, lambda factory: Rejection(factory, b"what?\n", "strange")
        )
        transport.protocol.makeConnection(transport)
        return transport

    def test_a_protocol_known_by_one_byte(self) -> None:
        """The protocol gets everything that was received."""
        connection = self.connect()
        connection.protocol.dataReceived(b"\x07abc")
        self.assertEqual(
            (connection.protocol.name, connection.protocol.received), ("seven", [b"\x07abc"])
        )
        self.assertEqual(list(self.factory.connections), [connection.protocol])

    def test_input_in_pieces(self) -> None:
        """The protocol is known as soon as possible; no byte is lost or doubled."""
        for text, name, last in (
            (b"HELLO you", "hello", 5),
            (b"HELP!", "help", 3),
            (b"3|x", "digit", 1),
        ):
            connection = self.connect()
            for at in range(len(text)):
                connection.protocol.dataReceived(text[at : at + 1])
                self.assertEqual(
                    isinstance(connection.protocol, Sniffer), at < last, text[: at + 1]
                )
            self.assertEqual(
                (connection.protocol.name, b"".join(connection.protocol.received)), (name, text)
            )

    def test_a_first_message_that_may_be_complete(self) -> None:
        """Without further input for a moment it counts as complete."""
        connection = self.connect()
        connection.protocol.dataReceived(b"2")
        self.clock.advance(PAUSE * 0.9)
        self.assertIsInstance(connection.protocol, Sniffer)
        self.clock.advance(PAUSE * 0.2)
        self.assertEqual(
            (connection.protocol.name, connection.protocol.received), ("digit", [b"2"])
        )

    def test_input_that_has_arrived_decides_after_the_pause(self) -> None:
        """The daemon has been busy, and has not read it in time."""
        connection = self.connect()
        connection.protocol.dataReceived(b"2")
        connection.input_waiting = True
        self.clock.advance(0.3)
        self.assertIsInstance(connection.protocol, Sniffer)
        connection.input_waiting = False
        connection.protocol.dataReceived(b"|x")
        self.assertEqual(
            (connection.protocol.name, connection.protocol.received), ("digit", [b"2|x"])
        )

    def test_half_a_keyword_waits(self) -> None:
        """It waits as long as any connection without login may."""
        connection = self.connect()
        connection.protocol.dataReceived(b"HEL")
        self.clock.advance(10 * PAUSE)
        self.assertIsInstance(connection.protocol, Sniffer)
        connection.protocol.dataReceived(b"LO ")
        self.assertEqual(connection.protocol.name, "hello")

    def test_a_sniffer_has_the_deadline_for_logging_in(self) -> None:
        """A connection that sends too little is closed."""
        connection = self.connect()
        connection.protocol.dataReceived(b"HEL")
        self.clock.advance(self.server.limits.login_time + 1)
        self.assertTrue(connection.disconnecting)

    def test_the_end_of_the_input_decides(self) -> None:
        """A message that may be complete is complete; with less the connection is closed."""
        connection = self.connect()
        connection.protocol.dataReceived(b"2")
        connection.protocol.readConnectionLost()
        self.assertEqual(
            (connection.protocol.received, connection.protocol.input_ended), ([b"2"], True)
        )
        for text in (b"", b"HEL"):
            connection = self.connect()
            if text:
                connection.protocol.dataReceived(text)
            connection.protocol.readConnectionLost()
            self.assertTrue(connection.disconnecting)

    def test_a_connection_lost_while_sniffing(self) -> None:
        """No timer and no count remains."""
        for text in (b"HEL", b"2"):
            connection = self.connect()
            connection.protocol.dataReceived(text)
            connection.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.factory.connections, {})
        self.clock.advance(self.server.limits.login_time + 1)
        self.assertIsInstance(connection.protocol, Sniffer)

    def test_an_unknown_protocol_is_rejected(self) -> None:
        """The reply can be read before the connection is closed."""
        for text in (b"GET / HTTP/1.1\r\n", b"HELLp", b"3x", b"\xff" * 100):
            connection = self.connect()
            connection.protocol.dataReceived(text)
            self.assertIsInstance(connection.protocol, Rejection)
            self.assertEqual(
                (connection.output, connection.half_closed, connection.disconnecting),
                (b"what?\n", True, False),
            )
            connection.protocol.dataReceived(b"more" * 1000)
            self.clock.advance(5)
            self.assertTrue(connection.disconnecting)
            connection.protocol.connectionLost(Failure(ConnectionDone()))
            self.assertEqual((self.factory.connections, connection.output), ({}, b"what?\n"))

    def test_input_after_a_rejection_is_read_up_to_a_limit(self) -> None:
        """A client that goes on sending is not read from while it can read the reply."""
        connection = self.connect()
        connection.protocol.dataReceived(b"?")
        for _ in range(4):
            connection.protocol.dataReceived(b"x" * (DISCARD_LIMIT // 4 - 1))
        self.assertEqual(connection.producerState, "producing")
        connection.protocol.dataReceived(b"x" * 4)
        self.assertEqual((connection.producerState, connection.disconnecting), ("paused", False))
        self.clock.advance(2.1)
        self.assertTrue(connection.disconnecting)

    def test_a_client_that_has_read_the_rejection_closes(self) -> None:
        """The server closes at once, and no timer remains."""
        connection = self.connect()
        connection.protocol.dataReceived(b"?")
        connection.protocol.readConnectionLost()
        self.assertTrue(connection.disconnecting)
        connection.protocol.connectionLost(Failure(ConnectionDone()))
        self.factory.cancel_timers()
        self.assertEqual(self.clock.getDelayedCalls(), [])
