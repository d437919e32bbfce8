"""Deadlines: one time limit for many connections, with one timer for all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")


class Deadlines(Generic[T]):
    """One time limit for many things, with one timer for all of them; what comes first goes first.

    `expired` is called with each thing whose `seconds` have passed since it was added or last
    touched.
    """

    def __init__(self, clock: Any, seconds: float, expired: Callable[[T], None]) -> None:
        self._clock = IReactorTime(clock)
        self._seconds = seconds
        self._expired = expired
        self._since: OrderedDict[T, float] = OrderedDict()
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._since)

    def __contains__(self, thing: T) -> bool:
        return thing in self._since

    def touch(self, thing: T) -> None:
        """Begin, or begin again, to count for this."""
        self._since[thing] = self._clock.seconds()
        self._since.move_to_end(thing)
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._look)

    def discard(self, thing: T) -> None:
        """Stop counting for this, if that was done."""
        self._since.pop(thing, None)

    def oldest(self) -> T:
        """What has gone longest without being touched."""
        return next(iter(self._since))

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        while self._since:
            thing, since = next(iter(self._since.items()))
            if now - since < self._seconds:
                self._timer = self._clock.callLater(since + self._seconds - now, self._look)
                return
            del self._since[thing]
            self._expired(thing)

    def stop(self) -> None:
        """Forget everything."""
        self._since.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
