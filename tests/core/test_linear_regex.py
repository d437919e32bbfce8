"""The expressions that patterns are translated into."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import PatternInvalid
from chatd.core.linear_regex import ANY, character_set, literal, matcher


class Expressions(SynchronousTestCase):
    """What stands for a character, and for a set."""

    def test_every_character_can_be_literal(self) -> None:
        """Those that are special in an expression, and those that are no text, too."""
        for char in "a.*[]\\^$()|\0\n\x7fé日\U0010ffff":
            self.assertTrue(matcher(literal(char))(char), repr(char))
            self.assertFalse(matcher(literal(char))("b"), repr(char))
        self.assertFalse(matcher(literal("\ud800"))("b"))

    def test_set_has_the_characters_of_its_ranges(self) -> None:
        """A range in the wrong order has none; without members a set matches nothing."""
        for ranges, negated, matching in (
            ([("a", "c"), ("x", "x")], False, "abcx"),
            ([("a", "c"), ("x", "x")], True, "dé\n"),
            ([("z", "a")], False, ""),
            ([("z", "a")], True, "abcdxé\n"),
        ):
            matches = matcher(character_set(ranges, negated))
            self.assertEqual("".join(filter(matches, "abcdxé\n")), matching)

    def test_any_is_one_character(self) -> None:
        """Whatever it is, and however many bytes it has."""
        for text, matching in (("", False), ("\n", True), ("日", True), ("ab", False)):
            self.assertEqual(matcher(ANY)(text), matching, repr(text))

    def test_expression_that_takes_too_much_memory_is_refused(self) -> None:
        """The limit is on what it is compiled to, not on its length."""
        self.assertRaises(PatternInvalid, matcher, f"{ANY}{{1000}}" * 20)
        self.assertTrue(matcher(f"{ANY}{{100}}")("a" * 100))
