"""The real daemon and the real client as processes, for tests that need them."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pexpect
from twisted.trial.unittest import SynchronousTestCase

import chatd
from tests.doubles.folders import folder
from tests.doubles.terminal_emulator import TerminalEmulator

TWISTD = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
PATIENCE = 30
"""seconds after which a test gives up"""


class Process(SynchronousTestCase):
    """What the cases share: a daemon of their own, and clients of it."""

    protocol = "1"

    def setUp(self) -> None:
        self.folder = folder(self)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(Path(chatd.__file__).parents[1]),
            "TERM": "xterm",
        }
        for name in ("CHATD_PASSWORD", "NO_COLOR"):
            self.environment.pop(name, None)
        self.start_daemon("127.0.0.1")

    def start_daemon(self, host: str, port: str = "0", store: str = "memory") -> None:
        """A daemon, on a free port unless one is given, that ends with the test."""
        arguments = ["-n", "--pidfile=", "chatd", "--host", host, "--port", port, "--store", store]
        self.daemon = subprocess.Popen(
            [sys.executable, "-c", TWISTD, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(self.stop_daemon, self.daemon)
        assert self.daemon.stdout is not None
        told = ""
        for line in self.daemon.stdout:
            told += line
            listening = re.search(r"listening on (\S+):(\d+)", line)
            if listening:
                self.url = f"chat://localhost:{listening[2]}"
                self.port = listening[2]
                break
        else:
            self.fail(f"the daemon did not start:\n{told}")
        threading.Thread(target=self.daemon.stdout.read, daemon=True).start()

    def stop_daemon(self, daemon: subprocess.Popen[str]) -> None:
        """End it and wait for its end."""
        if daemon.poll() is None:
            daemon.terminate()
        daemon.wait(PATIENCE)
        if daemon.stdout is not None:
            daemon.stdout.close()

    def command(self, *arguments: str) -> list[str]:
        """The client's command line."""
        return [sys.executable, "-m", "chatd.client", f"--protocol={self.protocol}", *arguments]

    def script(
        self, script: str, *arguments: str, password: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the client in a pipe to its end."""
        return subprocess.run(
            self.command(*arguments),
            input=script,
            cwd=self.folder,
            env=self.environment | ({"CHATD_PASSWORD": password} if password else {}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The client, with pipes that the test holds."""
        client = subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.environment,
            text=True,
        )
        for stream in (client.stdin, client.stdout, client.stderr):
            assert stream is not None
            self.addCleanup(stream.close)
        self.addCleanup(client.wait, PATIENCE)
        self.addCleanup(client.kill)
        return client


class Person:
    """Someone at a pseudo-terminal."""

    def __init__(self, case: Process, *arguments: str) -> None:
        self.case = case
        self.log = io.StringIO()
        program, *rest = case.command(*arguments)
        self.child = pexpect.spawn(
            program,
            rest,
            cwd=case.folder,
            env=case.environment,
            dimensions=(50, 110),
            encoding="utf-8",
            timeout=PATIENCE,
        )
        self.child.delaybeforesend = None
        self.child.logfile_read = self.log
        case.addCleanup(self.child.close)

    def sees(self, *texts: str) -> None:
        """Wait until these came, in this order."""
        for text in texts:
            self.child.expect_exact(text)

    def answers(self, *pairs: str) -> None:
        """For each prompt, in turn, what is typed there."""
        for prompt, answer in zip(pairs[::2], pairs[1::2], strict=True):
            self.sees(prompt)
            self.child.send(answer + "\r")

    def presses(self, keys: str) -> None:
        """Type without Enter."""
        self.child.send(keys)

    def leaves(self, status: int = 0) -> None:
        """The client has ended."""
        self.sees_nothing_more()
        self.child.wait()
        self.case.assertEqual(self.child.exitstatus, status, self.log.getvalue())

    def sees_nothing_more(self) -> None:
        """Read to the end."""
        self.child.expect(pexpect.EOF)

    def screen(self) -> list[str]:
        """All that was on the terminal, without blanks at the ends of lines."""
        emulator = TerminalEmulator(110, 50)
        emulator.feed(self.log.getvalue())
        lines = emulator.lines()
        while lines and not lines[-1]:
            lines.pop()
        return lines
