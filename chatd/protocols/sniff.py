"""One port for several protocols: the first byte of a connection tells which of them it speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.protocols.connection import Connection

Protocols = Mapping[int, Callable[[Any], Connection]]


class Sniff(Protocol):
    """A connection of which nothing is known yet. With its first byte it becomes what `protocols` has for
    that byte, or else `default`, whose business it is to complain; nothing is lost or delayed.

    To its factory it is one of its connections until then.
    """

    log = Logger()
    transport: Any

    def __init__(self, factory: Any, protocols: Protocols, default: Callable[[Any], Connection]) -> None:
        self.factory = factory
        self._protocols = protocols
        self._default = default

    def connectionMade(self) -> None:
        """Count it as a stranger."""
        self.factory.came(self)

    def dataReceived(self, data: bytes) -> None:
        """Make way for the protocol that this is."""
        factory = self.factory
        factory.lost(self)
        factory.connections.discard(self)
        connection = self._protocols.get(data[0], self._default)(factory)
        self.transport.protocol = connection
        connection.makeConnection(self.transport)  # type: ignore[no-untyped-call]
        connection.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It never said a word."""
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
        self.log.info(
            "Client ({host}, {port}) refused: {reason}",
            host=getattr(peer, "host", "local"),
            port=getattr(peer, "port", ""),
            reason=reason,
        )
