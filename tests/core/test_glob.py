"""Globs: their meaning, and the bound on their cost."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from random import Random
from types import FrameType

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.glob import first_place, is_past, matcher

TRICKY = "ab[]!-*?."
PARTS = ("*", "?", "a", "b", "ab", "[ab]", "[!a]", "[a-b]", "**")
MOST = 2_000_000
"""the number of steps after which a test fails"""


def text(random: Random, parts: Sequence[str], longest: int) -> str:
    """At most `longest` of these parts."""
    return "".join(random.choices(parts, k=random.randint(0, longest)))


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

    def check(self, pattern: str, *names: str) -> int:
        """Compare with fnmatch. Returns how many of the names match."""
        matches = matcher(pattern)
        expected = [fnmatchcase(name, pattern) for name in names]
        self.assertEqual([matches(name) for name in names], expected, f"{pattern!r}, {names}")
        return sum(expected)

    def test_any_pattern_matches_as_fnmatch(self) -> None:
        """With the characters that are special in a pattern. One of the names is the pattern with
        its wildcards replaced, which often matches."""
        for pattern, name in (
            ("[!]a]", "b"),
            ("[]-a]", "_"),
            ("[a", "[a"),
            ("[!", "[!"),
            ("[b-a]", "a"),
            ("[a-]", "-"),
            ("[--0]", "."),
            ("*[", "ab["),
        ):
            self.check(pattern, name)
        random = Random(1)
        matched = 0
        for _ in range(3000):
            pattern = text(random, TRICKY, 9)
            replaced = [text(random, TRICKY, 2) if each in "*?" else each for each in pattern]
            matched += self.check(pattern, text(random, TRICKY, 7), "".join(replaced))
        self.assertGreater(matched, 1000)

    def test_many_stars_match_as_fnmatch(self) -> None:
        """Many stars and few letters: the leftmost match suffices."""
        random = Random(1)
        matched = 0
        for _ in range(1000):
            names = (text(random, "ab", 12), text(random, "ab", 6))
            matched += self.check(text(random, PARTS, 8), *names)
        self.assertGreater(matched, 300)

    def test_match_is_case_sensitive(self) -> None:
        """A pattern matches the name as it was first written."""
        self.assertFalse(matcher("ann*")("Annabel"))
        self.assertTrue(matcher("[Aa]nn*")("Annabel"))

    def test_question_mark_matches_one_character(self) -> None:
        """One character, not one byte."""
        self.assertTrue(matcher("?*[é-ü]")("日本ö"))
        self.assertFalse(matcher("??")("日"))


class Order(SynchronousTestCase):
    """Where the names that match stand in an alphabetical list."""

    def test_matches_stand_between_the_first_place_and_the_end(self) -> None:
        """Whatever the case of their letters is, and after whatever name one asks for them."""
        random = Random(1)
        letters = "aAbB-_.09z"
        names = sorted({text(random, letters, 4) for _ in range(900)} - {""}, key=str.lower)
        shortened = 0
        for _ in range(500):
            pattern = text(random, ("*", "?", "[aB]", "[", *letters, "é"), 4)
            after = random.choice(("", "é", *names))
            first = first_place(pattern, after)
            rest = [name for name in names if name.lower() > first.lower()]
            past = [is_past(pattern, name) for name in rest]
            end = past.index(True) if True in past else len(rest)
            expected = [name for name in names if name.lower() > after.lower()]
            matches = matcher(pattern)
            self.assertEqual(
                list(filter(matches, rest[:end])), list(filter(matches, expected)), (pattern, after)
            )
            shortened += end < len(expected)
        self.assertGreater(shortened, 200)


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

    def test_sets_and_question_marks_take_no_steps_of_their_own(self) -> None:
        """The library matches them, so a name takes the same few calls whatever the pattern is."""
        for pattern in (
            "*[ab]" * 50 + "*[bc]",
            "*?a" * 80 + "*b",
            "*[ab][ab][ab][bc]" * 14 + "*",
            "*?" * 127 + "b*",
            "*[" + "c-d" * 70 + "]*",
        ):
            matched, entered = steps(pattern, "a" * 10_000)
            self.assertFalse(matched, pattern)
            self.assertLess(entered, 40, pattern)
