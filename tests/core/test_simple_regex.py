"""Simple regular expressions, compared with the module re of Python."""

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
    """Which names match, at which cost."""

    @settings(derandomize=True, deadline=None, max_examples=2000)
    @given(_patterns, _names)
    def test_any_pattern_of_the_subset_matches_as_re(self, pattern: str, name: str) -> None:
        """The same complete names match."""
        self.assertEqual(matcher(pattern)(name), re.fullmatch(pattern, name) is not None)

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

    @settings(derandomize=True, deadline=None, max_examples=1000)
    @given(st.text(r"ab.*+?[]^-\()", max_size=12), _names)
    def test_any_text_matches_as_re_or_is_refused(self, pattern: str, name: str) -> None:
        """A pattern that is accepted is valid for Python, too."""
        try:
            matches = matcher(pattern)
        except PatternInvalid:
            return
        self.assertEqual(matches(name), re.fullmatch(pattern, name) is not None)

    def test_cost_is_bounded_by_the_lengths(self) -> None:
        """The longest name and the worst patterns."""
        for pattern in (".*" * 128, "a?" * 128, ".*a" * 85, "[a-z]*?" * 36, "a*" * 127 + "b"):
            matcher(pattern)("a" * 32)
