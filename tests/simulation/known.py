"""Violations that stand: histories that are expected to break a promise, until that is repaired.
Then the history is listed in `REPAIRED`, and must break no promise any more.

A cause explains a violation only if the kind is one of its kinds, and if the same history without
its triggers does not have it: each group of `triggers` is left out in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.simulation.history import History
from tests.simulation.world import run

Groups = tuple[tuple[str, ...], ...]


class Known(NamedTuple):
    """What is wrong in the daemon, and a short history that shows it: its seed and the steps.

    `kind` is the violation of that history, `kinds` are patterns (fnmatch) of others that the same
    cause has. `triggers` are groups of operations, faults and options of the daemon: without any
    one group, the violation does not happen.
    """

    kind: str
    seed: int
    steps: str
    cause: str
    triggers: Groups
    kinds: tuple[str, ...] = ()

    def has(self, kind: str) -> bool:
        """Whether a violation may have this cause."""
        return any(fnmatchcase(kind, pattern) for pattern in (self.kind, *self.kinds))


KNOWN: tuple[Known, ...] = ()

REPAIRED: tuple[tuple[int, str], ...] = (
    # The keys of a deleted account bound a later account of its name.
    (302400227, "61,63,65,86,126,128,149,155,157,197"),
    # The deletion of an account that failed, or in which the daemon died, was done in parts.
    (701321, "160,167,175,178"),
    # A room was joined although the request was refused, because its session ended meanwhile.
    (
        500205,
        "3,5,8,9,10,11,13,15,18,19,22,23,26,27,28,29,30,31,32,33,34,35,38,39,40,41,44",
    ),
    # DeleteAccount was answered and nothing was deleted, because its session ended meanwhile.
    (183, "21,52,175,176,177,180"),
    # A refused LogOut had ended the session.
    (500031, "72,80,81,82,98,99"),
    # The end of a deleted account's sessions was not noticed: its away message stayed.
    (500294, "29,31,32,33,34,35,36,37,54,55,56"),
    # CHAT/1.0 registered an account that was deleted, or whose sessions were ended, meanwhile.
    (
        500029,
        "4,5,6,7,12,13,14,15,18,19,28,29,34,35,36,37,44,45,46,47,48,49,50,51,52,53,54,55,60,61,62,63",
    ),
    # An operator was told that an account is unknown whose password was changed at that moment.
    (500115, "0,1,2,4,5,10,11,12,13,14,16,17,18,19,21"),
    # A read of thousands of requests was carried out in one turn of the reactor.
    (600041, "76"),
    # When the wall clock was set back, timers and rate limits waited for it.
    (200148, "39,40,41,42,43,72,73,74,75,76"),
    # A message that was refused because fsync failed was stored when the daemon was killed then.
    (500061, "27,28,29,30,32,34,39,40,41,56,57"),
    # Retention did not end with the daemon.
    (500001, ""),
    # A store whose write-ahead log could not be begun worked without one, and lost a change.
    (999168325, "0,2,3,4,7"),
    # After a full disk and two crashes, the store was refused with its own write-ahead log.
    (
        60179871,
        "67,68,69,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,115,116,117,118,127,128,129,130",
    ),
)
"""seeds and steps of histories that have broken a promise, when they were found, with the usual
sizes: operations and faults that were added since change what a seed means"""


class Explanations:
    """Finds the known causes of what is wrong in one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._without: dict[tuple[str, ...], Sequence[str]] = {}

    def cause(self, kind: str) -> str:
        """The known cause of a kind of violation, empty if there is none."""
        for known in KNOWN:
            if known.has(kind) and all(self._needs(kind, group) for group in known.triggers):
                return known.cause
        return ""

    def _needs(self, kind: str, group: tuple[str, ...]) -> bool:
        """Whether the violation does not happen without a group of triggers."""
        if group not in self._without:
            history = self._history.without(*group)
            unchanged = history == self._history
            self._without[group] = ("*",) if unchanged else run(history).kinds
        kinds = self._without[group]
        return kind not in kinds and "*" not in kinds
