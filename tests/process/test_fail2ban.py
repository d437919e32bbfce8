"""The log of a real daemon, as fail2ban reads it, and its level."""

from __future__ import annotations

from chatd.codecs.classic import LOGIN
from tests.docs.test_fail2ban import banned
from tests.doubles.admin import run_command
from tests.doubles.client_process import ClientCase
from tests.doubles.daemon_process import SocketClient


class Log(ClientCase):
    """A daemon, clients and an operator."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon.kill()
        self.start_daemon("--admin", "admin")

    def counted(self) -> list[str]:
        """The lines that fail2ban counts, of all that the daemon has written."""
        self.admin("stats")
        return [line for line in self.daemon.output.splitlines() if banned(line)]

    def admin(self, *words: str) -> str:
        """What a command of the operator shows."""
        done = run_command("--admin", "admin", *words, cwd=self.folder)
        self.assertEqual(done.status, 0, done.stderr)
        return done.stdout

    def guess(self) -> None:
        """Try a wrong password."""
        guesser = SocketClient(self, self.daemon)
        self.assertEqual(guesser.refusal(LOGIN, "alice", "guess"), "wrong password")

    def test_guesses_count_and_what_the_client_asks_does_not(self) -> None:
        """The client creates an account, and logs in to it again; each time it asks first. The
        operator silences the log, and lets it speak again."""
        for text in ("one\n", "two\n"):
            done = self.script(text, "alice", self.url, password="right")
            self.assertEqual((done.stderr, done.returncode), ("", 0))
        self.assertEqual(self.counted(), [])
        self.guess()
        self.daemon.wait_for("refused: wrong-password")
        (line,) = self.counted()
        self.assertEqual(banned(line), "127.0.0.1")
        self.assertRegex(line, r"refused: wrong-password  \[ alice \]$")
        self.assertEqual(self.admin("log-level", "warn"), "Log level: warn\n")
        self.guess()
        self.assertEqual(self.admin("log-level", "info"), "Log level: info\n")
        self.guess()
        self.daemon.wait_for("refused: wrong-password")
        self.assertEqual(len(self.counted()), 2)
