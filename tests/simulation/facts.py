"""Facts as clients know them: values that requests change, and when a value is certain.

A request takes effect at some moment between being sent and being answered. If its answer is lost,
it has taken effect or not. Moments are ticks, numbers that grow with everything that happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Change:
    """A request to change something.

    `settled` is the tick at which it has taken effect if it ever does, None while that is not
    known. `done` is whether it was carried out, None if that is not known.
    """

    sent: int
    settled: int | None = None
    done: bool | None = None
    refused: str = ""
    """the code of its refusal, if it was refused"""
    by: object = None
    """the reader that sent it, if it is a session"""

    def end(self, tick: int, done: bool | None) -> None:
        """The request has been answered, or its answer is lost (None)."""
        if self.settled is None:
            self.settled = tick
            self.done = done


@dataclass(eq=False)
class Fact:
    """One value and all requests that change it."""

    initial: Any
    writes: list[tuple[Any, Change]] = field(default_factory=list)

    def write(self, value: Any, change: Change) -> None:
        """A request that sets this value is sent."""
        self.writes.append((value, change))

    def surely(self, value: Any, start: int, end: int) -> bool:
        """Whether it is certain that the value was this one during all ticks from start to end."""
        anchors: Iterable[int] = [
            change.sent
            for written, change in self.writes
            if written == value
            and change.done
            and change.settled is not None
            and change.settled <= start
        ]
        if self.initial == value:
            anchors = [0, *anchors]
        return any(self._kept(value, anchor, end) for anchor in anchors)

    def _kept(self, value: Any, anchor: int, end: int) -> bool:
        """Whether no request that was under way after `anchor` can have set another value."""
        return all(
            written == value
            or change.done is False
            or (change.settled is not None and change.settled <= anchor)
            or change.sent > end
            for written, change in self.writes
        )

    def possible(self, start: int, end: int) -> list[Any]:
        """All values that it may have had between two ticks."""
        values = [] if self._replaced(0, start) else [self.initial]
        for value, change in self.writes:
            late = change.sent > end or change.done is False
            settled = end if change.settled is None else change.settled
            if not late and not self._replaced(settled, start) and value not in values:
                values.append(value)
        return values

    def _replaced(self, settled: int, start: int) -> bool:
        """Whether a value that was set until a tick has certainly been replaced before another."""
        return any(
            change.done
            and change.sent >= settled
            and change.settled is not None
            and change.settled <= start
            for _, change in self.writes
        )

    def surely_not(self, value: Any, start: int, end: int) -> bool:
        """Whether it is certain that the value was never this one from start to end."""
        return value not in self.possible(start, end)
