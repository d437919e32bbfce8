"""Globs: their meaning, and the bound on their cost."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from types import FrameType

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.glob import matcher

TRICKY = "ab[]!-*?."
MOST = 2_000_000
"""the number of steps after which a test fails"""


def steps(pattern: str, name: str) -> tuple[bool, int]:
    """Whether the name matches, and the number of functions entered and generators resumed."""
    entered = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal entered
        entered += event in ("call", "c_call")
        if entered > MOST:
            raise AssertionError(f"{pattern!r} takes more than {MOST} steps")

    matches = matcher(pattern)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        result = matches(name)
    finally:
        sys.setprofile(before)
    return result, entered


class Meaning(SynchronousTestCase):
    """Globs, compared with fnmatch."""

    @settings(derandomize=True, deadline=None, max_examples=3000)
    @given(st.text(TRICKY, max_size=9), st.text(TRICKY, max_size=7))
    @example("[!]a]", "b")
    @example("[]-a]", "_")
    @example("[a", "[a")
    @example("[!", "[!")
    @example("[b-a]", "a")
    @example("[a-]", "-")
    @example("[--0]", ".")
    @example("*[", "ab[")
    def test_any_pattern_matches_as_fnmatch(self, pattern: str, name: str) -> None:
        """With the characters that are special in a pattern."""
        self.assertEqual(matcher(pattern)(name), fnmatchcase(name, pattern))

    @settings(derandomize=True, deadline=None, max_examples=1000)
    @given(
        st.lists(
            st.sampled_from(["*", "?", "a", "b", "ab", "[ab]", "[!a]", "[a-b]", "**"]), max_size=8
        ),
        st.text("ab", max_size=12),
    )
    def test_many_stars_match_as_fnmatch(self, parts: list[str], name: str) -> None:
        """Many stars and few letters: the leftmost match suffices."""
        pattern = "".join(parts)
        self.assertEqual(matcher(pattern)(name), fnmatchcase(name, pattern))

    def test_match_is_case_sensitive(self) -> None:
        """A pattern matches the name as it was first written."""
        self.assertFalse(matcher("ann*")("Annabel"))
        self.assertTrue(matcher("[Aa]nn*")("Annabel"))

    def test_question_mark_matches_one_character(self) -> None:
        """One character, not one byte."""
        self.assertTrue(matcher("?*[é-ü]")("日本ö"))
        self.assertFalse(matcher("??")("日"))


class Work(SynchronousTestCase):
    """The cost of patterns that make backtracking matchers slow."""

    def test_cost_of_many_stars(self) -> None:
        """At most proportional to the length of the pattern."""
        for pattern in (
            "*" * 254 + "b*",
            "*a" * 126 + "*b*",
            "a*" * 127 + "b*",
            "*aab*" * 50,
            "*a" * 127 + "*b",
            "*" * 256,
        ):
            matched, entered = steps(pattern, "a" * 10_000)
            self.assertEqual(matched, pattern == "*" * 256)
            self.assertLess(entered, 4 * len(pattern), pattern)

    def test_cost_of_many_stars_between_sets(self) -> None:
        """At most the length of the name times that of the pattern."""
        name = "a" * 1000
        for pattern in (
            "*[ab]" * 50 + "*[bc]",
            "*?a" * 80 + "*b",
            "*[ab][ab][ab][bc]" * 14 + "*",
            "*?" * 127 + "b*",
        ):
            matched, entered = steps(pattern, name)
            self.assertFalse(matched, pattern)
            self.assertLess(entered, 4 * len(name) * len(pattern), pattern)

    def test_cost_grows_linearly_with_the_name(self) -> None:
        """A name twice as long takes twice as many steps."""
        pattern = "*[ab][ab][bc]" * 10 + "*"
        _, once = steps(pattern, "a" * 1000)
        _, twice = steps(pattern, "a" * 2000)
        self.assertLess(twice, 2.1 * once)
