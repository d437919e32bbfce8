"""Who is at the other end of a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Protocol

from chatd.core.addresses import LOCAL, network_of
from chatd.server.tls import fingerprint_of


class IdentifiedProtocol(Protocol):
    """A protocol that knows its peer's address and certificate."""

    transport: Any

    @property
    def address(self) -> str:
        """The peer's address without the port; ``local`` for a unix socket."""
        return _host_and_port(self.transport)[0]

    @property
    def network(self) -> str:
        """As what the client is counted (`chatd.core.addresses.network_of`)."""
        return network_of(self.address)

    @property
    def address_and_port(self) -> str:
        """The peer's address and port, as the log shows them."""
        host, port = _host_and_port(self.transport)
        return f"({host}, {port})"

    @property
    def certificate(self) -> str | None:
        """The SHA-256 fingerprint of the client certificate, if the client has shown one."""
        return fingerprint_of(self.transport)


def _host_and_port(transport: Any) -> tuple[str, str]:
    address = transport.getPeer()
    if isinstance(address, IPv4Address | IPv6Address):
        return address.host, str(address.port)
    return LOCAL, ""
