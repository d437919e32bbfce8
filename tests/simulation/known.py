"""Violations that stand: histories that are expected to break a promise, until that is repaired."""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """A short history that breaks a promise: the seed, the steps that matter, and what is wrong."""

    kind: str
    seed: int
    steps: str
    cause: str


KNOWN: tuple[Known, ...] = (
    Known(
        "refused:key-reused",
        500016,
        "19,30,31,60,61,62,117,135",
        "the keys of a deleted account bind a later account of its name",
    ),
    Known(
        "entry:changed",
        501927,
        "27,75,76,77,82,83,86,89,110",
        "an account whose deletion has failed stays without its mailbox",
    ),
    Known(
        "head:went-back",
        501927,
        "51,52,74,82,83,86,88,89,97",
        "an account whose deletion has failed stays without its mailbox",
    ),
    Known(
        "login:room-missing",
        500507,
        "36,38,39,41,42,48,49",
        "a room is deleted with its last member, although another account has just joined it",
    ),
    Known(
        "refused:done-nevertheless",
        500331,
        "14,28,29,81,85,86,87",
        "a room is created although the request is refused, because its session ended meanwhile",
    ),
    Known(
        "accepted:unknown-account",
        30616,
        "0,2,3,7,11,12,21,22,43,45,46,49",
        "DeleteAccount is answered and nothing is deleted, because its session ended meanwhile",
    ),
    Known(
        "refused:not-logged-in",
        500117,
        "47,48,50,51,52,54,56,57,58,59",
        "a refused LogOut has ended the session",
    ),
    Known(
        "left:realm.presence._away",
        500198,
        "64,65,74,92,112",
        "the away message of a deleted account stays",
    ),
    Known(
        "traceback:KeyError in _begin (chat10.py)",
        500192,
        "2,3,8,9,10,12,13,14,15,17",
        "CHAT/1.0 registers an account that is deleted meanwhile",
    ),
    Known(
        "operator:refused:unknown-account",
        500711,
        "0,6,10,12,22",
        "an operator is told that an account is unknown whose password was changed at that moment",
    ),
    Known(
        "accepted:blocked:delete",
        501604,
        "26,28,30,52,55,93,94",
        "Retract appends an entry to the mailbox of an account that blocks its sender",
    ),
    Known(
        "stop:timers:Deferred.callback",
        500005,
        "",
        "retention does not end with the daemon",
    ),
    Known(
        "unanswered:Leave",
        500000,
        "36,38,40,46,58,59",
        "when the wall clock is set back, timers and rate limits wait for it",
    ),
    Known(
        "traceback:CancelledError",
        500328,
        "61,65,69,70,71,72",
        "the daemon stops with an error if connections do not close in time",
    ),
    Known(
        "v1:refused:too-slow",
        501608,
        "0,2,3,4,5,8,18,20",
        "when the wall clock is set forwards or backwards, deadlines of connections pass",
    ),
)

EFFECTS: frozenset[str] = frozenset(
    (
        *(known.kind for known in KNOWN),
        "agree:history",
        "agree:logs",
        "file:history-without-room",
        "history:gap",
        "id:not-unique",
        "left:realm.sessions._mailboxes",
        "listing:deleted-account",
        "listing:deleted-room",
        "listing:member-missing",
        "listing:not-a-member",
        "listing:room-missing",
        "login:no-account",
        "login:not-a-member",
        "login:read-marker",
        "presence:deleted",
        "pushed:acknowledged",
        "pushed:gap",
        "pushed:not-all",
        "read:of-deleted",
        "refused:LogIn:password-required",
        "refused:Register:name-taken",
        "refused:Send:not-a-member",
        "since:not-unique",
    )
)
"""the kinds of violations that these causes have"""
