"""The daemon and the client as processes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import termios
from subprocess import PIPE, CompletedProcess

import pexpect
import pexpect.fdpexpect
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemon_process import Daemon
from tests.doubles.folders import folder
from tests.doubles.program import Program, environment, run
from tests.doubles.terminal_emulator import TerminalEmulator

PATIENCE = 30
"""seconds that one wait for a client may take"""


class ClientCase(SynchronousTestCase):
    """A daemon for each test, and clients that connect to it."""

    protocol = "1"

    def setUp(self) -> None:
        self.folder = folder(self)
        self.environment = environment({"TERM": "xterm"})
        self.environment.pop("NO_COLOR", None)
        self.start_daemon()

    def start_daemon(self, *more: str, port: str = "0", store: str = "memory") -> None:
        """Start a daemon, on a free port by default."""
        options = ["--port", port, "--store", store, *more]
        command = ["twistd", "-n", "--pidfile=", "chatd", *options]
        self.daemon = Daemon(self, "", cwd=self.folder, command=command)
        self.url = f"chat://127.0.0.1:{self.daemon.port}"

    def command(self, *arguments: str) -> list[str]:
        """The client's command line."""
        return ["chatd.client", f"--protocol={self.protocol}", *arguments]

    def script(
        self, script: str, *arguments: str, password: str | None = None
    ) -> CompletedProcess[str]:
        """Run the client in a pipe to its end."""
        return run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | ({"CHATD_PASSWORD": password} if password else {}),
            timeout=PATIENCE,
            input=script,
        )

    def executed(self, script: str, *arguments: str) -> CompletedProcess[str]:
        """Run the client to its end as a user does, by a new interpreter."""
        return subprocess.run(
            [sys.executable, "-m", *self.command(*arguments)],
            cwd=self.folder,
            env=self.environment,
            timeout=PATIENCE,
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: str) -> Program:
        """Start the client with pipes."""
        client = Program(
            self.command(*arguments), cwd=self.folder, env=self.environment, stdin=PIPE
        )
        self.enterContext(client)
        return client


class TerminalUser:
    """A client at a pseudo-terminal."""

    def __init__(self, case: ClientCase, *arguments: str) -> None:
        self.case = case
        self.log = io.StringIO()
        self.master, slave = os.openpty()
        self.resize(50, 110)
        self.program = Program(
            case.command(*arguments),
            cwd=case.folder,
            env=case.environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        case.enterContext(self.program)
        self.child = pexpect.fdpexpect.fdspawn(self.master, encoding="utf-8", timeout=PATIENCE)
        self.child.delaybeforesend = None
        self.child.logfile_read = self.log
        case.addCleanup(self.child.close)

    def sees(self, *texts: str) -> None:
        """Wait until these texts were written, in this order."""
        for text in texts:
            self.child.expect_exact(text)

    def sees_joined(self, name: str, room: str) -> None:
        """Wait until an account joined a room; colours stand between the two names."""
        self.child.expect(rf"{name}\S* joined {room}")

    def answers(self, *pairs: str) -> None:
        """Wait for each prompt in turn, and type the answer after it."""
        for prompt, answer in zip(pairs[::2], pairs[1::2], strict=True):
            self.sees(prompt)
            self.child.send(answer + "\r")

    def presses(self, keys: str) -> None:
        """Type without Enter."""
        self.child.send(keys)

    def leaves(self, status: int = 0) -> None:
        """Wait until the client has ended with this exit status."""
        self.sees_nothing_more()
        self.case.assertEqual(self.program.wait(PATIENCE), status, self.log.getvalue())

    def resize(self, lines: int, columns: int) -> None:
        """Change the size of the window."""
        termios.tcsetwinsize(self.master, (lines, columns))

    def sees_nothing_more(self) -> None:
        """Read to the end."""
        self.child.expect(pexpect.EOF)

    def screen(self) -> list[str]:
        """The lines of the terminal, without blanks at their ends."""
        emulator = TerminalEmulator(110, 50)
        emulator.feed(self.log.getvalue())
        lines = emulator.lines()
        while lines and not lines[-1]:
            lines.pop()
        return lines
