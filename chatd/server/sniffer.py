"""One port for several protocols: the first bytes of a connection tell which protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.server.closing import DISCARD_LIMIT, LINGER_TIME
from chatd.server.connection import Connection
from chatd.server.identity import IdentifiedProtocol
from chatd.server.tracked_transport import tracked

if TYPE_CHECKING:
    from chatd.server.factory import ConnectionFactory

PAUSE = 0.1
"""seconds of silence after which the bytes received so far may be a complete first message"""
_LONGEST_SIGNATURE = 64
"""bytes after which a protocol must be known"""


@dataclass(frozen=True)
class Signature:
    """How a protocol is recognized by the first bytes of a connection.

    `matches` gets the bytes received so far and returns whether they begin this protocol, or None
    if more bytes are needed. If no more bytes come, for `PAUSE` seconds or because the input has
    ended, `matches_at_pause` decides. `protocol` makes what the connection becomes.
    """

    matches: Callable[[bytes], bool | None]
    protocol: Callable[[ConnectionFactory], Any]
    matches_at_pause: Callable[[bytes], bool] = lambda data: False


def first_byte(value: int) -> Callable[[bytes], bool]:
    """Return a `Signature.matches` for a protocol that is known by its first byte."""

    def matches(data: bytes) -> bool:
        return data[0] == value

    return matches


class _BeforeProtocol(IdentifiedProtocol):
    """A connection whose protocol is not known, as `ConnectionFactory` counts it."""

    def __init__(self, factory: ConnectionFactory) -> None:
        self.factory = factory

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave the factory's count: the connection is closed."""
        self.factory.cancel_deadlines(self)
        self.factory.connection_closed(self)

    def is_alive(self) -> bool:
        """See `Connection.is_alive`; always true, because the deadline for logging in applies."""
        return True

    def close(self) -> None:
        """Close from this end."""
        self.transport.loseConnection()

    def log_refusal(self, reason: str, quota: str = "") -> None:
        """Log that this connection was refused, and count it. `quota` is the bound that was met, if
        any (`chatd.realm.counters`)."""
        self.factory.realm.counters.refused(reason, quota)
        self.factory.client_log.refused(self.address, self.address_and_port, reason, "", 1)


@implementer(IHalfCloseableProtocol)
class Sniffer(_BeforeProtocol):
    """A connection whose protocol is not known yet.

    When the bytes received match one of `signatures`, the transport gets that protocol instead,
    with all bytes received so far; if they match none, it gets `unknown`. No bytes are lost, and
    none are held back once the protocol is known. Until then this object counts as the connection.
    """

    def __init__(
        self,
        factory: ConnectionFactory,
        signatures: Sequence[Signature],
        unknown: Callable[[ConnectionFactory], Connection | Rejection],
    ) -> None:
        super().__init__(factory)
        self._possible = signatures
        self._unknown = unknown
        self._data = b""
        self._pause: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Register with the factory, as unauthenticated."""
        self.factory.connection_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Switch to the protocol that matches, if it is known now."""
        self._data += data
        undecided = []
        for signature in self._possible:
            matches = signature.matches(self._data)
            if matches:
                self._switch_to(signature.protocol)
                return
            if matches is None:
                undecided.append(signature)
        if not undecided or len(self._data) > _LONGEST_SIGNATURE:
            self._switch_to(self._unknown)
            return
        self._possible = undecided
        if self._at_pause() is not None:
            if self._pause is None:
                self._pause = self.factory.clock.callLater(PAUSE, self._paused)
            else:
                self._pause.reset(PAUSE)
        else:
            self._stop_waiting()

    def _paused(self) -> None:
        self._pause = None
        if tracked(self.transport).input_waits():
            # It arrived before the pause was over, and the daemon has been busy.
            self._pause = self.factory.clock.callLater(PAUSE, self._paused)
            return
        signature = self._at_pause()
        if signature is not None:
            self._switch_to(signature.protocol)

    def _at_pause(self) -> Signature | None:
        """What matches if nothing more comes."""
        for signature in self._possible:
            if self._data and signature.matches_at_pause(self._data):
                return signature
        return None

    def readConnectionLost(self) -> None:
        """The peer sends no more: switch to the protocol that this completes, or close."""
        signature = self._at_pause()
        if signature is None:
            self.transport.loseConnection()
            return
        self._switch_to(signature.protocol)
        IHalfCloseableProtocol(self.transport.protocol).readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Required by `IHalfCloseableProtocol`; a sniffer never closes only its sending side."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection was closed before its protocol was known."""
        self._stop_waiting()
        super().connectionLost(reason)

    def _stop_waiting(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _switch_to(self, protocol: Callable[[ConnectionFactory], Any]) -> None:
        self._stop_waiting()
        factory = self.factory
        factory.cancel_deadlines(self)
        factory.connections.pop(self, None)
        connection = protocol(factory)
        self.transport.protocol = connection
        connection.makeConnection(self.transport)
        connection.dataReceived(self._data)


@implementer(IHalfCloseableProtocol)
class Rejection(_BeforeProtocol):
    """A connection that is refused: sends `reply`, then closes; the log gets `reason`."""

    def __init__(self, factory: ConnectionFactory, reply: bytes, reason: str) -> None:
        super().__init__(factory)
        self._reply = reply
        self._discarded = 0
        self._reason = reason

    def connectionMade(self) -> None:
        """Send the reply and linger: closing with unread input would reset the connection, and the
        reply would be lost."""
        self.factory.connection_opened(self)
        self.log_refusal(self._reason)
        self.transport.write(self._reply)
        self.transport.loseWriteConnection()
        self._lingering = self.factory.clock.callLater(LINGER_TIME, self.transport.loseConnection)
        self.factory.closing.touch(self)

    def dataReceived(self, data: bytes) -> None:
        """Discard input, up to a limit."""
        self._discarded += len(data)
        if self._discarded > DISCARD_LIMIT:
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """Close: the peer sends no more, so closing cannot reset the connection."""
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """This end's half-close is complete."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave the factory's count: the connection is closed."""
        if self._lingering.active():
            self._lingering.cancel()
        super().connectionLost(reason)
