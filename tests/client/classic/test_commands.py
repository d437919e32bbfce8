"""The table of commands: menus, help, parsing. Completion is tested in `test_chat`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.classic import commands


class CommandTests(SynchronousTestCase):
    """Texts printed from the table, and lines parsed with it."""

    def test_menus_are_those_of_the_old_client(self) -> None:
        """Scripts of the old client compare them byte for byte."""
        self.assertEqual(commands.menu(False), "Commands: login, create_account, quit")
        self.assertEqual(
            commands.menu(True),
            "Commands: help (h), compose (c), list users (l), get messages (g), delete account (d),"
            " logout (q)",
        )

    def test_help_lists_every_command_and_fits(self) -> None:
        """This holds before and after logging in; a line has at most 80 columns."""
        for logged_in in (False, True):
            lines = commands.help_lines(logged_in)
            for command, line in zip(commands.usable(logged_in), lines, strict=True):
                self.assertIn(command.sentence, line)
                self.assertIn(command.usage, line)
                self.assertLessEqual(len(line), 80)

    def test_every_form_of_a_command_is_parsed(self) -> None:
        """Case and blanks around it do not count; each form belongs to one usable command."""
        for logged_in in (False, True):
            words = [word for command in commands.usable(logged_in) for word in command.words]
            self.assertEqual(len(words), len(set(words)))
            for command in commands.usable(logged_in):
                for word in command.words:
                    self.assertEqual(commands.parse(f" {word.upper()} ", logged_in), (command, ""))

    def test_arguments_are_unchanged(self) -> None:
        """Blanks and line breaks in them are preserved; other lines are not commands."""
        self.assertEqual(
            commands.parse("/msg bob  hi \n there ", True), (commands.MESSAGE, "bob  hi \n there ")
        )
        self.assertEqual(commands.split("bob  hi \n there "), ("bob", " hi \n there "))
        self.assertEqual(commands.split(""), ("", ""))
        self.assertEqual(commands.parse("/list a*", True), (commands.LIST, "a*"))
        self.assertEqual(commands.parse("/get now", True), (None, ""))
        self.assertEqual(commands.parse("/nonsense", True), (None, ""))
        self.assertEqual(commands.parse("list of things", True), (None, ""))
