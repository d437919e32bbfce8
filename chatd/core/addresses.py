"""Addresses of clients: what counts as one client, and networks that an operator names."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

LOCAL = "local"
"""the address of every client of a unix socket, and the network of those on this machine"""
_SITE = 64
"""the bits of an IPv6 address that tell one subscriber from another (RFC 6177): each has all
addresses of such a network"""


def parse_address(text: str) -> Address | None:
    """The address that a text is, None if it is none. A zone (``%eth0``) is ignored, and an IPv4
    address that is written as an IPv6 one is an IPv4 address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=4_096)
def network_of(text: str) -> str:
    """As what the clients at an address are counted: an IPv4 address by itself, an IPv6 address by
    its /64. It is `LOCAL` for loopback addresses, and for a text that is no address."""
    address = parse_address(text)
    if address is None or address.is_loopback:
        return LOCAL
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _SITE), strict=False))
    return str(address)
