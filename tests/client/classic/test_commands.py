"""The table of commands: menus, help, parsing, completion."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.classic import commands


class CommandTests(SynchronousTestCase):
    """What is printed from the table, and what is read with it."""

    def test_menus(self) -> None:
        """The lines of the old screen, to the letter."""
        self.assertEqual(commands.menu(False), "Commands: login, create_account, quit")
        self.assertEqual(
            commands.menu(True),
            "Commands: help (h), compose (c), list users (l), get messages (g), delete account (d),"
            " logout (q)",
        )

    def test_help_lists_every_command_and_fits(self) -> None:
        """Before and after logging in; 80 columns are enough."""
        for logged_in in (False, True):
            lines = commands.help_lines(logged_in)
            for command, line in zip(commands.usable(logged_in), lines, strict=True):
                self.assertIn(command.sentence, line)
                self.assertIn(command.usage, line)
                self.assertLessEqual(len(line), 80)

    def test_every_spelling(self) -> None:
        """A command is known by each of its words, and no word means two things at once."""
        for logged_in in (False, True):
            words = [word for command in commands.usable(logged_in) for word in command.words]
            self.assertEqual(len(words), len(set(words)))
            for command in commands.usable(logged_in):
                for word in command.words:
                    self.assertEqual(commands.parse(f" {word.upper()} ", logged_in), (command, ""))

    def test_arguments(self) -> None:
        """What follows a slash command is kept as it was typed."""
        self.assertEqual(
            commands.parse("/msg bob  hi \n there ", True), (commands.MESSAGE, "bob  hi \n there ")
        )
        self.assertEqual(commands.split("bob  hi \n there "), ("bob", " hi \n there "))
        self.assertEqual(commands.split(""), ("", ""))
        self.assertEqual(commands.parse("/list a*", True), (commands.LIST, "a*"))
        self.assertEqual(commands.parse("/get now", True), (None, ""))
        self.assertEqual(commands.parse("/nonsense", True), (None, ""))
        self.assertEqual(commands.parse("list of things", True), (None, ""))
