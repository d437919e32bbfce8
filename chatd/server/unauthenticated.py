"""The connections that have not logged in: their deadline, and how many there may be.

An address has a share of them, so that one address cannot push the connections of others out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from chatd.core.addresses import LOCAL
from chatd.core.limits import Limits
from chatd.server.deadlines import Deadlines


class Counted(Protocol):
    """A connection as it is counted."""

    @property
    def network(self) -> str:
        """As what its client is counted (`chatd.core.addresses.network_of`). It may change: a
        proxy may send the client's address as the first bytes."""


T = TypeVar("T", bound=Counted)


class Unauthenticated(Deadlines[T]):
    """The connections that have not logged in, those that have been idle longest first.

    `expired` is called with one that was idle for `Limits.login_time`. `closed` is called with one
    and the name of a bound: when there are more than `most`, which is `Limits.unauthenticated` at
    first, with the one that was idle longest of those from the address that has most; when there
    are more of an address than `Limits.address_unauthenticated`, with that of this address. Clients
    on this machine count as one address, which has no bound of its own.
    """

    def __init__(
        self,
        clock: Any,
        limits: Limits,
        expired: Callable[[T], None],
        closed: Callable[[T, str], None],
    ) -> None:
        super().__init__(clock, limits.login_time, expired)
        self.most = limits.unauthenticated
        self.share = limits.address_unauthenticated
        """how many of them an address may have; None: any number"""
        self._closed = closed
        self._networks: dict[T, str] = {}
        self._shares: dict[str, OrderedDict[T, None]] = {}
        # The addresses by the number of their connections, and the greatest number.
        self._sizes: dict[int, OrderedDict[str, None]] = {}
        self._greatest = 0

    def touch(self, item: T) -> None:
        """The connection is not logged in, and not idle."""
        super().touch(item)
        network = item.network
        if self._networks.get(item) == network:
            share = self._shares[network]
            share.move_to_end(item)
            self._sizes[len(share)].move_to_end(network)
            return
        self._leave(item)
        self._join(item, network)
        own = len(self._shares[network])
        if self.share is not None and own > self.share and network != LOCAL:
            self._close(network, "address_unauthenticated")
        elif len(self) > self.most:
            self._close(next(iter(self._sizes[self._greatest])), "unauthenticated")

    def _close(self, network: str, bound: str) -> None:
        item = next(iter(self._shares[network]))
        self.discard(item)
        self._closed(item, bound)

    def discard(self, item: T) -> None:
        """See `Deadlines`."""
        super().discard(item)
        self._leave(item)

    def _join(self, item: T, network: str) -> None:
        self._networks[item] = network
        share = self._shares.setdefault(network, OrderedDict())
        share[item] = None
        self._resize(network, len(share) - 1, len(share))
        self._greatest = max(self._greatest, len(share))

    def _leave(self, item: T) -> None:
        network = self._networks.pop(item, None)
        if network is None:
            return
        share = self._shares[network]
        del share[item]
        self._resize(network, len(share) + 1, len(share))
        if not share:
            del self._shares[network]
        if self._greatest not in self._sizes:
            # A share changes by one at a time.
            self._greatest -= 1

    def _resize(self, network: str, former: int, size: int) -> None:
        if former:
            del self._sizes[former][network]
            if not self._sizes[former]:
                del self._sizes[former]
        if size:
            self._sizes.setdefault(size, OrderedDict())[network] = None

    def stop(self) -> None:
        """See `Deadlines`."""
        super().stop()
        for index in (self._networks, self._shares, self._sizes):
            index.clear()
        self._greatest = 0
