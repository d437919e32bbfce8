"""What all commands have in common: arguments, numbers and confirmation."""

from __future__ import annotations

import builtins
import io
import sys

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from chatd.admin.commands.command import DaemonCommand, LocalCommand
from chatd.admin.connection import RequestRefused


class Example(LocalCommand):
    """A command with one required argument and one that has a default."""

    name = "example"
    longdesc = "An example."
    synopsis = "Usage: example NAME [PATTERN]"
    optFlags = [["yes", None, "Do not ask."]]
    optParameters = [["uses", "u", "1", "A number."]]
    arguments = {"name": None, "pattern": "*"}


class Terminal(io.StringIO):
    """A standard input at which a person can be asked."""

    def isatty(self) -> bool:
        """See `io.IOBase`."""
        return True


class CommandTests(SynchronousTestCase):
    """`Command`, by an example."""

    def parsed(self, *words: str) -> Example:
        """The command after parsing."""
        command = Example()
        command.parseOptions(words)
        return command

    def error(self, *words: str) -> str:
        """The sentence about a wrong command line."""
        return str(self.assertRaises(UsageError, self.parsed, *words))

    def test_arguments_are_stored_by_name(self) -> None:
        """An omitted one has its default."""
        command = self.parsed("ann", "b*")
        self.assertEqual((command["name"], command["pattern"]), ("ann", "b*"))
        self.assertEqual(self.parsed("ann")["pattern"], "*")

    def test_missing_and_unexpected_arguments_are_refused(self) -> None:
        """An empty argument counts as missing if it is required."""
        self.assertEqual(self.error(), "NAME is missing")
        self.assertEqual(self.error(""), "NAME is missing")
        self.assertEqual(self.error("a", "b", "c"), "unexpected argument: 'c'")

    def test_options_may_follow_arguments(self) -> None:
        """Long, short or abbreviated, but not after two hyphens."""
        for words in (
            ("ann", "--uses", "5", "--json"),
            ("--json", "ann", "--uses=5"),
            ("ann", "--us", "5", "--js"),
            ("ann", "-u", "5", "--json"),
            ("ann", "-u5", "--json"),
        ):
            command = self.parsed(*words)
            self.assertEqual((command["name"], command["uses"], command["json"]), ("ann", "5", 1))
        self.assertEqual(self.parsed("--", "ann", "--json")["pattern"], "--json")

    def test_value_that_looks_like_an_option_belongs_to_its_option(self) -> None:
        """This holds for each way of writing an option with a value."""
        for words in (
            ("ann", "--uses", "--json"),
            ("ann", "--uses=--json"),
            ("ann", "-u", "--json"),
        ):
            command = self.parsed(*words)
            self.assertEqual((command["uses"], command["json"]), ("--json", 0))

    def test_unknown_option_is_refused(self) -> None:
        """The sentence names it."""
        self.assertIn("--fast", self.error("ann", "--fast"))

    def test_number_has_up_to_15_ascii_digits(self) -> None:
        """Such a number fits into 64 bits."""
        self.assertEqual(self.parsed("ann", "--uses", "9" * 15).number("uses"), 10**15 - 1)
        for text in ("", "-1", "1.5", "many", "\u0663", "9" * 16):
            command = self.parsed("ann", f"--uses={text}")
            sentence = str(self.assertRaises(UsageError, command.number, "uses"))
            self.assertEqual(sentence, f"--uses: a number is expected, not {text!r}")

    def test_confirmation_is_asked_for_at_a_terminal(self) -> None:
        """Only yes confirms; the refusal tells that nothing was changed."""
        questions: list[str] = []
        answers: list[str] = []

        def answer(question: str) -> str:
            questions.append(question)
            return answers.pop()

        self.patch(sys, "stdin", Terminal())
        self.patch(builtins, "input", answer)
        for accepted in ("y", " YES "):
            answers.append(accepted)
            self.parsed("ann").confirm("Delete ann?")
        for refused in ("", "n", "no", "yess"):
            answers.append(refused)
            refusal = self.assertRaises(RequestRefused, self.parsed("ann").confirm, "Delete ann?")
            self.assertEqual(str(refusal), "cancelled; nothing was changed")
        self.assertEqual(set(questions), {"Delete ann? (yes/no) "})

    def test_confirmation_is_not_asked_for_with_yes(self) -> None:
        """There may be a terminal or none."""
        self.patch(builtins, "input", self.fail)
        for stream in (Terminal(), io.StringIO()):
            self.patch(sys, "stdin", stream)
            self.parsed("ann", "--yes").confirm("Delete ann?")

    def test_confirmation_without_a_terminal_requires_yes(self) -> None:
        """The next line of a script is not an answer."""
        self.patch(sys, "stdin", io.StringIO("yes\n"))
        error = self.assertRaises(UsageError, self.parsed("ann").confirm, "Delete ann?")
        self.assertEqual(str(error), "there is no terminal to ask at: give --yes")

    def test_command_must_define_what_it_does(self) -> None:
        """Commands with and without a daemon have the same rule."""
        for run, arguments in ((DaemonCommand.run, 3), (LocalCommand.run, 2)):
            self.assertRaises(NotImplementedError, run, *[None] * arguments)
