"""`IdentifiedProtocol`: the address and the certificate of a peer."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.identity import IdentifiedProtocol


class Identity(SynchronousTestCase):
    """The peer of a connection, by the address that its transport has."""

    def identified(self, address: Any) -> IdentifiedProtocol:
        """A protocol whose peer has an address."""
        protocol = IdentifiedProtocol()
        protocol.makeConnection(StringTransport(peerAddress=address))
        return protocol

    def test_internet_address_is_shown_with_its_port(self) -> None:
        """`address`, by which attempts to log in are throttled, has no port."""
        for address, host in (
            (IPv4Address("TCP", "192.0.2.7", 5000), "192.0.2.7"),
            (IPv6Address("TCP", "2001:db8::7", 5000), "2001:db8::7"),
        ):
            protocol = self.identified(address)
            self.assertEqual(
                (protocol.address, protocol.address_and_port), (host, f"({host}, 5000)")
            )

    def test_peer_at_a_unix_socket_is_local(self) -> None:
        """It has no port."""
        protocol = self.identified(UNIXAddress(None))
        self.assertEqual((protocol.address, protocol.address_and_port), ("local", "(local, )"))

    def test_peer_without_tls_has_no_certificate(self) -> None:
        """Certificates of clients are shown by TLS only; see the tests of `tls`."""
        self.assertIsNone(self.identified(IPv4Address("TCP", "192.0.2.7", 5000)).certificate)
