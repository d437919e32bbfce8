"""A daemon killed while clients write: no accepted message is lost, and hardly any comes twice.

A client without acknowledgements receives again what arrived in the last moment before the kill.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import SEND, Reply, Send, encode
from tests.doubles.daemon_process import PATIENCE, Daemon, SocketClient
from tests.doubles.folders import folder
from tests.doubles.killed_readers import (
    UNSAVED_SECONDS,
    TimedReader,
    check_after_kill,
    numbers_of,
)

ROUNDS = 10
WRITERS = ("ann", "cid", "dan")
DEEP = 16
"""messages of a writer that are sent and not echoed yet"""
ECHOED = 150
"""echoes of each writer before the kill, at least"""


class Writer:
    """Sends numbered texts to Bob with a window, and records echoes until it is disconnected.

    It is `busy` when it has so many echoes, and has written for some `seconds`.
    """

    def __init__(
        self,
        client: SocketClient,
        name: str,
        padding: str = "",
        to: str = "bob",
        seconds: float = 0.0,
    ) -> None:
        self.client = client
        self.name = name
        self.echoed: list[str] = []
        self.busy = threading.Event()
        self._padding = padding
        self._to = to
        self._busy_at = time.monotonic() + seconds
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
        if len(self.echoed) >= ECHOED and time.monotonic() >= self._busy_at:
            self.busy.set()

    def check_end(self, case: SynchronousTestCase) -> None:
        """Check that it was disconnected, and that every text before was echoed, in order."""
        self.thread.join(PATIENCE)
        case.assertFalse(self.thread.is_alive())
        case.assertEqual(self._wrong, [])
        case.assertEqual(
            self.echoed,
            [f"{self.name} {number} {self._padding}" for number in range(len(self.echoed))],
        )


def _number(text: str) -> int:
    """The number of a writer's text."""
    return int(text.split(" ")[1])


class Kill(SynchronousTestCase):
    """Daemons that are killed, one after another, on the same file."""

    def setUp(self) -> None:
        self.folder = folder(self)
        daemon = self.start()
        for name in (*WRITERS, "bob"):
            SocketClient(self, daemon).create(name)
        daemon.stop()

    def start(self) -> Daemon:
        """Start a daemon on the file of this test."""
        return Daemon(self, f"sqlite:{self.folder}/chatd.db")

    def check(self, writers: Sequence[Writer], *parts: Sequence[Reply]) -> None:
        """Check that each writer's messages arrived once and in order: all that were echoed, and
        at most a window that was not."""
        for writer in writers:
            writer.check_end(self)
            numbers = [number for part in parts for number in self.numbers(writer, part)]
            self.assertEqual(numbers, list(range(len(numbers))))
            self.assertGreaterEqual(len(numbers), len(writer.echoed))
            self.assertLessEqual(len(numbers), len(writer.echoed) + DEEP + 1)

    def check_nothing_missing(self, writers: Sequence[Writer], *parts: Sequence[Reply]) -> None:
        """Check that every echoed message arrived. What was in a socket at the kill may also arrive
        as mail."""
        for writer in writers:
            writer.check_end(self)
            seen: set[int] = set()
            for part in parts:
                numbers = self.numbers(writer, part)
                self.assertEqual(numbers, sorted(set(numbers)))
                seen.update(numbers)
            missing = set(range(len(writer.echoed))) - seen
            self.assertEqual(len(missing), 0, f"{len(missing)} of {len(writer.echoed)} are lost")

    def numbers(self, writer: Writer, received: Sequence[Reply]) -> list[int]:
        """The numbers of the messages of a writer."""
        return numbers_of(writer.name, received, _number)

    def writers(self, daemon: Daemon, padding: str = "", seconds: float = 0.0) -> list[Writer]:
        """Start all writers."""
        return [
            Writer(SocketClient(self, daemon).login(name), name, padding, seconds=seconds)
            for name in WRITERS
        ]

    def kill(self, daemon: Daemon, writers: Sequence[Writer]) -> float:
        """Kill the daemon when every writer is busy, and wait for the writers; when it was."""
        for writer in writers:
            self.assertTrue(writer.busy.wait(PATIENCE), len(writer.echoed))
        killed_at = time.monotonic()
        daemon.kill()
        for writer in writers:
            writer.thread.join(PATIENCE)
        return killed_at

    def fetch_mail(self) -> list[Reply]:
        """What Bob fetches after a restart; check that another restart delivers nothing more."""
        daemon = self.start()
        bob = SocketClient(self, daemon).login("bob")
        received = bob.fetch_mail()
        self.assertEqual(bob.fetch_mail(), [])
        self.assertEqual(daemon.stop(), 0)
        return received

    def test_offline_recipient_gets_every_acknowledged_message(self) -> None:
        """In order, and once."""
        for _ in range(ROUNDS):
            daemon = self.start()
            writers = self.writers(daemon)
            self.kill(daemon, writers)
            self.check(writers, self.fetch_mail())

    def test_store_of_a_daemon_killed_at_its_first_start_is_usable(self) -> None:
        """The next daemon starts on it."""
        daemon = Daemon(self, f"sqlite:{self.folder}/first.db")
        SocketClient(self, daemon).create("ann").send_text("ann", "ann", "hi")
        daemon.kill()
        SocketClient(self, Daemon(self, f"sqlite:{self.folder}/first.db")).login("ann")

    def test_online_recipient_gets_every_message(self) -> None:
        """Before the kill or after it, and twice only what arrived in the last moment before."""
        for number in range(ROUNDS):
            daemon = self.start()
            bob = TimedReader(SocketClient(self, daemon).login("bob"))
            # In some rounds, so long that most of what arrived before must not come twice.
            writers = self.writers(daemon, seconds=2 * UNSAVED_SECONDS * (number % 3 == 2))
            killed_at = self.kill(daemon, writers)
            arrivals, mail = bob.end(self), self.fetch_mail()
            for writer in writers:
                writer.check_end(self)
                check_after_kill(
                    self, writer.name, len(writer.echoed), arrivals, killed_at, mail, _number
                )

    def test_recipient_that_does_not_read_misses_nothing(self) -> None:
        """What it did not read is delivered again."""
        for number in range(ROUNDS):
            daemon = self.start()
            bob = SocketClient(self, daemon, window=(0, 8192)[number % 2]).login("bob")
            writers = self.writers(daemon, "x" * (2000 * number))
            self.kill(daemon, writers)
            self.check_nothing_missing(writers, bob.read_remaining(), self.fetch_mail())

    def test_recipient_that_only_writes_misses_nothing(self) -> None:
        """What it did not read is delivered again."""
        for padding in ("x" * 200, "x" * 20_000):
            daemon = self.start()
            bob = SocketClient(self, daemon, window=8192).login("bob")
            writers = self.writers(daemon, padding)
            for writer in writers:
                self.assertTrue(writer.busy.wait(PATIENCE), writer.echoed)
            # With this unread at the kill, the kernel resets the connection and drops what the
            # daemon had written.
            os.kill(daemon.pid, signal.SIGSTOP)
            bob.send(*[encode(SEND, "bob", "ann", "talk")] * 100)
            self.kill(daemon, writers)
            self.check_nothing_missing(writers, bob.read_remaining(), self.fetch_mail())
