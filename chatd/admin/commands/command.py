"""What all commands have in common: their options, arguments and confirmation."""

from __future__ import annotations

import getopt
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import ClassVar

from twisted.python import usage

import chatd
from chatd.admin.connection import Daemon, RequestRefused
from chatd.admin.output import Output, encodable
from chatd.config.option_types import seconds
from chatd.config.python_command import python_command
from chatd.core.printable import printable


class Command(usage.Options):
    """The options of a command: `name` on the command line, `longdesc` in the help."""

    name: ClassVar[str]
    longdesc: ClassVar[str]
    synopsis: ClassVar[str]
    optFlags = [["json", None, "Show JSON, one object per line."]]
    arguments: ClassVar[Mapping[str, str | None]] = {}
    """the arguments by name, in order, each with its default (None: it is required)"""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def opt_version(self) -> None:
        """Show the version and exit."""
        print(f"chatd {chatd.__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line. Unlike the parent's method, options may follow arguments."""
        try:
            pairs, arguments = getopt.gnu_getopt(list(options or ()), self.shortOpt, self.longOpt)
        except getopt.error as error:
            raise usage.UsageError(str(error)) from None
        with_value = {f"--{name[:-1]}" for name in self.longOpt if name.endswith("=")}
        with_value |= {f"-{letter}" for letter in re.findall("(.):", self.shortOpt)}
        words = [
            word
            for option, value in pairs
            for word in ((option, value) if option in with_value else (option,))
        ]
        super().parseOptions([*words, "--", *arguments])  # type: ignore[no-untyped-call]

    def parseArgs(self, *words: str) -> None:
        """Store each argument under its name."""
        if len(words) > len(self.arguments):
            raise usage.UsageError(f"unexpected argument: {words[len(self.arguments)]!r}")
        for position, (name, default) in enumerate(self.arguments.items()):
            word = words[position] if position < len(words) else default
            if not word and default is None:
                raise usage.UsageError(f"{name.upper()} is missing")
            self[name] = word

    def number(self, option: str, minimum: int = 0) -> int:
        """The value of an option as a number of up to 15 digits, `minimum` or more. Raises
        `usage.UsageError`."""
        text = self[option]
        digits = text.isascii() and text.isdigit() and len(text) <= 15
        if not digits or int(text) < minimum:
            expected = f"a number from {minimum}" if minimum else "a number"
            raise usage.UsageError(f"--{option}: {expected} is expected, not {text!r}")
        return int(text)

    def span(self, option: str) -> int | None:
        """The value of an option as a time in seconds, None if it is not given. Raises
        `usage.UsageError`."""
        if self[option] is None:
            return None
        try:
            return seconds(self[option])
        except ValueError as error:
            raise usage.UsageError(f"--{option}: {error}") from None

    def confirm(self, question: str) -> None:
        """Ask before something is deleted, unless --yes is given.

        Raises `RequestRefused` unless the answer is yes, and `usage.UsageError` where there is no
        terminal to ask at.
        """
        if self["yes"]:
            return
        if not sys.stdin.isatty():
            raise usage.UsageError("there is no terminal to ask at: give --yes")
        question = encodable(printable(question), sys.stdout)
        if input(f"{question} (yes/no) ").strip().lower() not in ("y", "yes"):
            raise RequestRefused("cancelled; nothing was changed")


class DaemonCommand(Command):
    """A command to a running daemon."""

    def typed(self, *words: str) -> str:
        """Another command to the same daemon, as the operator can type it."""
        given = [
            f"--{option} {shlex.quote(self.parent[option])}"
            for option in ("admin", "config")
            if self.parent is not None and self.parent[option] is not None
        ]
        return " ".join([python_command(), "-m chatd.admin", *given, *words])

    def run(self, daemon: Daemon, output: Output) -> None:
        """Ask the daemon and show its answer. Raises `RequestRefused`, `NoDaemon`."""
        raise NotImplementedError


class LocalCommand(Command):
    """A command that needs no daemon."""

    def run(self, output: Output) -> None:
        """Carry out the command and show the outcome. Raises `RequestRefused`."""
        raise NotImplementedError
