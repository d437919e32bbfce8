"""Addresses of clients: what counts as one client, and networks that an operator names."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

LOCAL = "local"
"""the address of every client of a unix socket, and the network of those on this machine"""
_LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1"))
_MAPPED = 96
"""the bits before an IPv4 address that is written as an IPv6 one"""
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


def is_address(text: str) -> bool:
    """Whether a text is an address, and not the name of a machine."""
    return parse_address(text) is not None


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


def parse_network(text: str) -> Network | None:
    """The network that a text is: an address is one by itself. None if it is none. Bits after the
    prefix are ignored, and IPv4 addresses that are written as IPv6 ones are IPv4 addresses."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= _MAPPED:
            return IPv4Network((mapped, network.prefixlen - _MAPPED))
    return network


def network_text(network: Network) -> str:
    """A network as operators write it; an address without its prefix."""
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


def includes_this_machine(network: Network) -> bool:
    """Whether loopback addresses are in a network."""
    return any(network.version == each.version and network.overlaps(each) for each in _LOOPBACK)
