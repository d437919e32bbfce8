"""What was made in the last hour: accounts by each address, reports by each account."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PERIOD = 3600.0
"""seconds for which what was made counts"""
_MAKERS = 10_000
"""makers that are remembered"""


class LastHour:
    """Counts what was made by its maker: an address as it is counted
    (`chatd.core.addresses.network_of`), or the id of an account. `seconds` is a monotonic clock.

    Nothing is stored: the count begins again with the daemon.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._made: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, maker: str) -> int:
        """How much a maker has made in the last hour, or is making."""
        times = self._made.get(maker)
        if times is None:
            return 0
        while times and self._seconds() - times[0] >= PERIOD:
            times.popleft()
        return len(times)

    @contextmanager
    def making(self, maker: str) -> Iterator[None]:
        """Count what is being made, unless that fails."""
        now = self._seconds()
        times = self._made.setdefault(maker, deque())
        self._made.move_to_end(maker)
        if len(self._made) > _MAKERS:
            self._made.popitem(last=False)
        times.append(now)
        try:
            yield
        except BaseException:
            if now in times:
                times.remove(now)
            raise
