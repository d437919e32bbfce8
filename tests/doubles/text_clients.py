"""Clients of the protocols that are text, on transports in memory, beside those of version 1."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatd.protocols.doors import PORT_PROTOCOLS
from tests.doubles.classic_clients import Wire
from tests.doubles.v1_clients import WireHouse


class TextClient:
    """One connection, seen from the other end, to the main port or to one of a protocol's own."""

    def __init__(self, house: WireHouse, port: str = "any") -> None:
        self.house = house
        house._ports += 1
        wire: Any = Wire(house._ports)
        wire.writes = []
        write = wire.write
        self.wire = wire

        def noted(data: bytes) -> None:
            self.wire.writes.append(data)
            write(data)

        self.wire.write = noted
        self.wire.protocol = PORT_PROTOCOLS[port](house.factory)
        self.wire.protocol.makeConnection(self.wire)

    def send(self, *chunks: str | bytes) -> None:
        """Each by itself."""
        for chunk in chunks:
            self.wire.protocol.dataReceived(chunk.encode() if isinstance(chunk, str) else chunk)

    def got(self) -> str:
        """What has come since the last time."""
        data, self.wire.out = self.wire.out, b""
        self.wire.writes.clear()
        return bytes(data).decode("utf-8")

    def ask(self, *chunks: str | bytes) -> str:
        """What comes of them."""
        self.got()
        self.send(*chunks)
        self.house.clock.advance(0)
        return self.got()

    def close_sending(self) -> None:
        """FIN from this end."""
        self.wire.protocol.readConnectionLost()

    def lose(self) -> None:
        """The connection is gone."""
        self.wire.disconnected = True
        self.wire.protocol.connectionLost(Failure(ConnectionDone()))
