"""The command line: help, mistakes, the daemon's socket, and exit statuses."""

from __future__ import annotations

import io
import os
import socket
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.admin import command_line
from chatd.admin.command_line import INTERRUPTED, NO_DAEMON, REFUSED, WRONG_USAGE
from chatd.admin.commands import COMMANDS
from chatd.admin.commands.command import DaemonCommand, LocalCommand
from chatd.admin.connection import Daemon
from tests.doubles.admin import CommandCase, run_command
from tests.doubles.folders import folder


class WithoutDaemon(SynchronousTestCase):
    """Command lines that need no daemon, or find none."""

    def setUp(self) -> None:
        self.folder = folder(self)

    def failed(self, status: int, *words: str, **environment: str) -> str:
        """The one line on standard error of a command that is not carried out."""
        completed = run_command(*words, cwd=self.folder, environment=environment)
        self.assertEqual((completed.status, completed.stdout), (status, ""), completed.stderr)
        self.assertEqual(len(completed.stderr.splitlines()), 1, completed.stderr)
        self.assertTrue(completed.stderr.startswith("chatd.admin: "), completed.stderr)
        return completed.stderr

    def test_help_lists_every_command(self) -> None:
        """Each command has a help of its own, with its options."""
        text = run_command("--help", cwd=self.folder)
        self.assertEqual((text.status, text.stderr), (0, ""))
        for name in (
            *("users", "sessions", "end-sessions", "reset-password", "certificate", "delete"),
            *("rooms", "delete-room", "reports", "invite", "invites", "revoke", "stats"),
            *("backup", "make-cert"),
        ):
            self.assertIn(f" {name} ", text.stdout)
            own = run_command(name, "--help", cwd=self.folder)
            self.assertEqual(own.status, 0)
            self.assertIn(f" {name} ", own.stdout.splitlines()[0])
            self.assertIn("--json", own.stdout)
        self.assertNotIn(" kick ", text.stdout)

    def test_version_is_printed(self) -> None:
        """It is that of the program, even after the name of a command."""
        for words in (["--version"], ["stats", "--version"]):
            completed = run_command(*words, cwd=self.folder)
            self.assertEqual(completed.status, 0)
            self.assertRegex(completed.stdout, r"\Achatd \d")

    def test_mistakes_are_wrong_usage(self) -> None:
        """Each error names the help of its command."""
        for words, text in (
            ([], "a command is missing: users, "),
            (["fly"], "fly"),
            (["kick", "ann"], "kick"),
            (["end-sessions"], "NAME is missing"),
            (["end-sessions", ""], "NAME is missing"),
            (["users", "a", "b"], "unexpected argument: 'b'"),
            (["stats", "--fast"], "--fast"),
            (["--admin"], "--admin"),
            (["--config", "missing", "stats"], "missing cannot be read"),
            (["backup"], "PATH is missing"),
            (["revoke", ""], "TOKEN is missing"),
            (["ban"], "ADDRESS is missing"),
            (["reports", "close"], "SEQ is missing"),
            (["token"], "create, list or revoke is expected"),
            (["token", "make"], "create, list or revoke is expected, not 'make'"),
            (["token", "list"], "NAME is missing"),
            (["invite", "--uses", "many"], "--uses: a number from 1 is expected, not 'many'"),
            (["reports", "--after", "-1"], "--after: a number is expected"),
            (["reports", "--after", "9" * 16], "--after: a number is expected"),
            (["--admin", "none", "stats"], "no admin socket"),
        ):
            sentence = self.failed(WRONG_USAGE, *words)
            self.assertIn(text, sentence)
            self.assertIn("--help", sentence)
        for words, help_of in ((["fly"], ""), (["ban"], "ban "), (["token", "list"], "token ")):
            sentence = self.failed(WRONG_USAGE, *words)
            self.assertTrue(sentence.endswith(f"-m chatd.admin {help_of}--help)\n"), sentence)

    def test_argument_that_is_not_text_is_wrong_usage(self) -> None:
        """Bytes that are not UTF-8 arrive as surrogates, which a request cannot have."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.join(self.folder, "socket"))
            listening.listen()
            self.failed(WRONG_USAGE, "--admin", "socket", "delete", "--yes", "\udcff")

    def test_missing_daemon_has_its_own_status(self) -> None:
        """The sentence names the path at which it was expected."""
        self.assertIn("chatd.db.admin", self.failed(NO_DAEMON, "users"))
        self.assertIn(
            str(Path("/nowhere/socket")),
            self.failed(NO_DAEMON, "--admin", "/nowhere/socket", "users"),
        )
        self.assertIn("no such file", self.failed(NO_DAEMON, "users"))
        self.failed(NO_DAEMON, "--admin", "x" * 200, "users")

    def test_every_command_is_carried_out_in_one_way(self) -> None:
        """A daemon carries it out, or no daemon is needed."""
        for command in COMMANDS:
            self.assertNotEqual(
                issubclass(command, DaemonCommand), issubclass(command, LocalCommand)
            )


class WithDaemon(CommandCase):
    """Command lines that need a daemon."""

    def test_the_socket_is_found_as_the_daemon_finds_it(self) -> None:
        """The command line wins over the environment, the environment over the file."""
        place = folder(self)
        Path(place, "chatd.toml").write_text("store = 'sqlite:mine.db'\n")
        for words, environment, path in (
            ([], {}, "chatd.db.admin"),
            (["--config", "chatd.toml"], {}, "mine.db.admin"),
            ([], {"CHATD_CONFIG": "chatd.toml"}, "mine.db.admin"),
            ([], {"CHATD_STORE": "sqlite:mine.db"}, "mine.db.admin"),
            ([], {"CHATD_ADMIN": "socket"}, "socket"),
            (["--admin", "other"], {"CHATD_ADMIN": "socket"}, "other"),
        ):
            completed = run_command(*words, "stats", cwd=place, environment=environment)
            self.assertEqual(completed.status, 0, completed.stderr)
            self.assertEqual(self.paths.pop(), path)

    def test_options_may_follow_arguments(self) -> None:
        """They may have values, and may be abbreviated."""
        self.output("delete", "ann", "--yes")
        self.output("reset-password", "bob", "--op")
        self.assertEqual([user["name"] for user in self.json("users", "*")], ["bob"])
        self.failed(WRONG_USAGE, "users", "--", "--json", "more")

    def test_other_programs_that_listen_are_recognized(self) -> None:
        """One of them sends something else, and one disconnects."""
        for data, status in ((b"220 hello\n", REFUSED), (b"", NO_DAEMON)):
            ours, theirs = socket.socketpair()
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            self.patch(command_line, "connect", lambda path, ours=ours: Daemon(ours, path))
            self.failed(status, "stats")
            theirs.close()

    def test_interruption_has_its_own_status(self) -> None:
        """Ctrl-C and the end of input at a question have the same status."""

        def interrupted(path: str) -> Any:
            raise KeyboardInterrupt()

        self.failed(INTERRUPTED, "delete", "ann", terminal=True)
        self.patch(command_line, "connect", interrupted)
        self.failed(INTERRUPTED, "stats")

    def test_closed_input_is_empty(self) -> None:
        """What is asked for is missing then."""
        self.patch(sys, "stdin", None)
        for words, text in (
            (["reset-password", "ann"], "the password is empty"),
            (["delete", "ann"], "give --yes"),
        ):
            errors = io.StringIO()
            with redirect_stderr(errors):
                self.assertEqual(command_line.main(words), WRONG_USAGE)
            self.assertIn(text, errors.getvalue())

    def test_nothing_is_done_without_an_output(self) -> None:
        """An invite token would be lost, for example."""
        errors = io.StringIO()
        self.patch(sys, "stdout", None)
        with redirect_stderr(errors):
            self.assertEqual(command_line.main(["invite"]), WRONG_USAGE)
        self.assertIn("standard output is closed", errors.getvalue())
        self.assertEqual(self.paths, [])

    def test_full_device_is_an_error(self) -> None:
        """The command has been carried out; the sentence has the reason of the system."""
        errors = io.StringIO()
        for words in (["stats"], ["--help"], ["stats", "--version"]):
            with open("/dev/full", "w") as full, redirect_stderr(errors):
                self.patch(sys, "stdout", full)
                self.assertEqual(command_line.main(words), REFUSED)
                self.assertTrue(os.path.samestat(os.fstat(full.fileno()), os.stat(os.devnull)))
        self.assertEqual(errors.getvalue().count("No space left on device"), 3)

    def test_a_reader_that_closes_the_output_is_no_error(self) -> None:
        """The output may be a pipe to head(1), for example."""
        for words in (["stats"], ["stats", "--help"]):
            read, write = os.pipe()
            os.close(read)
            with open(write, "w") as closed:
                self.patch(sys, "stdout", closed)
                self.assertEqual(command_line.main(words), 0)
                self.assertTrue(os.path.samestat(os.fstat(closed.fileno()), os.stat(os.devnull)))
