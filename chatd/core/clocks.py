"""The two clocks: the wall clock tells the time of day, a monotonic clock measures spans.

The wall clock can be set at any time, by an operator or a time service. Times that are stored or
shown are read from it, by `now`. Deadlines, rates, delays and timers follow `seconds` of a reactor,
which in Twisted is the wall clock too: set back, it stops all timers; set forward, all deadlines
pass. `use_monotonic_clock` ends that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def now() -> int:
    """The time by the wall clock, in milliseconds since 1970 (UTC). It can jump either way."""
    return int(time.time() * 1000)


def end_to_the_minute(time: int) -> int:
    """The end of a suspension, a ban or a silence as it is shown: rounded up to the minute, so that
    it is over by then. `time` and the result are milliseconds since 1970 (UTC)."""
    return -(-time // 60_000) * 60_000


def use_monotonic_clock(reactor: Any, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Let `seconds` of a reactor continue from its present value, and never jump again.

    `reactor` is a `twisted.internet.base.ReactorBase`, running or not; `monotonic` gives seconds. A
    reactor that has a clock of its own already is left alone, so a second call changes nothing.

    The reactor's timers are times on this clock (`ReactorBase.callLater`, `timeout` and
    `runUntilCurrent` read `self.seconds`, in every kind of reactor). That the clock continues keeps
    those valid that exist already, as it does times that others have noted.
    """
    if "seconds" in vars(reactor):
        return
    offset: float = reactor.seconds() - monotonic()

    def seconds() -> float:
        return monotonic() + offset

    reactor.seconds = seconds
    # A timer holds on to the clock that it was made with, and reads it when it is reset.
    for timer in reactor.getDelayedCalls():
        timer.seconds = seconds
