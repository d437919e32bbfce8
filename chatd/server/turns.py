"""Turns: connections with much to do go on one after another, a few milliseconds at a time.

However many of them there are, the sockets of all connections are looked at in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

TURN = 0.004
"""seconds after which other connections have their turn, if there is more to do"""


class Turns:
    """The connections that wait for their turn, in order. `clock` is the reactor."""

    def __init__(self, clock: Any) -> None:
        self._clock = IReactorTime(clock)
        self._waiting: deque[Callable[[], None]] = deque()
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, go_on: Callable[[], None]) -> None:
        """Have `go_on` called when it is its turn."""
        self._waiting.append(go_on)
        self._schedule()

    def over(self, began: float) -> bool:
        """Whether a turn that began at this time is over, or the clock has been set back."""
        return not 0.0 <= self._clock.seconds() - began < TURN

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._clock.callLater(0, self._next)

    def _next(self) -> None:
        """Give turns, until `TURN` seconds have passed."""
        self._scheduled = False
        began = self._clock.seconds()
        try:
            # Those that wait again have their next turn after all others.
            for _ in range(len(self._waiting)):
                self._waiting.popleft()()
                if self.over(began):
                    break
        finally:
            self._schedule()
