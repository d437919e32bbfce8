"""What was written to a stream and may not have arrived: gRPC does not say what has."""

from __future__ import annotations

from collections import deque

_LONGEST_SPAN = 1.0
"""seconds between the first and the last write of what is noted together"""


class Unconfirmed:
    """Numbers in ascending order, and when they were written, in spans of consecutive numbers."""

    def __init__(self) -> None:
        # (first number, last number, time of the first write, time of the last one)
        self._spans: deque[tuple[int, int, float, float]] = deque()

    def add(self, number: int, now: float) -> None:
        """Note that a number was written just now."""
        spans = self._spans
        if spans:
            first, last, began, _ = spans[-1]
            if number == last + 1 and now - began < _LONGEST_SPAN:
                spans[-1] = first, number, began, now
                return
        spans.append((number, number, now, now))

    @property
    def oldest(self) -> float | None:
        """When the oldest span was written, None if there is none."""
        return self._spans[0][3] if self._spans else None

    def take(self, until: float) -> list[tuple[int, int]]:
        """Remove the spans that were written until a moment, and return their first and last
        numbers."""
        taken = []
        while self._spans and self._spans[0][3] <= until:
            first, last, _, _ = self._spans.popleft()
            taken.append((first, last))
        return taken
