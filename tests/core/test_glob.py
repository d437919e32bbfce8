"""Patterns mean what they mean in a shell, and no pattern costs more than it should."""

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
"""steps after which a pattern is given up"""


def steps(pattern: str, name: str) -> tuple[bool, int]:
    """Whether the name matches, and how many functions were entered (or generators resumed) to
    tell."""
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
        found = matches(name)
    finally:
        sys.setprofile(before)
    return found, entered


class Meaning(SynchronousTestCase):
    """Against Python's own fnmatch."""

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
    def test_as_fnmatch(self, pattern: str, name: str) -> None:
        """Whatever somebody types, it finds what fnmatch would find."""
        self.assertEqual(matcher(pattern)(name), fnmatchcase(name, pattern))

    @settings(derandomize=True, deadline=None, max_examples=1000)
    @given(
        st.lists(
            st.sampled_from(["*", "?", "a", "b", "ab", "[ab]", "[!a]", "[a-b]", "**"]), max_size=8
        ),
        st.text("ab", max_size=12),
    )
    def test_as_fnmatch_when_much_could_match(self, parts: list[str], name: str) -> None:
        """Many stars over few letters: the leftmost place is always good enough."""
        pattern = "".join(parts)
        self.assertEqual(matcher(pattern)(name), fnmatchcase(name, pattern))

    def test_case_counts(self) -> None:
        """A pattern is about the name as it was first written."""
        self.assertFalse(matcher("ann*")("Annabel"))
        self.assertTrue(matcher("[Aa]nn*")("Annabel"))

    def test_all_of_unicode(self) -> None:
        """A question mark stands for one character, not for one byte."""
        self.assertTrue(matcher("?*[é-ü]")("日本ö"))
        self.assertFalse(matcher("??")("日"))


class Work(SynchronousTestCase):
    """Patterns made to blow up."""

    def test_many_stars(self) -> None:
        """A pattern of nothing but stars and a letter is as cheap to match as to read."""
        for pattern in (
            "*" * 254 + "b*",
            "*a" * 126 + "*b*",
            "a*" * 127 + "b*",
            "*aab*" * 50,
            "*a" * 127 + "*b",
            "*" * 256,
        ):
            found, entered = steps(pattern, "a" * 10_000)
            self.assertEqual(found, pattern == "*" * 256)
            self.assertLess(entered, 4 * len(pattern), pattern)

    def test_many_stars_between_sets(self) -> None:
        """With sets between the stars it is at most the name's length times the pattern's."""
        name = "a" * 1000
        for pattern in (
            "*[ab]" * 50 + "*[bc]",
            "*?a" * 80 + "*b",
            "*[ab][ab][ab][bc]" * 14 + "*",
            "*?" * 127 + "b*",
        ):
            found, entered = steps(pattern, name)
            self.assertFalse(found, pattern)
            self.assertLess(entered, 4 * len(name) * len(pattern), pattern)

    def test_twice_the_name_twice_the_work(self) -> None:
        """The cost grows with the name, not with its square."""
        pattern = "*[ab][ab][bc]" * 10 + "*"
        _, once = steps(pattern, "a" * 1000)
        _, twice = steps(pattern, "a" * 2000)
        self.assertLess(twice, 2.1 * once)
