"""The daemon is killed while two people write to each other: neither misses a word, nor reads one
twice."""

from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import SEND, Reply, Send, encode
from tests.doubles.daemon_process import PATIENCE, Daemon, SocketClient
from tests.doubles.folders import folder

ROUNDS = 10
DEEP = 16
"""messages that each has under way"""
ECHOED = 300
"""echoes that each gets before the kill, at least"""
OTHER = {"ann": "bob", "bob": "ann"}


class Talker:
    """Writes numbered texts to the other one and reads all that comes, until it is cut off."""

    def __init__(self, client: SocketClient, me: str, *, log_in: bool) -> None:
        self.me = me
        self.busy = threading.Event()
        self._client = client.login(me) if log_in else client.create(me)
        self._come: list[Reply] = []
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def start(self) -> None:
        """Begin, now that the other one is there."""
        self._thread.start()

    def _talk(self) -> None:
        echoed = said = 0
        try:
            while True:
                while said - echoed < DEEP:
                    self._client.send(encode(SEND, self.me, OTHER[self.me], f"{said}"))
                    said += 1
                message = self._client.receive()
                self._come.append(message)
                echoed += isinstance(message, Send) and message.sender == self.me
                if echoed >= ECHOED:
                    self.busy.set()
        except (ConnectionError, self._client.case.failureException):
            self._come += self._client.read_remaining()

    def numbers(self, sender: str, *more: Reply) -> list[int]:
        """Which of that one's messages came, here or in `more`."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        found = []
        for message in (*self._come, *more):
            assert isinstance(message, Send), message
            if message.sender == sender:
                found.append(int(message.text))
        return found


class KillTalking(SynchronousTestCase):
    """Round after round on the same file."""

    def test_both_write_and_read(self) -> None:
        """What was echoed to one has been read by the other, or comes as mail; in order, and
        once."""
        store = f"sqlite:{folder(self)}/chatd.db"
        for number in range(ROUNDS):
            daemon = Daemon(self, store)
            talkers = [Talker(SocketClient(self, daemon), me, log_in=number > 0) for me in OTHER]
            for talker in talkers:
                talker.start()
            for talker in talkers:
                self.assertTrue(talker.busy.wait(PATIENCE))
            daemon.kill()
            again = Daemon(self, store)
            for reader, writer in (talkers, reversed(talkers)):
                mail = SocketClient(self, again).login(reader.me).fetch_mail()
                got = reader.numbers(writer.me, *mail)
                echoed = writer.numbers(writer.me)
                self.assertEqual(got, list(range(len(got))))
                self.assertEqual(echoed, list(range(len(echoed))))
                self.assertGreaterEqual(len(got), len(echoed))
            self.assertEqual(again.stop(), 0)
