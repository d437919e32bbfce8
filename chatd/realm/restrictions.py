"""Restrictions in a room: rows for accounts that are banned from it or silenced in it, and for
patterns of names that are banned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import ClassVar, TypeAlias

import msgspec

from chatd.core.errors import BadRequest
from chatd.core.glob import matcher
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


@lru_cache(maxsize=4096)
def name_matcher(pattern: str) -> Callable[[str], bool]:
    """A function that returns whether a name in lower case matches a pattern, whose case is
    ignored. It takes linear time (`chatd.core.glob`)."""
    return matcher(pattern.lower())


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
        if ban.account == account or (not ban.account and name_matcher(row.key)(lower)):
            return ban
    return None
