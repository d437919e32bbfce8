"""A daemon killed while two users write to each other: each reads every message once."""

from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import SEND, Reply, Send, encode
from tests.doubles.daemon_process import PATIENCE, Daemon, SocketClient
from tests.doubles.folders import folder

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
        self._come: list[Reply] = []
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
                self._come.append(message)
                echoed += isinstance(message, Send) and message.sender == self.me
                if echoed >= ECHOED:
                    self.busy.set()
        except (ConnectionError, self._client.case.failureException):
            self._come += self._client.read_remaining()

    def numbers(self, sender: str, *more: Reply) -> list[int]:
        """The numbers of the other user's messages that arrived, here or in `more`."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        found = []
        for message in (*self._come, *more):
            assert isinstance(message, Send), message
            if message.sender == sender:
                found.append(int(message.text))
        return found


class KillTalking(SynchronousTestCase):
    """Daemons that are killed, one after another, on the same file."""

    def test_every_message_is_read_once(self) -> None:
        """Before the kill or as mail; acknowledged ones in any case, in order."""
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
                received = reader.numbers(writer.me, *mail)
                echoed = writer.numbers(writer.me)
                self.assertEqual(received, list(range(len(received))))
                self.assertEqual(echoed, list(range(len(echoed))))
                self.assertGreaterEqual(len(received), len(echoed))
            self.assertEqual(again.stop(), 0)
