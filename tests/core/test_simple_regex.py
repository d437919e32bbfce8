"""The safe part of regular expressions, against Python's own."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import PatternInvalid
from chatd.core.simple_regex import matcher

_letters = st.sampled_from("abcA1._-")
_ranges = st.sampled_from(["a", "b", ".", "a-c", "A-Z", "0-9", "_", r"\]", r"\-", "^", "*", r"\."])
_sets = st.builds(
    lambda negated, members: f"[{'^' if negated else 'x'}{''.join(members)}]",
    st.booleans(),
    st.lists(_ranges, min_size=1, max_size=3),
)
_characters = st.one_of(
    _letters.map(re.escape), st.just("."), _sets, st.sampled_from([r"\.", r"\*", r"\["])
)
_quantifiers = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??"])
_patterns = st.lists(st.tuples(_characters, _quantifiers).map("".join), max_size=6).map("".join)
_names = st.text("abcA1._-x", max_size=8)


class Patterns(SynchronousTestCase):
    """Which names match."""

    @settings(derandomize=True, deadline=None, max_examples=2000)
    @given(_patterns, _names)
    def test_as_regular_expressions_do(self, pattern: str, name: str) -> None:
        """Every pattern of this kind matches the same whole names."""
        self.assertEqual(matcher(pattern)(name), re.fullmatch(pattern, name) is not None)

    def test_those_of_old(self) -> None:
        """What the tests of the old programs ask for."""
        names = ("mason", "wayne")
        for pattern, found in (
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
            self.assertEqual([name for name in names if matcher(pattern)(name)], found, pattern)

    def test_what_is_not_understood(self) -> None:
        """Is refused, and said."""
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

    @settings(derandomize=True, deadline=None, max_examples=1000)
    @given(st.text(r"ab.*+?[]^-\()", max_size=12), _names)
    def test_anything(self, pattern: str, name: str) -> None:
        """Any text is a pattern, and then one that Python knows too, or refused."""
        try:
            matches = matcher(pattern)
        except PatternInvalid:
            return
        self.assertEqual(matches(name), re.fullmatch(pattern, name) is not None)

    def test_nothing_blows_up(self) -> None:
        """The longest name and the worst pattern take as many steps as both have characters."""
        for pattern in (".*" * 128, "a?" * 128, ".*a" * 85, "[a-z]*?" * 36, "a*" * 127 + "b"):
            matcher(pattern)("a" * 32)
