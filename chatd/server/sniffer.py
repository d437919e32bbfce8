"""One port for several protocols: what a connection says first tells which of them it speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.server.connection import Connection

PAUSE = 0.1
"""seconds of silence after which what has come may be all of a first message"""
_UNDECIDED = 64
_LINGER_TIME = 2.0


@dataclass(frozen=True)
class Signature:
    """How to know a protocol by its first bytes: `opens` says whether some are its own; None if
    more have to come. At a `pause`, or the end of the input, None means that it is. `protocol`
    makes what the connection becomes."""

    opens: Callable[[bytes], bool | None]
    protocol: Callable[[Any], Any]
    pause: bool = False


def first_byte(value: int) -> Callable[[bytes], bool]:
    """For protocols that one byte tells."""

    def opens(data: bytes) -> bool:
        return data[0] == value

    return opens


class _Member(Protocol):
    """One of a factory's connections, which is nobody yet."""

    logger = Logger(namespace="chatd")
    transport: Any

    def __init__(self, factory: Any) -> None:
        self.factory = factory

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        self.factory.lost(self)
        self.factory.went(self)

    def look_alive(self) -> bool:
        """See `Connection`: a stranger has a deadline of its own."""
        return True

    def shut(self) -> None:
        """Close, from our side."""
        self.transport.loseConnection()

    def log_refusal(self, reason: str) -> None:
        """Tell the operator."""
        peer = self.transport.getPeer()
        self.logger.info(
            "Client ({host}, {port}) refused: {reason}",
            host=getattr(peer, "host", "local"),
            port=getattr(peer, "port", ""),
            reason=reason,
        )


@implementer(IHalfCloseableProtocol)
class Sniffer(_Member):
    """A connection of which nothing is known yet. As soon as its first bytes tell, it becomes what
    `starts` has for them; nothing is lost, or delayed for longer than it takes to tell. If they
    mean nothing, it becomes `otherwise`.

    To its factory it is one of its connections until then.
    """

    def __init__(
        self,
        factory: Any,
        starts: Sequence[Signature],
        otherwise: Callable[[Any], Connection | Rejection],
    ) -> None:
        super().__init__(factory)
        self._starts = starts
        self._otherwise = otherwise
        self._data = b""
        self._pause: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Count it as a stranger."""
        self.factory.came(self)

    def dataReceived(self, data: bytes) -> None:
        """Make way for the protocol that this is, if it can be told."""
        self._data += data
        undecided = []
        for start in self._starts:
            found = start.opens(self._data)
            if found:
                self._become(start.protocol)
                return
            if found is None:
                undecided.append(start)
        if not undecided or len(self._data) > _UNDECIDED:
            self._become(self._otherwise)
            return
        self._starts = undecided
        if any(start.pause for start in undecided):
            if self._pause is None:
                self._pause = self.factory.clock.callLater(PAUSE, self._paused)
            else:
                self._pause.reset(PAUSE)

    def _paused(self) -> None:
        self._pause = None
        for start in self._starts:
            if start.pause:
                self._become(start.protocol)
                return

    def readConnectionLost(self) -> None:
        """Nothing more will come."""
        pausing = [start for start in self._starts if start.pause] if self._data else []
        if not pausing:
            self.transport.loseConnection()
            return
        self._become(pausing[0].protocol)
        IHalfCloseableProtocol(self.transport.protocol).readConnectionLost()

    def writeConnectionLost(self) -> None:
        """It is only closed as a whole."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It never said enough."""
        self._stop_waiting()
        super().connectionLost(reason)

    def _stop_waiting(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _become(self, protocol: Callable[[Any], Any]) -> None:
        self._stop_waiting()
        factory = self.factory
        factory.lost(self)
        factory.connections.discard(self)
        connection = protocol(factory)
        self.transport.protocol = connection
        connection.makeConnection(self.transport)
        connection.dataReceived(self._data)


@implementer(IHalfCloseableProtocol)
class Rejection(_Member):
    """Says one thing, `words`, and closes; the operator is told `reason`."""

    def __init__(self, factory: Any, words: bytes, reason: str) -> None:
        super().__init__(factory)
        self._words = words
        self._reason = reason

    def connectionMade(self) -> None:
        """Say it, and leave the other end time to read it: closing with input unread would take it
        away."""
        self.factory.came(self)
        self.log_refusal(self._reason)
        self.transport.write(self._words)
        self.transport.loseWriteConnection()
        self._lingering = self.factory.clock.callLater(_LINGER_TIME, self.transport.loseConnection)
        self.factory.closing.touch(self)

    def dataReceived(self, data: bytes) -> None:
        """Nobody listens any more."""

    def readConnectionLost(self) -> None:
        """It has been heard."""
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """We have said all."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        if self._lingering.active():
            self._lingering.cancel()
        super().connectionLost(reason)
