"""A disk that is full refuses what it cannot keep, and nothing else; and it is over when it is
over."""

from __future__ import annotations

import os
import resource
import threading

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import CREATE, DELETE, LIST, SEND, ListResponse, Response, Send, encode
from tests.doubles.daemon_process import Daemon, SocketClient, sent, texts
from tests.doubles.folders import folder

TEXT = "x" * 8192
ENOUGH = 200
"""texts that certainly do not fit"""


class FullDisk(SynchronousTestCase):
    """The files of a running daemon may not grow any more."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.daemon = self.start()
        self.ann = self.client().create("Ann")
        self.bob = self.client().create("Bob")
        self.client().create("away").close()
        self.ann.send_text("Ann", "away", "before")
        self.kept = ["before"]

    def start(self) -> Daemon:
        """The daemon, on the file of this test."""
        return Daemon(self, f"sqlite:{self.folder}/chatd.db")

    def client(self) -> SocketClient:
        """A new connection."""
        return SocketClient(self, self.daemon)

    def allow(self, size: int) -> None:
        """How large a file of the daemon may become."""
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def fill(self) -> None:
        """Leave room for a few texts, and send until one is refused."""
        self.allow(os.path.getsize(f"{self.folder}/chatd.db-wal") + 5 * len(TEXT))
        for number in range(ENOUGH):
            text = f"{number} {TEXT}"
            self.ann.send(encode(SEND, "Ann", "away", text))
            answer = self.ann.receive()
            if isinstance(answer, Response):
                self.assertIn("store", answer.error)
                return
            self.assertEqual(answer, sent("Ann", "away", text))
            self.kept.append(text)
        self.fail("nothing was refused")

    def check_kept(self) -> None:
        """After a restart, what was echoed is there, once; and nothing else."""
        self.assertEqual(self.daemon.stop(), 0)
        self.assertNotIn("Traceback", self.daemon.output)
        self.daemon = self.start()
        away = self.client().login("away")
        self.assertEqual(texts(away.fetch_mail()), self.kept)
        away.close()

    def test_refused_and_over(self) -> None:
        """Sending is refused in words, reading goes on, and when there is room again all is as
        before."""
        self.fill()
        self.assertEqual(self.ann.ask(LIST, "*o*"), ListResponse(("Bob",)))
        self.assertIn("store", self.ann.refusal(SEND, "Ann", "Bob", TEXT))
        self.assertEqual(self.bob.received_so_far(), [])
        late = self.client()
        self.assertEqual(late.refusal(CREATE, "Ann"), "username already exists")
        reader = self.client().login("away")
        self.assertEqual(texts(reader.fetch_mail()), self.kept)
        reader.reset()
        self.allow(resource.RLIM_INFINITY)
        late.create("late")
        self.ann.send_text("Ann", "Bob", TEXT)
        self.assertEqual(self.bob.receive(), sent("Ann", "Bob", TEXT))
        self.ann.send_text("Ann", "away", "after")
        self.assertIn("can write again", self.daemon.output)
        self.daemon.stop()
        self.daemon = self.start()
        mail = texts(self.client().login("away").fetch_mail())
        # It read them while nobody could note that; now it is so, or they come again, but never
        # less.
        self.assertEqual(mail[-1], "after")
        self.assertIn(mail[:-1], ([], self.kept))

    def test_nothing_half_done(self) -> None:
        """What was refused leaves no trace, not even where much came at once."""
        self.fill()
        count = 60
        frames = [encode(SEND, "Ann", "away", f"much {number} {TEXT}") for number in range(count)]
        sender = threading.Thread(target=self.ann.send, args=frames, daemon=True)
        sender.start()
        answers = self.ann.receive_many(count)
        sender.join(10)
        self.kept += [answer.text for answer in answers if isinstance(answer, Send)]
        self.assertTrue(any(isinstance(answer, Response) for answer in answers))
        self.assertEqual(self.ann.received_so_far(), [])
        self.allow(resource.RLIM_INFINITY)
        self.ann.send_text("Ann", "away", "after")
        self.kept.append("after")
        self.check_kept()

    def test_stopped_while_full(self) -> None:
        """A daemon that is stopped, or killed, with a full disk has kept what it acknowledged."""
        self.fill()
        self.check_kept()
        self.kept = []
        self.ann = self.client().login("Ann")
        self.fill()
        self.daemon.kill()
        self.daemon = self.start()
        self.assertEqual(texts(self.client().login("away").fetch_mail()), self.kept)

    def test_deletion(self) -> None:
        """A deletion that cannot be written is refused, and the account stays whole."""
        self.fill()
        away = self.client().login("away")
        away.send(encode(DELETE))
        refusals = away.received_so_far()
        self.allow(resource.RLIM_INFINITY)
        if refusals:
            self.assertEqual(texts(away.fetch_mail()), self.kept)
        else:
            self.assertEqual(self.ann.ask(LIST, "away"), ListResponse(()))
