"""The work that the daemon does in one turn of the reactor, counted instead of timed.

A time would differ from machine to machine. What is counted are the calls of functions, in Python
and in C, that the profiler of the standard library sees, and the bytes and calls at the kernel.
"""

from __future__ import annotations

from cProfile import Profile
from time import perf_counter

_CALL_COST = 0.17e-6
"""seconds of processor time for a call with what it does itself: the mean of six turns of the
daemon that took 20 to 40 ms (0.12 to 0.24 microseconds a call, 105,000 to 300,000 calls)"""
_SYSTEM_CALL_COST, _BYTE_COST = 10e-6, 20e-9
"""estimates for a read or a write of the kernel, and for a byte that is copied by them"""
_SUSPICIOUS = 0.002
"""calls are added up only for turns that take so many seconds: shorter ones are far from the limit
on any machine"""


class Work:
    """The work of the turn under way. If `counts` is false, it counts bytes only."""

    def __init__(self, counts: bool = True) -> None:
        self._counts = counts
        self._profile = Profile(builtins=True, subcalls=False)
        self._bytes = self._system_calls = 0
        self._elapsed = 0.0
        self._began = 0.0
        self._depth = 0

    def begin_turn(self) -> None:
        """A turn of the reactor begins."""
        self._bytes = self._system_calls = 0
        if self._elapsed:
            self._elapsed = 0.0
            self._profile.clear()

    def begin(self) -> None:
        """The daemon's own code begins."""
        self._depth += 1
        if self._counts and self._depth == 1:
            self._began = perf_counter()
            self._profile.enable()

    def end(self) -> None:
        """The daemon's own code ends."""
        self._depth -= 1
        if self._counts and self._depth == 0:
            self._profile.disable()
            self._elapsed += perf_counter() - self._began

    def transfer(self, size: int) -> None:
        """So many bytes were read or written."""
        self._system_calls += 1
        self._bytes += size

    @property
    def seconds(self) -> float:
        """The work of this turn, in seconds of processor time."""
        calls = 0
        if self._elapsed > _SUSPICIOUS:
            calls = sum(entry.callcount for entry in self._profile.getstats())
        return (
            calls * _CALL_COST + self._system_calls * _SYSTEM_CALL_COST + self._bytes * _BYTE_COST
        )
