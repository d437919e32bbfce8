"""Registrations of the last hour: how many accounts each address has created."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PERIOD = 3600.0
"""seconds for which an account that was created counts"""
_NETWORKS = 10_000
"""addresses that are remembered"""


class Registrations:
    """Counts accounts by the address from which they were created
    (`chatd.core.addresses.network_of`). `seconds` is a monotonic clock.

    Nothing is stored: the count begins again with the daemon.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._created: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, network: str) -> int:
        """The accounts that were created from an address in the last hour, or are being created."""
        times = self._created.get(network)
        if times is None:
            return 0
        while times and self._seconds() - times[0] >= PERIOD:
            times.popleft()
        return len(times)

    @contextmanager
    def creating(self, network: str) -> Iterator[None]:
        """Count an account that is being created, unless that fails."""
        now = self._seconds()
        times = self._created.setdefault(network, deque())
        self._created.move_to_end(network)
        if len(self._created) > _NETWORKS:
            self._created.popitem(last=False)
        times.append(now)
        try:
            yield
        except BaseException:
            if now in times:
                times.remove(now)
            raise
