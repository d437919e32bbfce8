"""Connections in memory between the client library and a `MainPortServer`."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.doubles.v1_clients import MainPortServer, V1Client


class LibraryTransport(StringTransport):
    """The transport of the library's end; what it writes waits for `LibraryEndpoint.pump`."""

    def abortConnection(self) -> None:
        """See `ITCPTransport`."""
        self.disconnecting = True


class LibraryEndpoint:
    """An endpoint that leads to `server`. Nothing is transferred but by `pump`."""

    def __init__(self, server: MainPortServer) -> None:
        self.connections = 0
        """how many there have been"""
        self.received: list[bytes] = []
        """what the library has received over the present connection"""
        self._server = server
        self._end: V1Client | None = None
        self._connection: Any = None
        self._transport = LibraryTransport()

    def connect(self, factory: Any) -> Deferred[Any]:
        """See `IStreamClientEndpoint`."""
        self.connections += 1
        self.received = []
        self._end = self._server.connect()
        self._transport = LibraryTransport()
        self._connection = factory.buildProtocol(None)
        self._connection.makeConnection(self._transport)
        return succeed(self._connection)

    def pump(self) -> None:
        """Transfer data in both directions until there is none."""
        while self.to_server() | self.to_client():
            pass

    def to_server(self) -> bool:
        """Transfer what the library has written; return whether there was any."""
        data = self._transport.value()
        self._transport.clear()
        if self._end is None:
            return False
        if data:
            self._end.send_bytes(data)
        self._server.clock.advance(0)
        if self._transport.disconnecting or self._end.transport.disconnecting:
            self.lose()
        return bool(data)

    def to_client(self) -> bool:
        """Transfer what the server has written; return whether there was any."""
        if self._end is None:
            return False
        data, self._end.transport.output = self._end.transport.output, b""
        if data:
            self.received.append(data)
            self._connection.dataReceived(data)
        return bool(data)

    def lose(self) -> None:
        """Lose the connection, with what is on its way."""
        end, self._end = self._end, None
        if end is not None:
            end.disconnect()
            self._connection.connectionLost(Failure(ConnectionDone()))
