"""Delays between attempts to reconnect: exponential, bounded and randomised."""

from __future__ import annotations

import random as random_module

FIRST_DELAY = 0.5
"""seconds before the first attempt, at most"""
LONGEST_DELAY = 60.0
"""seconds before any attempt, at most"""

_MAX_DOUBLINGS = 16  # beyond that the delay is `LONGEST_DELAY` anyway


class Backoff:
    """Computes delays that double with each failure.

    Each delay is between half of its nominal value and the whole of it, at random, so that the
    clients of a server that was restarted do not reconnect at the same moment.
    """

    def __init__(self, random: random_module.Random) -> None:
        self._random = random
        self._failures = 0

    def next_delay(self) -> float:
        """Count a failure and return the seconds to wait before the next attempt."""
        nominal = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._failures, _MAX_DOUBLINGS))
        self._failures += 1
        return nominal * (0.5 + self._random.random() / 2)

    def reset(self) -> None:
        """Begin again with `FIRST_DELAY`, after a success."""
        self._failures = 0
