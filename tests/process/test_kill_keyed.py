"""A daemon killed while clients of version 1 write to a classic client, and send again with their
keys what was not answered."""

from __future__ import annotations

import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1
from chatd.codecs import v1_messages as c
from tests.doubles.daemon_process import PATIENCE, Daemon, SocketClient
from tests.doubles.folders import folder
from tests.doubles.killed_readers import TimedReader, check_after_kill
from tests.doubles.protocol_clients import open_socket

ROUNDS = 8
WRITERS = ("ann", "cid", "dan")
DEEP = 128
"""messages of a writer that are sent and not answered yet"""
ACCEPTED = 2000
"""answers to each writer before the kill, at least"""


class KeyedWriter:
    """Sends numbered texts to Bob, each with its number as key, until it is disconnected. Then it
    connects again and sends what was not answered. `accepted` has the numbers of those that were.
    """

    def __init__(self, case: SynchronousTestCase, name: str) -> None:
        self.name = name
        self.accepted: set[int] = set()
        self.busy = threading.Event()
        self._case = case
        self._sent = 0
        self._round = 0

    def start(self, daemon: Daemon, number: int) -> None:
        """Begin the round of this number on a thread: its numbers begin at 0, its keys are new."""
        self._round = number
        self._sent = 0
        self.accepted = set()
        self.busy.clear()
        self._connect(daemon)
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _connect(self, daemon: Daemon) -> None:
        self._socket = open_socket(self._case, daemon.port)
        self._decoder = v1.client_decoder(1 << 24)
        request = c.LogIn(1, self.name) if self._round else c.Register(1, self.name)
        self._socket.sendall(v1.encode(request) + v1.encode(c.LogIn(2, self.name)))
        logged_in = False
        while not logged_in:
            for answer in self._decoder.feed(self._socket.recv(1 << 16)):
                logged_in = logged_in or getattr(answer, "ref", 0) == 2

    def _send(self, number: int) -> None:
        key = f"{self._round:04}-{number:06}"
        self._socket.sendall(v1.encode(c.Send(number + 10, "bob", str(number), key)))

    def _receive(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionError
        for answer in self._decoder.feed(data):
            if isinstance(answer, c.Accepted):
                self.accepted.add(answer.ref - 10)
        if len(self.accepted) >= ACCEPTED:
            self.busy.set()

    def _write(self) -> None:
        try:
            while True:
                while self._sent - len(self.accepted) < DEEP:
                    self._send(self._sent)
                    self._sent += 1
                self._receive()
        except ConnectionError:
            pass

    def send_again(self, daemon: Daemon) -> int:
        """Send to another daemon what was not answered; how many messages have been accepted."""
        self._thread.join(PATIENCE)
        self._case.assertFalse(self._thread.is_alive())
        self._connect(daemon)
        for number in range(self._sent):
            if number not in self.accepted:
                self._send(number)
        while len(self.accepted) < self._sent:
            self._receive()
        return self._sent


class KillKeyed(SynchronousTestCase):
    """Daemons that are killed, one after another, on the same file."""

    def test_classic_recipient_gets_every_accepted_message(self) -> None:
        """Also those that were committed and not handed over when the daemon was killed, and whose
        senders get the answer when they send them again."""
        store = f"sqlite:{folder(self)}/chatd.db"
        writers = [KeyedWriter(self, name) for name in WRITERS]
        for number in range(ROUNDS):
            daemon = Daemon(self, store)
            client = SocketClient(self, daemon)
            bob = TimedReader(client.login("bob") if number else client.create("bob"))
            for writer in writers:
                writer.start(daemon, number)
            for writer in writers:
                self.assertTrue(writer.busy.wait(PATIENCE), len(writer.accepted))
            killed_at = time.monotonic()
            daemon.kill()
            arrivals = bob.end(self)
            again = Daemon(self, store)
            accepted = {writer.name: writer.send_again(again) for writer in writers}
            mail = SocketClient(self, again).login("bob").fetch_mail()
            for name, count in accepted.items():
                check_after_kill(self, name, count, arrivals, killed_at, mail)
            self.assertEqual(again.stop(), 0)
