"""Rows of bans, and patterns of names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import BadRequest
from chatd.core.glob import matcher
from chatd.realm.documents import Stored
from chatd.realm.restrictions import (
    BanRecord,
    ban_of,
    check_pattern,
    in_any_case,
    is_pattern,
    matches,
)

_NAMES = st.text("abAB.-_1", min_size=1, max_size=8)
_PATTERNS = st.text("abAB.-_1*?", min_size=1, max_size=8).filter(is_pattern)


def row(key: str, account: int = 0, until: int = 100) -> Stored[BanRecord]:
    """A ban as it is stored."""
    return Stored(key, BanRecord(account, "Ann", 0, until), 1, b"", "7")


class RestrictionTests(SynchronousTestCase):
    """Names, patterns, and rows."""

    def test_name_with_a_wildcard_is_a_pattern(self) -> None:
        """Names of accounts have none."""
        self.assertEqual([is_pattern(name) for name in ("a", "a*", "?", "[a]")], [0, 1, 1, 0])

    def test_patterns_that_no_name_can_match_are_refused(self) -> None:
        """So are those that are longer than any use."""
        for pattern in ("*", "?", "a.b-c_1*", "*" * 64):
            check_pattern(pattern)
        for pattern in ("a b*", "é*", "[ab]*", "@*", "*" * 65, "*\n"):
            self.assertRaises(BadRequest, check_pattern, pattern)

    @given(_NAMES, _PATTERNS)
    def test_pattern_matches_in_any_case(self, name: str, pattern: str) -> None:
        """The listing of members finds the same names as the look at one account."""
        found = matches(pattern.lower(), name.lower())
        self.assertEqual(found, matcher(pattern.lower())(name.lower()))
        self.assertEqual(found, matcher(in_any_case(pattern))(name))

    def test_ban_by_account_is_for_its_id(self) -> None:
        """A later account of the name is not banned."""
        rows = [row("bob", account=5)]
        self.assertIs(ban_of(rows, "Bob", 5, 0), rows[0].record)
        self.assertIsNone(ban_of(rows, "bob", 6, 0))

    def test_ban_by_pattern_is_for_every_matching_name(self) -> None:
        """Whatever its id is, until the ban ends."""
        rows = [row("B?b", until=50), row("bo*", until=100)]
        self.assertIs(ban_of(rows, "BOB", 6, 49), rows[0].record)
        self.assertIs(ban_of(rows, "BOB", 6, 50), rows[1].record)
        self.assertIsNone(ban_of(rows, "BOB", 6, 100))
        self.assertIsNone(ban_of(rows, "rob", 6, 0))
