"""Restrictions in a room: rows for accounts that are banned from it or silenced in it, and for
patterns of names that are banned."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar, TypeAlias

import msgspec

from chatd.core.clocks import end_to_the_minute
from chatd.core.errors import BadRequest
from chatd.core.names import NAME_LENGTH, check_word
from chatd.realm.documents import Stored

FOR_EVER = 2**53 - 1
"""the end, in milliseconds since 1970, of a restriction that has none"""


class BanRecord(msgspec.Struct, frozen=True, array_like=True):
    """An account or a pattern of names that cannot join a room; the scope is the room's id, the key
    the account's name or the pattern.

    `account` is the account's id, 0 for a pattern; `by` is the name of the moderator. The ban was
    made at `time` and ends at `until` (milliseconds since 1970, UTC; `FOR_EVER`: it does not end).
    """

    document_kind: ClassVar[str] = "ban"

    account: int
    by: str
    time: int
    until: int
    reason: str = ""


class SilenceRecord(msgspec.Struct, frozen=True, array_like=True):
    """An account that cannot send to a room; the scope is the room's id, the key the account's
    name. The fields are those of `BanRecord`."""

    document_kind: ClassVar[str] = "silence"

    account: int
    by: str
    time: int
    until: int
    reason: str = ""


RestrictionRecord: TypeAlias = BanRecord | SilenceRecord


def shown_end(until: int) -> str:
    """An end in milliseconds since 1970 (UTC), as refusals have it: rounded up to the minute, with
    the time zone."""
    try:
        date = datetime.fromtimestamp(end_to_the_minute(until) / 1000, UTC)
    except (OverflowError, ValueError):
        return "a far date"
    return f"{date:%Y-%m-%d %H:%M} UTC"


def is_pattern(name: str) -> bool:
    """Whether a name stands for all names that match it."""
    return "*" in name or "?" in name


def check_pattern(pattern: str) -> None:
    """Raise `BadRequest` unless names can match a pattern."""
    plain = pattern.replace("*", "").replace("?", "")
    if len(pattern) > 2 * NAME_LENGTH or (plain and not check_word(plain)):
        raise BadRequest(
            "A pattern of names has letters, digits, dots, underscores, hyphens, * and ?,"
            f" and at most {2 * NAME_LENGTH} characters."
        )


def matches(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern, both in lower case.

    It takes at most as many steps as the product of their lengths, which are short, and no memory:
    an account that joins a room with a hundred patterns is compared with all of them. After a star,
    the leftmost match of what follows always suffices, so no other star is tried again.
    """
    at = place = retry = 0
    star = -1
    while at < len(name):
        char = pattern[place] if place < len(pattern) else ""
        if char == "*":
            star, retry = place, at
            place += 1
        elif char in (name[at], "?"):
            at += 1
            place += 1
        elif star >= 0:
            retry += 1
            at, place = retry, star + 1
        else:
            return False
    return not pattern[place:].strip("*")


def in_any_case(pattern: str) -> str:
    """The glob that names match which match `pattern` if the case is ignored."""
    return "".join(
        f"[{char.lower()}{char.upper()}]" if char.isalpha() else char for char in pattern
    )


def ban_of(
    rows: Iterable[Stored[BanRecord]], name: str, account: int, now: int
) -> BanRecord | None:
    """The ban in force that concerns an account, given by its name and id; None if there is
    none."""
    lower = name.lower()
    for row in rows:
        ban = row.record
        if ban.until <= now:
            continue
        if ban.account == account or (not ban.account and matches(row.key.lower(), lower)):
            return ban
    return None
