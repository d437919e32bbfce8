"""Violations that stand: histories that are expected to break a promise, until that is repaired.

A cause explains a violation only if the kind is one of its kinds, and if the same history without
its triggers does not have it: each group of `triggers` is left out in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.simulation.faults import CLOCK_FAULT
from tests.simulation.history import History
from tests.simulation.world import run

Groups = tuple[tuple[str, ...], ...]

DELETIONS = ("delete-account", "delete")
ENDING = ("reset-password", "change-password", "end-sessions")
STORE_FAULTS = (
    "disk-fails",
    "disk-does-not-sync",
    "daemon-dies-in-commit",
    "daemon-is-killed",
    "machine-stops",
)


CLOCK = "timers and rate limits follow the wall clock when it is set"
"""the cause of whatever happens only if the clock jumps"""


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


KNOWN: tuple[Known, ...] = (
    Known(
        "refused:key-reused",
        302400227,
        "61,63,65,86,126,128,149,155,157,197",
        "the keys of a deleted account bind a later account of its name",
        (DELETIONS,),
    ),
    Known(
        "head:went-back",
        701321,
        "160,167,175,178",
        "a deletion of an account that fails, or in which the daemon dies, is done in parts",
        (DELETIONS, STORE_FAULTS),
        (
            "entry:changed",
            "since:not-unique",
            "login:no-account",
            "login:read-marker",
            "pushed:not-all",
            "pushed:again",
            "pushed:gap",
            "pushed:acknowledged",
            "history:gap",
            "read:of-deleted",
            "agree:history",
            "agree:logs",
            "key:other-answer",
            "left:realm.sessions._mailboxes",
            "backup:message-missing",
            "file:mailbox-without-account",
            "backup:file:mailbox-without-account",
        ),
    ),
    Known(
        "refused:done-nevertheless",
        500205,
        "3,5,8,9,10,11,13,15,18,19,22,23,26,27,28,29,30,31,32,33,34,35,38,39,40,41,44",
        "a room is joined although the request is refused, because its session ended meanwhile",
        (("create-room", "join"),),
    ),
    Known(
        "listing:deleted-account",
        183,
        "21,52,175,176,177,180",
        "DeleteAccount is answered and nothing is deleted, because its session ended meanwhile",
        (("delete-account",),),
        (
            "accepted:unknown-account",
            "login:no-account",
            "presence:deleted",
            "since:not-unique",
            "refused:Register:name-taken",
            "refused:LogIn:password-required",
            "refused:LogIn:wrong-password",
            "login:wrong-password",
            "login:not-a-member",
            "listing:not-a-member",
            "listing:not-blocked",
            "backup:deleted-account",
            "read:of-deleted",
        ),
    ),
    Known(
        "refused:not-logged-in",
        500031,
        "72,80,81,82,98,99",
        "a refused LogOut has ended the session",
        (("log-out",),),
    ),
    Known(
        "left:realm.presence._away",
        500294,
        "29,31,32,33,34,35,36,37,54,55,56",
        "the end of a deleted account's sessions is not noticed: its away message stays, and its"
        " watchers are not notified",
        (DELETIONS,),
        ("presence:stale",),
    ),
    Known(
        "traceback:KeyError in _begin (chat10.py)",
        500029,
        "4,5,6,7,12,13,14,15,18,19,28,29,34,35,36,37,44,45,46,47,48,49,50,51,52,53,54,55,60,61,62,63",
        "CHAT/1.0 registers an account that is deleted, or whose sessions are ended, meanwhile",
        ((*DELETIONS, *ENDING),),
    ),
    Known(
        "operator:refused:unknown-account",
        500115,
        "0,1,2,4,5,10,11,12,13,14,16,17,18,19,21",
        "an operator is told that an account is unknown whose password was changed at that moment",
        (("reset-password",),),
    ),
    Known(
        "accepted:blocked:delete",
        802373,
        "79,84,85,93,120,122,136",
        "Retract appends an entry to the mailbox of an account that blocks its sender",
        (("block",), ("retract",)),
    ),
    Known(
        "stop:timers:Deferred.callback",
        500001,
        "",
        "retention does not end with the daemon",
        (("--retain",),),
    ),
    Known(
        "read:refused",
        500061,
        "27,28,29,30,32,34,39,40,41,56,57",
        "a message that was refused because fsync failed is stored if the daemon is killed then",
        (("disk-does-not-sync",), STORE_FAULTS[2:]),
    ),
    Known(
        "traceback:CancelledError",
        200148,
        "39,40,41,42,43,72,73,74,75,76",
        "the daemon stops with an error if connections do not close in time",
        ((CLOCK_FAULT, "disk-is-slow"),),
    ),
    Known(
        "unanswered:Register",
        200148,
        "39,40,41,42,43,72,73,74,75,76",
        CLOCK,
        ((CLOCK_FAULT,),),
    ),
    Known(
        "work:too-long",
        600041,
        "76",
        "a read of thousands of requests is carried out in one turn of the reactor",
        (("flood",),),
    ),
)


class Explanations:
    """Finds the known causes of what is wrong in one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._without: dict[tuple[str, ...], Sequence[str]] = {}

    def cause(self, kind: str) -> str:
        """The known cause of a kind of violation, empty if there is none."""
        if self._needs(kind, (CLOCK_FAULT,)):
            return CLOCK
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
