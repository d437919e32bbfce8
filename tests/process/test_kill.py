"""The daemon is killed in the midst of writing: what was acknowledged is there, and nothing comes
twice."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import SEND, Reply, Send, encode
from tests.doubles.daemon_process import PATIENCE, Daemon, SocketClient
from tests.doubles.folders import folder

ROUNDS = 10
WRITERS = ("ann", "cid", "dan")
DEEP = 16
"""messages that a writer has under way"""
ECHOED = 150
"""echoes of each writer that come before the kill, at least"""


class Writer:
    """Sends numbered texts to Bob, some always under way, and notes which came back, until it is
    cut off."""

    def __init__(self, client: SocketClient, name: str, padding: str = "", to: str = "bob") -> None:
        self.client = client
        self.name = name
        self.echoed: list[str] = []
        self.busy = threading.Event()
        self._padding = padding
        self._to = to
        self._wrong: list[str] = []
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    def _write(self) -> None:
        try:
            for number in range(100_000):
                self.client.send(
                    encode(SEND, self.name, self._to, f"{self.name} {number} {self._padding}")
                )
                if number >= DEEP:
                    self._note(self.client.receive())
        except (ConnectionError, self.client.case.failureException):
            for message in self.client.read_remaining():
                self._note(message)

    def _note(self, message: Reply) -> None:
        if isinstance(message, Send):
            self.echoed.append(message.text)
        else:
            self._wrong.append(str(message))
        if len(self.echoed) >= ECHOED:
            self.busy.set()

    def check_end(self, case: SynchronousTestCase) -> None:
        """It was cut off; until then every text was echoed, in order."""
        self.thread.join(PATIENCE)
        case.assertFalse(self.thread.is_alive())
        case.assertEqual(self._wrong, [])
        case.assertEqual(
            self.echoed,
            [f"{self.name} {number} {self._padding}" for number in range(len(self.echoed))],
        )


class Kill(SynchronousTestCase):
    """Round after round on the same file."""

    def setUp(self) -> None:
        self.folder = folder(self)
        daemon = self.start()
        for name in (*WRITERS, "bob"):
            SocketClient(self, daemon).create(name)
        daemon.stop()

    def start(self) -> Daemon:
        """The daemon, on the file of this test."""
        return Daemon(self, f"sqlite:{self.folder}/chatd.db")

    def check(self, writers: Sequence[Writer], *parts: Sequence[Reply]) -> None:
        """Of each writer: all that was echoed, and perhaps some that was not yet; in order, each
        once."""
        for writer in writers:
            writer.check_end(self)
            numbers = [number for part in parts for number in self.numbers(writer, part)]
            self.assertEqual(numbers, list(range(len(numbers))))
            self.assertGreaterEqual(len(numbers), len(writer.echoed))
            self.assertLessEqual(len(numbers), len(writer.echoed) + DEEP + 1)

    def check_nothing_missing(self, writers: Sequence[Writer], *parts: Sequence[Reply]) -> None:
        """The same, but what lay in a socket at the kill may have come by mail, too."""
        for writer in writers:
            writer.check_end(self)
            seen: set[int] = set()
            for part in parts:
                numbers = self.numbers(writer, part)
                self.assertEqual(numbers, sorted(set(numbers)))
                seen.update(numbers)
            missing = set(range(len(writer.echoed))) - seen
            self.assertEqual(len(missing), 0, f"{len(missing)} of {len(writer.echoed)} are lost")

    def numbers(self, writer: Writer, got: Sequence[Reply]) -> list[int]:
        """Which of its messages these are."""
        return [
            int(message.text.split(" ")[1])
            for message in got
            if isinstance(message, Send) and message.sender == writer.name
        ]

    def writers(self, daemon: Daemon, padding: str = "") -> list[Writer]:
        """All of them, at work."""
        return [Writer(SocketClient(self, daemon).login(name), name, padding) for name in WRITERS]

    def kill(self, daemon: Daemon, writers: Sequence[Writer]) -> None:
        """When all are in full flow."""
        for writer in writers:
            self.assertTrue(writer.busy.wait(PATIENCE), writer.echoed)
        daemon.kill()
        for writer in writers:
            writer.thread.join(PATIENCE)

    def fetch_mail(self) -> list[Reply]:
        """What Bob finds after the restart; and that there is nothing more after another."""
        daemon = self.start()
        bob = SocketClient(self, daemon).login("bob")
        got = bob.fetch_mail()
        self.assertEqual(bob.fetch_mail(), [])
        self.assertEqual(daemon.stop(), 0)
        return got

    def test_recipient_away(self) -> None:
        """Who was not there finds all that was acknowledged, in order, once."""
        for _ in range(ROUNDS):
            daemon = self.start()
            writers = self.writers(daemon)
            self.kill(daemon, writers)
            self.check(writers, self.fetch_mail())

    def test_first_run(self) -> None:
        """A store whose very first daemon was killed is a store."""
        daemon = Daemon(self, f"sqlite:{self.folder}/first.db")
        SocketClient(self, daemon).create("ann").send_text("ann", "ann", "hi")
        daemon.kill()
        SocketClient(self, Daemon(self, f"sqlite:{self.folder}/first.db")).login("ann")

    def test_recipient_there(self) -> None:
        """Who was there has read it, or finds it later, and never both."""
        for _ in range(ROUNDS):
            daemon = self.start()
            bob = SocketClient(self, daemon).login("bob")
            read: list[Reply] = []
            reader = threading.Thread(target=self._read, args=(bob, read), daemon=True)
            reader.start()
            writers = self.writers(daemon)
            self.kill(daemon, writers)
            reader.join(PATIENCE)
            self.check(writers, read, self.fetch_mail())

    def _read(self, client: SocketClient, read: list[Reply]) -> None:
        try:
            while True:
                read.append(client.receive())
        except (ConnectionError, self.failureException):
            read += client.read_remaining()

    def test_recipient_that_does_not_read(self) -> None:
        """Who had stopped reading misses nothing either."""
        for number in range(ROUNDS):
            daemon = self.start()
            bob = SocketClient(self, daemon, window=(0, 8192)[number % 2]).login("bob")
            writers = self.writers(daemon, "x" * (4000 * number))
            self.kill(daemon, writers)
            self.check_nothing_missing(writers, bob.read_remaining(), self.fetch_mail())

    def test_recipient_that_writes_without_reading(self) -> None:
        """Who has fallen behind and talks without reading misses nothing either."""
        for padding in ("x" * 200, "x" * 20_000):
            daemon = self.start()
            bob = SocketClient(self, daemon, window=8192).login("bob")
            writers = self.writers(daemon, padding)
            for writer in writers:
                self.assertTrue(writer.busy.wait(PATIENCE), writer.echoed)
            # Killed with this unread, the daemon's kernel breaks off the connection and drops what
            # it holds.
            os.kill(daemon.pid, signal.SIGSTOP)
            bob.send(*[encode(SEND, "bob", "ann", "talk")] * 100)
            self.kill(daemon, writers)
            self.check_nothing_missing(writers, bob.read_remaining(), self.fetch_mail())
