"""One port for all: what the first bytes make of a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.server.sniffer import PAUSE, Rejection, Signature, Sniffer, first_byte
from tests.doubles.classic_clients import ClassicServer, MemoryTransport


@implementer(IHalfCloseableProtocol)
class Spoken(Protocol):
    """What a connection becomes: remembers what it hears."""

    def __init__(self, name: str, factory: Any) -> None:
        self.name = name
        self.factory = factory
        self.heard: list[bytes] = []
        self.ended = False

    def connectionMade(self) -> None:
        self.factory.connection_opened(self)

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def readConnectionLost(self) -> None:
        self.ended = True

    def writeConnectionLost(self) -> None:
        pass


def _word(word: bytes) -> Any:
    def opens(data: bytes) -> bool | None:
        return True if data.startswith(word) else None if word.startswith(data) else False

    return opens


def _digit(data: bytes) -> bool | None:
    """A digit by itself, or before a bar."""
    if not data[:1].isdigit():
        return False
    return None if len(data) == 1 else data[1:2] == b"|"


class Sniffing(SynchronousTestCase):
    """With protocols of the test's own."""

    def setUp(self) -> None:
        self.server = ClassicServer()
        self.clock = self.server.clock
        self.factory: Any = self.server.factory
        self.ports = 0

    def start(self, opens: Any, name: str, pause: bool = False) -> Signature:
        """A protocol, for the sniffer."""
        return Signature(opens, lambda factory: Spoken(name, factory), lambda data: pause)

    def connect(self) -> Any:
        """A connection; `protocol` is what has become of it."""
        self.ports += 1
        transport: Any = MemoryTransport(self.ports)
        signatures = [
            self.start(first_byte(7), "seven"),
            self.start(_word(b"HELLO "), "hello"),
            self.start(_word(b"HELP"), "help"),
            self.start(_digit, "digit", pause=True),
        ]
        transport.protocol = Sniffer(
            self.factory, signatures, lambda factory: Rejection(factory, b"what?\n", "strange")
        )
        transport.protocol.makeConnection(transport)
        return transport

    def test_one_byte(self) -> None:
        """At once, and with all that came."""
        seen = self.connect()
        seen.protocol.dataReceived(b"\x07abc")
        self.assertEqual((seen.protocol.name, seen.protocol.heard), ("seven", [b"\x07abc"]))
        self.assertEqual(self.factory.connections, {seen.protocol})

    def test_byte_by_byte(self) -> None:
        """As soon as it can be told, whatever the pieces; nothing is lost, nothing doubled."""
        for text, name, last in (
            (b"HELLO you", "hello", 5),
            (b"HELP!", "help", 3),
            (b"3|x", "digit", 1),
        ):
            seen = self.connect()
            for at in range(len(text)):
                seen.protocol.dataReceived(text[at : at + 1])
                self.assertEqual(isinstance(seen.protocol, Sniffer), at < last, text[: at + 1])
            self.assertEqual((seen.protocol.name, b"".join(seen.protocol.heard)), (name, text))

    def test_a_pause(self) -> None:
        """A first message that could be more is taken for all when nothing comes for a moment."""
        seen = self.connect()
        seen.protocol.dataReceived(b"2")
        self.clock.advance(PAUSE * 0.9)
        self.assertIsInstance(seen.protocol, Sniffer)
        self.clock.advance(PAUSE * 0.2)
        self.assertEqual((seen.protocol.name, seen.protocol.heard), ("digit", [b"2"]))

    def test_no_pause_for_others(self) -> None:
        """Half a word stays one, for as long as strangers may."""
        seen = self.connect()
        seen.protocol.dataReceived(b"HEL")
        self.clock.advance(10 * PAUSE)
        self.assertIsInstance(seen.protocol, Sniffer)
        seen.protocol.dataReceived(b"LO ")
        self.assertEqual(seen.protocol.name, "hello")

    def test_a_deadline(self) -> None:
        """Nobody says nothing for ever."""
        seen = self.connect()
        seen.protocol.dataReceived(b"HEL")
        self.clock.advance(self.server.limits.login_time + 1)
        self.assertTrue(seen.disconnecting)

    def test_the_end_of_the_input(self) -> None:
        """Is a pause as well; with less than that, there is nobody to answer."""
        seen = self.connect()
        seen.protocol.dataReceived(b"2")
        seen.protocol.readConnectionLost()
        self.assertEqual((seen.protocol.heard, seen.protocol.ended), ([b"2"], True))
        for text in (b"", b"HEL"):
            seen = self.connect()
            if text:
                seen.protocol.dataReceived(text)
            seen.protocol.readConnectionLost()
            self.assertTrue(seen.disconnecting)

    def test_lost_in_between(self) -> None:
        """Leaves nothing behind."""
        for text in (b"HEL", b"2"):
            seen = self.connect()
            seen.protocol.dataReceived(text)
            seen.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.factory.connections, set())
        self.clock.advance(self.server.limits.login_time + 1)
        self.assertIsInstance(seen.protocol, Sniffer)

    def test_unknown(self) -> None:
        """A sentence, time to read it, and the end."""
        for text in (b"GET / HTTP/1.1\r\n", b"HELLp", b"3x", b"\xff" * 100):
            seen = self.connect()
            seen.protocol.dataReceived(text)
            self.assertIsInstance(seen.protocol, Rejection)
            self.assertEqual(
                (seen.out, seen.half_closed, seen.disconnecting), (b"what?\n", True, False)
            )
            seen.protocol.dataReceived(b"more" * 1000)
            self.clock.advance(5)
            self.assertTrue(seen.disconnecting)
            seen.protocol.connectionLost(Failure(ConnectionDone()))
            self.assertEqual((self.factory.connections, seen.out), (set(), b"what?\n"))

    def test_unknown_and_gone(self) -> None:
        """Who has read it may close before us."""
        seen = self.connect()
        seen.protocol.dataReceived(b"?")
        seen.protocol.readConnectionLost()
        self.assertTrue(seen.disconnecting)
        seen.protocol.connectionLost(Failure(ConnectionDone()))
        self.factory.cancel_timers()
        self.assertEqual(self.clock.getDelayedCalls(), [])
