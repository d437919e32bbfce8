"""A daemon, and a client, while the wall clock of their machine is set."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from subprocess import PIPE, STDOUT

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import LOGIN
from tests.doubles.daemon_process import START_PATIENCE, Daemon, SocketClient, sent
from tests.doubles.folders import folder
from tests.doubles.program import CHECKOUT, environment

_SCRIPT = str(CHECKOUT / "tests" / "doubles" / "shifted_clock.py")


class WallClockCase(SynchronousTestCase):
    """Processes with a wall clock of their own."""

    def setUp(self) -> None:
        self.folder = Path(folder(self))
        self.shift = self.folder / "shift"
        self.ahead = 0.0
        self.jump(0.0)

    def jump(self, seconds: float) -> None:
        """Set the wall clock of the processes."""
        self.ahead += seconds
        new = self.folder / "new"
        new.write_text(str(self.ahead))
        new.replace(self.shift)

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program with this clock."""
        return [sys.executable, _SCRIPT, str(self.shift), program, *arguments]


class DaemonTests(WallClockCase):
    """The daemon on every kind of reactor that it uses, and started in both ways."""

    def check(self, *arguments: str, extra: Mapping[str, str] | None = None) -> None:
        """Nothing that a client does waits for the clock, and no deadline passes early."""
        command = self.command("twistd", "--pidfile=", *arguments)
        daemon = Daemon(self, "", cwd=str(self.folder), command=command, extra=extra, executed=True)
        ann = SocketClient(self, daemon).create("ann")
        bob = SocketClient(self, daemon).create("bob", "secret")
        for number, seconds in enumerate((-3600.0, 3600.0, -15.0)):
            # Connected and not logged in: the deadline for logging in is running.
            late = SocketClient(self, daemon)
            late.refusal(LOGIN, "bob", "wrong")
            self.jump(seconds)
            ann.send_text("ann", "bob", f"text {number}")
            self.assertEqual(bob.receive(), sent("ann", "bob", f"text {number}"))
            late.create(f"user{number}")
            late.close()
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn("Traceback", daemon.output)

    def test_epoll_reactor(self) -> None:
        """The usual one."""
        self.check("-n", "chatd", "--port", "0", "--store", "sqlite:chatd.db")

    def test_asyncio_reactor(self) -> None:
        """The one for gRPC."""
        self.check("-n", "chatd", "--port", "0", "--store", "memory", "--listen", "grpc=tcp:0")

    def test_tac(self) -> None:
        """Started with the `.tac` file."""
        extra = {"CHATD_PORT": "0", "CHATD_STORE": "sqlite:chatd.db"}
        self.check("-ny", str(CHECKOUT / "chatd.tac"), extra=extra)


class ClientTests(WallClockCase):
    """The client."""

    def test_client_reconnects_although_the_clock_was_set_back(self) -> None:
        """The delay before it tries again is not an hour longer."""
        store = f"sqlite:{self.folder}/chatd.db"
        daemon = Daemon(self, store)
        address = f"chat://127.0.0.1:{daemon.port}"
        client = subprocess.Popen(
            self.command("chatd.client", "ann", address),
            cwd=self.folder,
            env=environment(),
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
        )
        self.enterContext(client)
        self.addCleanup(client.kill)
        # The test must not wait for ever for a client that does.
        timer = threading.Timer(START_PATIENCE, client.kill)
        timer.start()
        self.addCleanup(timer.cancel)
        assert client.stdout is not None
        lines = iter(client.stdout)
        self.assertIn("ann", next(lines))
        daemon.kill()
        self.assertTrue(any("the connection is lost" in line for line in lines))
        self.jump(-3600.0)
        Daemon(self, store, more=("--port", str(daemon.port)))
        self.assertTrue(any("reconnected" in line for line in lines))
