"""Deadlines: one time limit for many connections, with one timer for all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")


class Deadlines(Generic[T]):
    """One time limit for many items, in the order in which they expire, with a single timer.

    `expired` is called with each item for which `seconds` have passed since it was last touched.
    """

    def __init__(self, clock: Any, seconds: float, expired: Callable[[T], None]) -> None:
        self._clock = IReactorTime(clock)
        self._seconds = seconds
        self._expired = expired
        self._touched: OrderedDict[T, float] = OrderedDict()
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._touched)

    def __contains__(self, item: T) -> bool:
        return item in self._touched

    def touch(self, item: T) -> None:
        """Start the deadline of an item, or start it again."""
        self._touched[item] = self._clock.seconds()
        self._touched.move_to_end(item)
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._expire)

    def discard(self, item: T) -> None:
        """Cancel the deadline of an item, if it has one."""
        self._touched.pop(item, None)

    def oldest(self) -> T:
        """Return the item whose deadline is next."""
        return next(iter(self._touched))

    def _expire(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        while self._touched:
            item, touched = next(iter(self._touched.items()))
            # The same sum decides and is waited for: rounding must not let a timer be due at once.
            due = touched + self._seconds
            if now < due:
                if self._timer is not None:
                    # `expired` has started the deadline of its item again.
                    self._timer.cancel()
                self._timer = self._clock.callLater(due - now, self._expire)
                return
            self.discard(item)
            self._expired(item)

    def stop(self) -> None:
        """Cancel all deadlines."""
        self._touched.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
