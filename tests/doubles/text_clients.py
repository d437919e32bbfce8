"""Clients of the protocols that are text, on transports in memory, beside those of version 1."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatd.protocols.doors import connection_maker, main_port
from tests.doubles.classic_clients import MemoryTransport
from tests.doubles.v1_clients import MainPortServer


class TextClient:
    """One connection, seen from the other end, to the main port or to one of a protocol's own."""

    def __init__(self, server: MainPortServer, port: str = "any") -> None:
        self.server = server
        server._ports += 1
        transport: Any = MemoryTransport(server._ports)
        transport.writes = []
        write = transport.write
        self.transport = transport

        def noted(data: bytes) -> None:
            self.transport.writes.append(data)
            write(data)

        self.transport.write = noted
        self.transport.protocol = connection_maker(port, main_port())(server.factory)
        self.transport.protocol.makeConnection(self.transport)

    def send(self, *chunks: str | bytes) -> None:
        """Each by itself."""
        for chunk in chunks:
            self.transport.protocol.dataReceived(
                chunk.encode() if isinstance(chunk, str) else chunk
            )

    def got(self) -> str:
        """What has come since the last time."""
        data, self.transport.out = self.transport.out, b""
        self.transport.writes.clear()
        return bytes(data).decode("utf-8")

    def ask(self, *chunks: str | bytes) -> str:
        """What comes of them."""
        self.got()
        self.send(*chunks)
        self.server.clock.advance(0)
        return self.got()

    def close_sending(self) -> None:
        """FIN from this end."""
        self.transport.protocol.readConnectionLost()

    def lose(self) -> None:
        """The connection is gone."""
        self.transport.disconnected = True
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))
