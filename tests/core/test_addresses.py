"""Addresses: as what the clients at one are counted."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.addresses import (
    LOCAL,
    is_address,
    network_of,
    network_text,
    parse_address,
    parse_network,
)


class Addresses(SynchronousTestCase):
    """Texts as a transport has them."""

    def test_clients_are_counted_by_address_or_site(self) -> None:
        """All addresses of an IPv6 /64 are one client; an IPv4 address has one spelling."""
        for text, expected in (
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("fe80::1%eth0", "fe80::/64"),
        ):
            self.assertEqual(network_of(text), expected)

    def test_clients_on_this_machine_are_counted_together(self) -> None:
        """Those of a unix socket have no address."""
        for text in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", LOCAL, ""):
            self.assertEqual(network_of(text), LOCAL, text)

    def test_address_without_its_zone(self) -> None:
        """A text that is no address is none."""
        self.assertEqual(parse_address("fe80::1%eth0"), ip_address("fe80::1"))
        for text in ("", "local", "192.0.2.7/32", "1", "a.example"):
            self.assertIsNone(parse_address(text), text)
            self.assertFalse(is_address(text), text)
        self.assertTrue(is_address("::1"))

    def test_networks_have_one_spelling(self) -> None:
        """An address is a network by itself."""
        for text, expected in (
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("2001:DB8::7/32", "2001:db8::/32"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
            ("::ffff:0:0/90", "::ffc0:0:0/90"),
        ):
            network = parse_network(text)
            assert network is not None
            self.assertEqual(network_text(network), expected)
        self.assertIsNone(parse_network("192.0.2.0/33"))
