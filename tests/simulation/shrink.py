"""Shortening a history that breaks a promise to the steps that matter."""

from __future__ import annotations

import time

from tests.simulation.history import History
from tests.simulation.world import run


def shrink(history: History, kind: str, seconds: float = 20.0) -> History:
    """The history with as few steps as possible that still breaks the promise `kind`.

    Removes parts of it, halves first and single steps last (delta debugging), for at most so many
    seconds.
    """
    until = time.monotonic() + seconds
    numbers = _until_broken(history, kind)
    size = max(1, len(numbers) // 2)
    while numbers and time.monotonic() < until:
        removed = False
        at = 0
        while at < len(numbers) and time.monotonic() < until:
            rest = numbers[:at] + numbers[at + size :]
            if kind in run(history.only(set(rest))).kinds:
                numbers = rest
                removed = True
            else:
                at += size
        if size == 1 and not removed:
            break
        size = max(1, size // 2)
    return history.only(set(numbers))


def _until_broken(history: History, kind: str) -> list[int]:
    """The steps up to the one after which the promise is broken first, all if later ones matter."""
    last = -1
    for line in run(history).trace:
        _, _, event = line.strip().partition(" ")
        if event.startswith("["):
            last = int(event[1 : event.index("]")])
        elif event.startswith(f"VIOLATION {kind}:"):
            break
    numbers = [step.number for step in history.steps]
    beginning = [number for number in numbers if number <= last]
    return beginning if kind in run(history.only(set(beginning))).kinds else numbers
