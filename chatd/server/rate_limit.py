"""Slowing down and giving up: a connection's allowance of commands, and deadlines by the
thousand."""

from __future__ import annotations


class TokenBucket:
    """A token bucket: `rate` commands a second on average, `burst` at once."""

    __slots__ = ("_burst", "_left", "_rate", "_since")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._since = now

    def spend(self, commands: float, now: float) -> float:
        """Count commands, and say how many seconds to wait before the next: 0 while within the
        allowance."""
        left = min(self._burst, self._left + (now - self._since) * self._rate) - commands
        self._left = left
        self._since = now
        return -left / self._rate if left < 0 else 0.0
