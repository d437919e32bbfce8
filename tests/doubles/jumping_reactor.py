"""Timers of Twisted on a wall clock that jumps, made monotonic as the daemon does it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

from twisted.internet.base import ReactorBase

from chatd.core.clocks import use_monotonic_clock

JUMPS = (-15.0, 30.0, -30.0, -3600.0, 15.0, 3600.0)
"""seconds by which a wall clock is set"""


class WallClockReactor(ReactorBase):
    """A reactor without input or output. Like all of Twisted's, it begins with the wall clock."""

    def __init__(self) -> None:
        self.wall = 0.0
        """the wall clock, in seconds"""
        self.elapsed = 0.0
        """a monotonic clock, in seconds"""
        super().__init__()

    def installWaker(self) -> None:
        """See `ReactorBase`; no other thread uses this reactor."""

    def seconds(self) -> float:
        """See IReactorTime."""
        return self.wall

    def advance(self, seconds: float) -> None:
        """Let time pass, and make the calls that are due by then; as `Clock.advance`."""
        self.elapsed += seconds
        self.wall += seconds
        while self.timeout() == 0:
            self.runUntilCurrent()

    def pump(self, times: Iterable[float]) -> None:
        """See `Clock.pump`."""
        for seconds in times:
            self.advance(seconds)


class JumpingReactor(WallClockReactor):
    """A reactor with a monotonic clock, whose wall clock jumps whenever time passes."""

    def __init__(self) -> None:
        super().__init__()
        self._jumps = cycle(JUMPS)
        use_monotonic_clock(self, lambda: self.elapsed)

    def advance(self, seconds: float) -> None:
        """See `WallClockReactor`."""
        self.wall += next(self._jumps)
        super().advance(seconds)
        self.wall += next(self._jumps)
