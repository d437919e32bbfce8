"""The operators' command line in this process: `run_command`, and a daemon without a socket."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from twisted.internet.testing import StringTransport
from twisted.logger import LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from chatd.admin import command_line
from chatd.admin.connection import Daemon
from chatd.daemon.log_level import LogFilter
from chatd.protocols.admin import connection
from chatd.protocols.admin.connection import AdminFactory, AdminProtocol
from chatd.realm.operations import Operations
from tests.doubles.realm import RealmHarness


class Completed(msgspec.Struct, frozen=True):
    """A command that has ended: its exit status and what it wrote."""

    status: int
    stdout: str
    stderr: str


class Input(io.StringIO):
    """Standard input, typed at a terminal or not."""

    def __init__(self, text: str, terminal: bool) -> None:
        super().__init__(text)
        self._terminal = terminal

    def isatty(self) -> bool:
        """See `io.IOBase.isatty`."""
        return self._terminal


def run_command(
    *words: str,
    cwd: str | Path,
    environment: Mapping[str, str] | None = None,
    typed: str = "",
    terminal: bool = False,
) -> Completed:
    """``python -m chatd.admin WORDS`` without a process of its own.

    Of chatd's environment variables it sees only those in `environment`.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHATD_")}
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        chdir(cwd),
        patch.dict(os.environ, {**inherited, **(environment or {})}, clear=True),
        patch.object(sys, "stdin", Input(typed, terminal)),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        try:
            status = command_line.main(words)
        except SystemExit as exit:
            status = int(exit.code or 0)
    return Completed(status, stdout.getvalue(), stderr.getvalue())


class LoopbackSocket:
    """A connected socket whose other end is the admin protocol of a realm."""

    def __init__(self, harness: RealmHarness, factory: AdminFactory) -> None:
        self._harness = harness
        self._transport = StringTransport()
        protocol: Any = factory.buildProtocol(None)
        protocol.makeConnection(self._transport)
        self._protocol: AdminProtocol = protocol

    def sendall(self, data: bytes) -> None:
        """Have the protocol take bytes, and the store finish its work."""
        self._protocol.dataReceived(data)
        self._harness.settle()

    def recv(self, size: int) -> bytes:
        """At most `size` bytes that the protocol has written."""
        data: bytes = self._transport.value()
        self._transport.clear()
        self._transport.write(data[size:])
        return data[:size]

    def close(self) -> None:
        """Disconnect."""
        self._protocol.connectionLost()


class CommandCase(SynchronousTestCase):
    """Commands to a daemon in this process. It has the open accounts Ann and bob."""

    def setUp(self) -> None:
        self.harness = RealmHarness()
        self.harness.register("Ann", "bob")
        self.harness.run(self.harness.realm.start())
        self.paths: list[str] = []
        """the sockets that were connected to"""
        log_level = LogFilter(LogPublisher())
        factory = AdminFactory(Operations(self.harness.realm, log_level=log_level))

        def connect(path: str) -> Daemon:
            self.paths.append(path)
            connection: Any = LoopbackSocket(self.harness, factory)
            return Daemon(connection, path)

        self.patch(command_line, "connect", connect)
        self.patch(connection, "is_permitted", lambda transport: True)

    def password(self, name: str) -> str | None:
        """The stored hash of an account's password."""
        _, account = self.harness.run(self.harness.realm.accounts.account(name))
        password: str | None = account.password
        return password

    def command(self, *words: str, typed: str = "", terminal: bool = False) -> Completed:
        """See `run_command`."""
        return run_command(*words, cwd=".", typed=typed, terminal=terminal)

    def output(self, *words: str, typed: str = "", terminal: bool = False) -> str:
        """What a command that is carried out shows."""
        completed = self.command(*words, typed=typed, terminal=terminal)
        self.assertEqual((completed.status, completed.stderr), (0, ""))
        return completed.stdout

    def json(self, *words: str) -> list[Any]:
        """The objects that a command shows with --json."""
        return [msgspec.json.decode(line) for line in self.output(*words, "--json").splitlines()]

    def failed(self, status: int, *words: str, typed: str = "", terminal: bool = False) -> str:
        """The one line on standard error of a command that is not carried out."""
        completed = self.command(*words, typed=typed, terminal=terminal)
        self.assertEqual(completed.status, status, completed.stderr)
        self.assertEqual(len(completed.stderr.splitlines()), 1, completed.stderr)
        self.assertTrue(completed.stderr.startswith("chatd.admin: "), completed.stderr)
        return completed.stderr
