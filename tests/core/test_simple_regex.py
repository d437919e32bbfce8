"""Simple regular expressions, compared with the module re of Python."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import partial
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import PatternInvalid
from chatd.core.simple_regex import matcher
from tests.doubles.steps import count_steps

NAME = "abcA1._-x"
"""the characters of names"""
_MEMBERS = ("a", "b", ".", "a-c", "A-Z", "0-9", "_", r"\]", r"\-", "^", "*", r"\.")
_QUANTIFIERS = ("", "", "", "*", "+", "?", "*?", "+?", "??")


def text(random: Random, parts: Sequence[str], longest: int) -> str:
    """At most `longest` of these parts."""
    return "".join(random.choices(parts, k=random.randint(0, longest)))


def character(random: Random) -> str:
    """A pattern of one character."""
    match random.randrange(4):
        case 0:
            return re.escape(random.choice("abcA1._-"))
        case 1:
            return "."
        case 2:
            members = random.choices(_MEMBERS, k=random.randint(1, 3))
            return f"[{random.choice('^x')}{''.join(members)}]"
        case _:
            return random.choice((r"\.", r"\*", r"\["))


def any_pattern(random: Random) -> str:
    """A pattern of the subset."""
    count = random.randint(0, 6)
    return "".join(character(random) + random.choice(_QUANTIFIERS) for _ in range(count))


class Patterns(SynchronousTestCase):
    """Which names match, at which cost."""

    def test_any_pattern_of_the_subset_matches_as_re(self) -> None:
        """The same complete names match."""
        random = Random(1)
        matched = 0
        for _ in range(2000):
            pattern = any_pattern(random)
            matches, compiled = matcher(pattern), re.compile(pattern)
            for name in (text(random, NAME, 8), *(text(random, NAME, 4) for _ in range(4))):
                expected = compiled.fullmatch(name) is not None
                self.assertEqual(matches(name), expected, f"{pattern!r}, {name!r}")
                matched += expected
        self.assertGreater(matched, 500)

    def test_patterns_of_the_original_programs(self) -> None:
        """The patterns in the tests of the original programs."""
        names = ("mason", "wayne")
        for pattern, matching in (
            ("m.son", ["mason"]),
            ("w.yne", ["wayne"]),
            (".+?", ["mason", "wayne"]),
            (".*", ["mason", "wayne"]),
            ("mas", []),
            ("", []),
            ("[mw]a.*", ["mason", "wayne"]),
            ("[^m].*", ["wayne"]),
            ("Mason", []),
        ):
            self.assertEqual([name for name in names if matcher(pattern)(name)], matching, pattern)

    def test_pattern_outside_the_subset_is_refused(self) -> None:
        """The sentence names the character."""
        for pattern in (
            *(
                "(a+)+$",
                "([",
                "(.+)+x",
                "a|b",
                "a{2}",
                "^a",
                "a$",
                "*",
                "+a",
                "a**",
                "a+*",
                "a*+",
                "a???",
            ),
            *("[", "[]", "[^]", "[a", "[z-a]", "\\", r"\d", r"[\w]", r"a\1", "[a\\", "a)"),
        ):
            refused = self.assertRaises(PatternInvalid, matcher, pattern)
            self.assertIn("pattern not understood", str(refused))

    def test_any_text_matches_as_re_or_is_refused(self) -> None:
        """A pattern that is accepted is valid for Python, too."""
        random = Random(1)
        accepted = 0
        for _ in range(2000):
            pattern = text(random, r"ab.*+?[]^-\()", 12)
            try:
                matches = matcher(pattern)
            except PatternInvalid:
                continue
            accepted += 1
            with warnings.catch_warnings():
                # "[[" may mean something else in a later Python.
                warnings.simplefilter("ignore", FutureWarning)
                compiled = re.compile(pattern)
            for name in (text(random, NAME, 8), text(random, "ab", 4)):
                expected = compiled.fullmatch(name) is not None
                self.assertEqual(matches(name), expected, f"{pattern!r}, {name!r}")
        self.assertGreater(accepted, 100)

    def test_a_name_takes_the_same_few_steps_whatever_the_pattern_is(self) -> None:
        """The library matches it: a pattern of 251 characters is no attack."""
        name = "a" * 32
        for pattern in (".*" * 125 + "b", "a?" * 128, ".*a" * 85, "[a-z]*?" * 36, "a*" * 127 + "b"):
            matches = matcher(pattern)
            self.assertLess(count_steps(partial(matches, name)), 20, pattern)

    def test_pattern_that_takes_too_much_memory_is_refused(self) -> None:
        """However long a pattern may be, its expression is bounded."""
        refused = self.assertRaises(PatternInvalid, matcher, ".?" * 50_000)
        self.assertIn("pattern not understood", str(refused))
        self.assertTrue(matcher(".?" * 128)("a" * 32))
