"""Address bans: operators keep the clients at an address, or in a network, from connecting.

The bans are in memory, by the lengths of their prefixes, so that finding that of an address costs a
look-up for each length that there is. A ban that has expired is ignored at once, and removed from
the store with the next change, or at the next start.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

import msgspec

from chatd.core.addresses import (
    Address,
    Network,
    includes_this_machine,
    network_text,
    parse_address,
    parse_network,
)
from chatd.core.errors import AddressBanned, BadRequest, Conflict, NotBanned
from chatd.core.printable import in_one_line
from chatd.realm import changes
from chatd.realm.context import Context
from chatd.realm.documents import Stored
from chatd.realm.permissions import check_ban


class AddressBan(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a ban, under its network. Times are milliseconds since 1970 (UTC); `until`
    is None if it does not expire."""

    document_kind: ClassVar[str] = "address-ban"

    since: int
    until: int | None
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The sentence for clients."""
        return "An operator has banned your address" + (f": {self.reason}" if self.reason else ".")


class AddressBanInfo(msgspec.Struct, frozen=True):
    """A ban as operators see it."""

    network: str
    since: int
    until: int | None
    reason: str


class AddressBans:
    """The bans, and what ends what a banned client has: `on_banned` are called with whether an
    address is banned, and return how many connections without a session they close."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # By version and length of the prefix, then by the prefix as a number.
        self._bans: dict[tuple[int, int], dict[int, Stored[AddressBan]]] = {}
        self.on_banned: list[Callable[[Callable[[str], bool]], int]] = []

    async def start(self) -> None:
        """Read what is stored. Raises `StoreUnavailable`."""
        after = ""
        while page := await self._context.documents.scan(AddressBan, after=after):
            for stored in page:
                self._set(stored)
            after = page[-1].key
        await self._remove_expired()

    def find(self, address: str) -> AddressBan | None:
        """The ban of an address, if there is one."""
        if not self._bans:
            return None
        parsed = parse_address(address)
        if parsed is None:
            return None
        bits = int(parsed)
        for (version, length), bans in self._bans.items():
            if version == parsed.version:
                stored = bans.get(bits >> (parsed.max_prefixlen - length))
                if stored is not None and not self._expired(stored):
                    return stored.record
        return None

    def check(self, address: str) -> None:
        """Raise `AddressBanned` if an address is banned."""
        ban = self.find(address)
        if ban is not None:
            raise AddressBanned(ban.sentence)

    def listing(self) -> list[AddressBanInfo]:
        """All bans in force, in the order in which they were made."""
        bans = sorted(
            (stored for stored in self._all() if not self._expired(stored)),
            key=lambda stored: stored.record.since,
        )
        return [AddressBanInfo(each.key, *msgspec.structs.astuple(each.record)) for each in bans]

    async def ban(
        self, text: str, seconds: int | None, reason: str, force: bool = False
    ) -> tuple[AddressBanInfo, int, int]:
        """Ban an address or a network for so many seconds (None: until `unban`), in place of a ban
        that it has. Its sessions are ended with the reason, its other connections are closed.

        Returns the ban and the numbers of both. Raises `BadRequest`, `LimitReached`, `Busy`,
        `StoreUnavailable`.
        """
        network = self._parsed(text)
        await self._remove_expired()
        count = sum(1 for _ in self._all())
        check_ban(count, includes_this_machine(network), force)
        now = self._context.now()
        until = None if seconds is None else now + seconds * 1000
        ban = AddressBan(now, until, in_one_line(reason))
        key = network_text(network)
        stored = await self._context.documents.change(AddressBan, key, lambda _: ban)
        assert stored is not None
        self._set(stored)
        sessions, connections = self._end(network, ban)
        return AddressBanInfo(key, now, until, ban.reason), sessions, connections

    def _end(self, network: Network, ban: AddressBan) -> tuple[int, int]:
        def banned(address: str) -> bool:
            return _is_in(parse_address(address), network)

        connections = sum(close(banned) for close in self.on_banned)
        sessions = [each for each in self._context.sessions.all() if banned(each.peer.address)]
        for session in sessions:
            session.end()
            session.peer.session_ended("address-banned", ban.sentence)
        return len(sessions), connections

    async def unban(self, text: str) -> str:
        """End the ban of an address or a network; return it. Raises `BadRequest`, `NotBanned`,
        `StoreUnavailable`."""
        network = self._parsed(text)
        key = network_text(network)
        stored = self._at(network)
        if stored is None or self._expired(stored):
            larger = self._banned_around(network)
            around = f"; it is part of {larger}, which is" if larger else ""
            raise NotBanned(f"{key} is not banned{around}.")
        await self._context.documents.write([changes.delete_any(AddressBan, key)])
        # It may have been replaced meanwhile by a ban that is not stored any more either.
        current = self._at(network)
        if current is not None:
            self._discard(current)
        return key

    def _banned_around(self, network: Network) -> str:
        """A larger network that is banned and includes this one, as operators write it; empty if
        there is none."""
        bits = int(network.network_address)
        for (version, length), bans in self._bans.items():
            if version == network.version and length < network.prefixlen:
                stored = bans.get(bits >> (network.max_prefixlen - length))
                if stored is not None and not self._expired(stored):
                    return stored.key
        return ""

    def _parsed(self, text: str) -> Network:
        network = parse_network(text)
        if network is None:
            raise BadRequest(
                f"{text} is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32"
            )
        return network

    def _all(self) -> list[Stored[AddressBan]]:
        return [stored for bans in self._bans.values() for stored in bans.values()]

    def _expired(self, stored: Stored[AddressBan]) -> bool:
        until = stored.record.until
        return until is not None and until <= self._context.now()

    def _at(self, network: Network) -> Stored[AddressBan] | None:
        group, prefix = _place(network)
        return self._bans.get(group, {}).get(prefix)

    def _set(self, stored: Stored[AddressBan]) -> None:
        network = parse_network(stored.key)
        assert network is not None
        group, prefix = _place(network)
        self._bans.setdefault(group, {})[prefix] = stored

    async def _remove_expired(self) -> None:
        for stored in self._all():
            if self._expired(stored):
                await self._remove(stored)

    async def _remove(self, stored: Stored[AddressBan]) -> None:
        # It may have been replaced by another ban meanwhile.
        with suppress(Conflict):
            await self._context.documents.write([changes.delete(stored)])
        self._discard(stored)

    def _discard(self, stored: Stored[AddressBan]) -> None:
        network = parse_network(stored.key)
        assert network is not None
        if self._at(network) is stored:
            group, prefix = _place(network)
            del self._bans[group][prefix]
            if not self._bans[group]:
                del self._bans[group]


def _place(network: Network) -> tuple[tuple[int, int], int]:
    """The version and length of a network's prefix, and the prefix as a number."""
    prefix = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return (network.version, network.prefixlen), prefix


def _is_in(address: Address | None, network: Network) -> bool:
    return address is not None and address.version == network.version and address in network
