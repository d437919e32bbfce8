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
        """As what its client is counted (`chatd.core.addresses.network_of`)."""


T = TypeVar("T", bound=Counted)


class Unauthenticated(Deadlines[T]):
    """The connections that have not logged in, those that have been idle longest first.

    `expired` is called with one that was idle for `Limits.login_time`. When there are more than
    `most`, which is `Limits.unauthenticated` at first, or more of an address than
    `Limits.address_unauthenticated`, `closed` is called with the one that has been idle longest, of
    all or of that address, and with the name of the bound. Clients on this machine have no bound of
    their own.
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
        self._share = limits.address_unauthenticated
        self._closed = closed
        self._shares: dict[str, OrderedDict[T, None]] = {}

    def touch(self, item: T) -> None:
        """The connection is not logged in, and not idle."""
        known = item in self
        super().touch(item)
        network = item.network
        share = self._shares.get(network)
        if share is None:
            share = self._shares[network] = OrderedDict()
        share[item] = None
        if known:
            share.move_to_end(item)
            return
        if self._share is not None and len(share) > self._share and network != LOCAL:
            self._close(next(iter(share)), "address_unauthenticated")
        elif len(self) > self.most:
            self._close(self.oldest(), "unauthenticated")

    def _close(self, item: T, bound: str) -> None:
        self.discard(item)
        self._closed(item, bound)

    def discard(self, item: T) -> None:
        """See `Deadlines`."""
        super().discard(item)
        self._removed(item)

    def _removed(self, item: T) -> None:
        share = self._shares.get(item.network)
        if share is not None:
            share.pop(item, None)
            if not share:
                del self._shares[item.network]

    def stop(self) -> None:
        """See `Deadlines`."""
        super().stop()
        self._shares.clear()
