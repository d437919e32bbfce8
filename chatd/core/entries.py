"""The values everything else is about: the entry of a log, and a reader's cursor in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import ClassVar

import msgspec

TEXT = "text"
"""the kind of an entry that a person or a bot said"""
EDIT, DELETION, REACTION = "edit", "delete", "reaction"
"""kinds that say something about the entry whose id is `Entry.about`"""
JOIN, LEAVE, KICK, TOPIC, ACCESS, ROLE = "join", "leave", "kick", "topic", "access", "role"
"""kinds that tell what has happened in a room"""
INVITE = "invite"
"""the kind of an entry in an inbox that invites to a room"""
REPORT = "report"
"""the kind of an entry for the operators"""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One thing said, as its log keeps it: immutable.

    `seq` counts from 1 without gaps within the log; `id` is unique across the logs of a store and
    grows with time; `time` is milliseconds since 1970 (UTC); `sender` is an account's name; `about`
    is the id of the entry that this one refers to, 0 for none.
    """

    seq: int
    id: int
    time: int
    sender: str
    kind: str
    body: str
    about: int = 0


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """How far a reader is in a log: all up to `upto`, and some ranges acknowledged ahead of it.

    The idea is TCP's selective acknowledgement (RFC 2018): `ahead` holds ranges (first, last), both
    inclusive, in order, never touching each other or `upto`.
    """

    document_kind: ClassVar[str] = "cursor"
    """the kind of document that holds the cursor of a mailbox (`chatd.realm.documents`)"""

    upto: int = 0
    ahead: tuple[tuple[int, int], ...] = ()

    def acknowledge(self, first: int, last: int) -> Cursor:
        """This cursor with the seqs `first` to `last`, inclusive, acknowledged as well."""
        if not self.ahead and first <= self.upto + 1:
            return Cursor(last) if last > self.upto else self
        return _joined(self.upto, [*self.ahead, (first, last)])

    def union(self, other: Cursor) -> Cursor:
        """What this cursor or the other has acknowledged."""
        if other.upto <= self.upto and not other.ahead:
            return self
        return _joined(self.upto, [(1, other.upto), *self.ahead, *other.ahead])

    def without(self, seqs: Iterable[int]) -> Cursor:
        """This cursor with `seqs` waiting again: what was handed over has come back unread."""
        ranges = [(1, self.upto), *self.ahead]
        for seq in sorted(seqs):
            ranges = [
                part
                for first, last in ranges
                for part in (
                    ((first, seq - 1), (seq + 1, last))
                    if first <= seq <= last
                    else ((first, last),)
                )
            ]
        return _joined(0, ranges)

    def has(self, seq: int) -> bool:
        """Whether `seq` is acknowledged."""
        return seq <= self.upto or any(first <= seq <= last for first, last in self.ahead)

    def waiting(self, head: int) -> Iterator[tuple[int, int]]:
        """The ranges (first, last) up to `head` that are not acknowledged, oldest first."""
        edges = [(0, self.upto), *self.ahead, (head + 1, head + 1)]
        for (_, last), (first, _) in pairwise(edges):
            if last + 1 <= min(first - 1, head):
                yield last + 1, min(first - 1, head)


def _joined(upto: int, ranges: Iterable[tuple[int, int]]) -> Cursor:
    """The cursor with all up to `upto` and all of `ranges` acknowledged."""
    ahead: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if last < first:
            continue
        if first <= upto + 1:
            upto = max(upto, last)
        elif ahead and first <= ahead[-1][1] + 1:
            ahead[-1] = (ahead[-1][0], max(ahead[-1][1], last))
        else:
            ahead.append((first, last))
    return Cursor(upto, tuple(ahead))


def described(kind: str, body: str) -> str:
    """An entry as one text, for protocols that have nothing but texts."""
    match kind:
        case "text":
            return body
        case "edit":
            return f"[corrected] {body}"
        case "delete":
            return "[deleted a message]"
        case "reaction":
            return f"[reacted: {body}]" if body else "[took a reaction back]"
        case "invite":
            return f"[invites you to {body}]"
    return f"[{kind}] {body}".rstrip()
