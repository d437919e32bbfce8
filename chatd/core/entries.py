"""Entries of logs, and cursors: what a consumer of a log has acknowledged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from unicodedata import category

import msgspec

TEXT = "text"
"""the kind of a message from an account"""
EDIT, DELETION, REACTION = "edit", "delete", "reaction"
"""kinds that refer to the entry whose id is `Entry.about`"""
JOIN, LEAVE, KICK, TOPIC, ACCESS, ROLE = "join", "leave", "kick", "topic", "access", "role"
HISTORY = "history"
SETTING = "setting"
BAN, UNBAN, SILENCE, UNSILENCE = "ban", "unban", "silence", "unsilence"
RESTORE = "restore"
"""kinds of events in a room"""
INVITE = "invite"
"""the kind of an entry in a mailbox that invites to a room"""
REPORT = "report"
"""the kind of a report to the operators"""
ERASED = "erased"
"""the kind of an entry whose text an operator has erased"""
OPERATION = "operation"
"""the kind of an entry about what an operator has done"""

_MAY_CONTROL = re.compile(r"[^\x20-\x7e\t\r\n]")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a log. Immutable.

    `seq` counts the entries of the log from 1, without gaps; `id` is unique among the logs of a
    store and increases with time; `time` is milliseconds since 1970 (UTC); `sender` is the name of
    an account; `about` is the id of the entry that this one refers to, 0 if none; `author` is the
    id of the sender's account, 0 if it was not stored.
    """

    seq: int
    id: int
    time: int
    sender: str
    kind: str
    body: str
    about: int = 0
    author: int = 0


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """What has been acknowledged in a log: every seq up to `upto`, and ranges ahead of it.

    As in TCP's selective acknowledgement (RFC 2018), `ahead` has ranges (first, last), both
    inclusive, in order; no range is adjacent to another or to `upto`.
    """

    upto: int = 0
    ahead: tuple[tuple[int, int], ...] = ()

    def acknowledge(self, first: int, last: int) -> Cursor:
        """This cursor with the seqs `first` to `last`, inclusive, acknowledged, too."""
        if not self.ahead and first <= self.upto + 1:
            return Cursor(last) if last > self.upto else self
        return _joined(self.upto, [*self.ahead, (first, last)])

    def union(self, other: Cursor) -> Cursor:
        """The cursor with every seq that this one or the other has acknowledged."""
        if other.upto <= self.upto and not other.ahead:
            return self
        return _joined(self.upto, [(1, other.upto), *self.ahead, *other.ahead])

    def has(self, seq: int) -> bool:
        """Whether `seq` is acknowledged."""
        return seq <= self.upto or any(first <= seq <= last for first, last in self.ahead)

    def passed(self, seq: int) -> int:
        """The greatest seq such that all seqs after `seq` up to it are acknowledged; `seq` itself
        if the next one is not."""
        if seq < self.upto:
            return self.upto
        for first, last in self.ahead:
            if first <= seq + 1 <= last:
                return last
        return seq

    def missing(self, first: int, last: int) -> tuple[int, int]:
        """The smallest range that has every seq from `first` to `last` that is not acknowledged;
        (first, first - 1) if there is none."""
        first = self.passed(first - 1) + 1
        for start, end in reversed(self.ahead):
            if start <= last <= end:
                last = start - 1
        return first, max(last, first - 1)

    def waiting(self, head: int) -> Iterator[tuple[int, int]]:
        """The ranges (first, last) up to `head` that are not acknowledged, oldest first."""
        edges = [(0, self.upto), *self.ahead, (head + 1, head + 1)]
        for (_, last), (first, _) in pairwise(edges):
            if last + 1 <= min(first - 1, head):
                yield last + 1, min(first - 1, head)


def _joined(upto: int, ranges: Iterable[tuple[int, int]]) -> Cursor:
    """The cursor with every seq up to `upto` and in `ranges` acknowledged."""
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


def ranges(seqs: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The ranges (first, last), both inclusive, that these seqs make up, in order."""
    first = last = 0
    for seq in sorted(seqs):
        if seq > last + 1 or not first:
            if first:
                yield first, last
            first = seq
        last = seq
    if first:
        yield first, last


def described(kind: str, body: str) -> str:
    """The text that stands for an entry in protocols that have only texts."""
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


def without_controls(text: str) -> str:
    """The text for clients that may print it as it is: terminals obey control and format characters
    (Unicode categories Cc, Cf, Cs, Zl and Zp), so each of them, except for line breaks and tabs,
    becomes ``?``."""
    return _MAY_CONTROL.sub(_uncontrolled, text)


def _uncontrolled(match: re.Match[str]) -> str:
    char = match[0]
    return "?" if category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
