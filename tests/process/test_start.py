"""Every way to start the daemon, and every reason why it does not start."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import chatd
from chatd.codecs.classic import CREATE, RESPONSE, encode
from chatd.stores.sqlite.file import connect, migrate, migrations
from tests.doubles.daemon_process import (
    START_PATIENCE,
    Daemon,
    SocketClient,
)
from tests.doubles.program import CHECKOUT, environment
from tests.doubles.startup import Start

_PROGRAM = Path(sys.executable).parent / "twistd"
TWISTD: Sequence[str] = (
    [str(_PROGRAM)]
    if _PROGRAM.exists()
    else [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
)

OPTIONS = (
    "--port",
    "--host",
    "--store",
    "--rate",
    "--registration",
    "--allow-open-accounts",
    "--retain",
    "--admin",
    "--config",
    "--version",
    "--help",
)


class Options(Start):
    """Options of the command line, the environment and a file."""

    def test_invalid_value_is_named_with_what_is_valid(self) -> None:
        """For each option."""
        for option, value, words in (
            ("port", "http", "a port is a number from 0 to 65535"),
            ("port", "65536", "a port is a number from 0 to 65535"),
            ("port", "-1", "a port is a number from 0 to 65535"),
            ("host", "", "a host is a name or an address"),
            ("host", "two words", "a host is a name or an address"),
            ("host", "192.0.2.1", "cannot listen on 192.0.2.1"),
            ("rate", "0", "a rate is a number"),
            ("rate", "nan", "a rate is a number"),
            ("rate", "fast", "a rate is a number"),
            ("store", "redis", "a store is memory or sqlite:PATH"),
            ("store", "sqlite:", "a store is memory or sqlite:PATH"),
        ):
            self.refused(*self._options(option, value), words=words)

    def _options(self, option: str, value: str) -> list[str]:
        values = {"store": "memory", "port": "0", option: value}
        return [f"--{name}={text}" for name, text in values.items()]

    def test_unknown_option_is_refused(self) -> None:
        """So are arguments that are not options."""
        self.refused("--store=memory", "--colour", words="colour")
        self.refused("--store=memory", "extra", words="only options are expected, not 'extra'")
        self.refused("--port", words="port")

    def test_invalid_environment_variable_is_named(self) -> None:
        """One sentence."""
        self.refused(extra={"CHATD_PORT": "http"}, words="CHATD_PORT: a port is")
        self.refused(
            extra={"CHATD_CONFIG": "none.toml"}, words="none.toml cannot be read: no such file"
        )

    def test_invalid_configuration_file_is_named(self) -> None:
        """Missing, unreadable or wrong."""
        file = self.folder / "chatd.toml"
        self.refused("--config", str(file), words=f"{file} cannot be read: no such file")
        self.refused("--config", str(self.folder), words="cannot be read: is a directory")
        for content, words in (
            (b"port = ", "is not TOML"),
            (b"\xff\xfe\x00", "is not TOML"),
            (b"colour = 1", "there is no option 'colour'; options are port, host, store, rate"),
            (b"port = [1]", "the value of port must be a string or a number"),
            (b"[port]\na = 1", "the value of port must be a string or a number"),
            (b"port = true", "the value of port must be a string or a number"),
            (b"port = 99999", f"port in {file}: a port is a number"),
            (b"store = 'redis'", f"store in {file}: a store is memory"),
        ):
            file.write_bytes(content)
            self.refused("--config", str(file), words=words)

    def test_precedence(self) -> None:
        """Command line, then environment, then file, then default."""
        (self.folder / "chatd.toml").write_text(
            f"port = {self.free_port()}\nstore = 'memory'\nrate = 5.5\n"
        )
        file_port = int((self.folder / "chatd.toml").read_text().split()[2])
        by_file = self.daemon("--config", "chatd.toml")
        self.assertEqual(by_file.port, file_port)
        self.assertEqual(by_file.stop(), 0)
        port = self.free_port()
        extra = {"CHATD_PORT": str(port), "CHATD_CONFIG": "chatd.toml"}
        by_environment = self.daemon(extra=extra)
        self.assertEqual(by_environment.port, port)
        self.assertEqual(by_environment.stop(), 0)
        self.assertIn("in memory only", by_environment.output)
        port = self.free_port()
        by_command_line = self.daemon("--port", str(port), "--store", "sqlite:mine.db", extra=extra)
        self.assertEqual(by_command_line.port, port)
        self.assertTrue((self.folder / "mine.db").exists())
        self.assertEqual(by_command_line.stop(), 0)

    def test_version_and_help(self) -> None:
        """Both are printed on stdout, and nothing is started."""
        version = self.run_to_end("--version")
        self.assertEqual((version.returncode, version.stdout), (0, f"chatd {chatd.__version__}\n"))
        usage = self.run_to_end("--help")
        self.assertEqual((usage.returncode, usage.stderr), (0, ""))
        for option in OPTIONS:
            self.assertIn(option, usage.stdout)
        self.assertEqual(self.contents(), {})


class Store(Start):
    """A store that fails at the start."""

    def test_store_that_cannot_write_ends_the_daemon_with_a_status(self) -> None:
        """The log has the reason."""
        path = str(self.folder / "chatd.db")
        with contextlib.closing(connect(path, writing=True)) as connection:
            migrate(connection, path, migrations())
            connection.execute(
                "CREATE TRIGGER failing BEFORE INSERT ON documents "
                "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        ended = self.run_to_end("--port=0", f"--store=sqlite:{path}", "--admin=none")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("chatd cannot start: the store fails: disk full", ended.stdout)


class Ways(Start):
    """Every command starts the same daemon."""

    def check(self, daemon: Daemon) -> None:
        """Check that the daemon serves an account with a password, and stops with status 0."""
        SocketClient(self, daemon).create("Ann", "secret").close()
        SocketClient(self, daemon).login("Ann", "secret").send_text("Ann", "Ann", "hi")
        self.assertEqual(daemon.stop(), 0)

    def test_python_m(self) -> None:
        """`python -m chatd` does not need twistd."""
        command = [sys.executable, "-m", "chatd", "--port", "0", "--store", "memory"]
        self.check(Daemon(self, "", cwd=str(self.folder), command=command, executed=True))

    def test_tac(self) -> None:
        """`twistd -ny chatd.tac` takes its options from the environment."""
        command = [*TWISTD, "--pidfile=", "-ny", str(CHECKOUT / "chatd.tac")]
        extra = {"CHATD_PORT": "0", "CHATD_STORE": "sqlite:tac.db"}
        daemon = Daemon(self, "", cwd=str(self.folder), command=command, extra=extra, executed=True)
        self.check(daemon)
        self.assertTrue((self.folder / "tac.db").exists())

    def test_in_the_background(self) -> None:
        """`twistd --pidfile=P --logfile=L chatd` returns at once; P has the pid to stop."""
        port = self.free_port()
        options = [
            "--pidfile=P",
            "--logfile=L",
            "chatd",
            "--port",
            str(port),
            "--store=sqlite:chatd.db",
        ]
        subprocess.run(
            [*TWISTD, *options],
            cwd=self.folder,
            env=environment(),
            timeout=START_PATIENCE,
            check=True,
        )
        pid = int((self.folder / "P").read_text())
        self.addCleanup(self._kill, pid)
        handle = os.pidfd_open(pid)
        self.addCleanup(os.close, handle)
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(encode(CREATE, "Ann"))
            self.assertEqual(connection.recv(100), encode(RESPONSE))
            os.kill(pid, signal.SIGTERM)
            self.assertEqual(connection.recv(1), b"")
        self.assertEqual(select.select([handle], [], [], 10)[0], [handle])
        told = (self.folder / "L").read_text()
        self.assertIn(f"listening on 127.0.0.1:{port}", told)
        self.assertNotIn("Traceback", told)
        self.assertEqual(sorted(self.contents()), ["L", "chatd.db"])

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
