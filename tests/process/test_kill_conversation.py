"""A daemon killed while two users write to each other: each reads every accepted message."""

from __future__ import annotations

import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import SEND, Reply, Send, encode
from tests.doubles.daemon_process import PATIENCE, Daemon, SocketClient
from tests.doubles.folders import folder
from tests.doubles.killed_readers import check_after_kill, numbers_of

ROUNDS = 10
DEEP = 16
"""messages of each user that are sent and not echoed yet"""
ECHOED = 300
"""echoes of each user before the kill, at least"""
OTHER = {"ann": "bob", "bob": "ann"}


class Talker:
    """Sends numbered texts to the other user and reads everything, until it is disconnected."""

    def __init__(self, client: SocketClient, me: str, *, log_in: bool) -> None:
        self.me = me
        self.busy = threading.Event()
        self._client = client.login(me) if log_in else client.create(me)
        self.arrivals: list[tuple[float, Reply]] = []
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def start(self) -> None:
        """Begin, when the other user is online."""
        self._thread.start()

    def _talk(self) -> None:
        echoed = sent = 0
        try:
            while True:
                while sent - echoed < DEEP:
                    self._client.send(encode(SEND, self.me, OTHER[self.me], f"{sent}"))
                    sent += 1
                message = self._client.receive()
                self.arrivals.append((time.monotonic(), message))
                echoed += isinstance(message, Send) and message.sender == self.me
                if echoed >= ECHOED:
                    self.busy.set()
        except (ConnectionError, self._client.case.failureException):
            remaining = self._client.read_remaining()
            self.arrivals += [(time.monotonic(), message) for message in remaining]

    def echoed(self) -> list[int]:
        """The numbers of its own messages that were echoed, after its end."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        messages = [message for _, message in self.arrivals]
        assert all(isinstance(message, Send) for message in messages), messages
        return numbers_of(self.me, messages, int)


class KillTalking(SynchronousTestCase):
    """Daemons that are killed, one after another, on the same file."""

    def test_every_accepted_message_is_read(self) -> None:
        """Before the kill or as mail, in order; twice only what arrived in the last moment."""
        store = f"sqlite:{folder(self)}/chatd.db"
        for number in range(ROUNDS):
            daemon = Daemon(self, store)
            talkers = [Talker(SocketClient(self, daemon), me, log_in=number > 0) for me in OTHER]
            for talker in talkers:
                talker.start()
            for talker in talkers:
                self.assertTrue(talker.busy.wait(PATIENCE))
            killed_at = time.monotonic()
            daemon.kill()
            echoes = {talker.me: talker.echoed() for talker in talkers}
            again = Daemon(self, store)
            for reader, writer in (talkers, reversed(talkers)):
                mail = SocketClient(self, again).login(reader.me).fetch_mail()
                echoed = echoes[writer.me]
                self.assertEqual(echoed, list(range(len(echoed))))
                check_after_kill(self, writer.me, len(echoed), reader.arrivals, killed_at, mail)
            self.assertEqual(again.stop(), 0)
