"""Clients of the text protocols in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatd.protocols.doors import connection_maker, main_port
from tests.doubles.memory_server import MemoryServer


class TextClient:
    """The client's end of one connection, to the main port or to the port of one protocol.

    `transport.protocol` is the server's end; `transport.writes` has the server's writes since the
    last `receive`.
    """

    def __init__(self, server: MemoryServer, port: str = "any") -> None:
        self.server = server
        transport: Any = server.new_transport()
        self.transport = transport
        write = transport.write

        def record(data: bytes) -> None:
            self.transport.writes.append(data)
            write(data)

        transport.writes = []
        transport.write = record
        transport.protocol = connection_maker(port, main_port())(server.factory)
        self.transport.protocol.makeConnection(self.transport)

    def send(self, *segments: str | bytes) -> None:
        """Send segments, which the server reads one by one."""
        for segment in segments:
            self.transport.protocol.dataReceived(
                segment.encode() if isinstance(segment, str) else segment
            )

    def receive(self) -> str:
        """The text received since the last call."""
        data, self.transport.output = self.transport.output, b""
        self.transport.writes.clear()
        return bytes(data).decode("utf-8")

    def request(self, *segments: str | bytes) -> str:
        """Send segments, and return what is received then."""
        self.receive()
        self.send(*segments)
        self.server.clock.advance(0)
        return self.receive()

    def half_close(self) -> None:
        """Close the sending side of the client."""
        self.transport.protocol.readConnectionLost()

    def disconnect(self) -> None:
        """Close the connection."""
        self.transport.disconnected = True
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))
