"""Parsing of the arguments of commands."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.commands.arguments import (
    UsageProblem,
    WrongArguments,
    leading_number,
    leading_room,
    name_and_room,
    no_arguments,
    room_or_target,
    single_word,
    split_word,
)


class ArgumentsTests(SynchronousTestCase):
    """Each function."""

    def test_split_word_leaves_the_rest_as_it_was_typed(self) -> None:
        """The rest begins after one space or line break."""
        for text, parts in (
            ("", ("", "")),
            ("  ", ("", "")),
            ("bob", ("bob", "")),
            ("  bob hi", ("bob", "hi")),
            ("bob  hi ", ("bob", " hi ")),
            ("bob\none\ntwo", ("bob", "one\ntwo")),
        ):
            self.assertEqual(split_word(text), parts, text)

    def test_single_word_refuses_none_and_several(self) -> None:
        """Spaces around the word do not count."""
        self.assertEqual(single_word(" bob "), "bob")
        for text in ("", " ", "a b"):
            self.assertRaises(WrongArguments, single_word, text)

    def test_leading_room_is_split_off(self) -> None:
        """Without one, it is the target, which must be a room then."""
        for text, target, parts in (
            ("#den bob  x", "bob", ("#den", "bob  x")),
            ("#den", "#lobby", ("#den", "")),
            ("bob #den", "#lobby", ("#lobby", "bob #den")),
            ("", "#lobby", ("#lobby", "")),
        ):
            self.assertEqual(leading_room(text, target), parts, text)
        self.assertRaises(UsageProblem, leading_room, "bob #den", "bob")

    def test_no_arguments_accepts_spaces_only(self) -> None:
        """Anything else is refused."""
        no_arguments("")
        no_arguments(" \n")
        self.assertRaises(WrongArguments, no_arguments, "x")

    def test_leading_number_is_from_1_to_1000(self) -> None:
        """A word that is not a number in ASCII digits belongs to the text."""
        for text, parts in (
            ("2 x", (2, "x")),
            ("1000", (1000, "")),
            ("x 2", (7, "x 2")),
            ("", (7, "")),
            ("-1 x", (7, "-1 x")),
            ("2. x", (7, "2. x")),
            ("\u0663 x", (7, "\u0663 x")),
        ):
            self.assertEqual(leading_number(text, 7), parts, text)
        for text in ("0 x", "1001", "9" * 5000):
            self.assertRaises(WrongArguments, leading_number, text, 7)

    def test_name_stands_before_the_room(self) -> None:
        """A room in its place is an error of usage; without a room, the target is meant."""
        self.assertEqual(name_and_room("bob #a", "#b"), ("bob", "#a"))
        self.assertEqual(name_and_room("bob", "#b"), ("bob", "#b"))
        for text in ("", "#a", "bob ann", "bob #a #b"):
            self.assertRaises(WrongArguments, name_and_room, text, "#b")

    def test_room_is_the_argument_or_the_target(self) -> None:
        """A wrong argument is an error of usage; the error for no target names an example."""
        self.assertEqual(room_or_target("#a", "#b"), "#a")
        self.assertEqual(room_or_target(" ", "#b"), "#b")
        for text, target in (("bob", "#b"), ("#a #b", "#b")):
            self.assertRaises(WrongArguments, room_or_target, text, target)
        for target in ("", "bob"):
            problem = self.assertRaises(UsageProblem, room_or_target, "", target)
            self.assertNotIsInstance(problem, WrongArguments)
            self.assertIn("#lobby", str(problem))
