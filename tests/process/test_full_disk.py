"""A full disk refuses what cannot be stored, and nothing else."""

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
    """A daemon whose files cannot grow, while the test says so."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.daemon = self.start()
        self.ann = self.client().create("Ann")
        self.bob = self.client().create("Bob")
        self.client().create("away").close()
        self.ann.send_text("Ann", "away", "before")
        self.kept = ["before"]

    def start(self) -> Daemon:
        """Start a daemon on the file of this test."""
        return Daemon(self, f"sqlite:{self.folder}/chatd.db")

    def client(self) -> SocketClient:
        """Open a connection."""
        return SocketClient(self, self.daemon)

    def allow(self, size: int) -> None:
        """Set the maximal size of a file of the daemon."""
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

    def check_stored(self) -> None:
        """Check that a restart finds what was echoed, once, and nothing else."""
        self.assertEqual(self.daemon.stop(), 0)
        self.assertNotIn("Traceback", self.daemon.output)
        self.daemon = self.start()
        away = self.client().login("away")
        self.assertEqual(texts(away.fetch_mail()), self.kept)
        away.close()
        # What was read is saved by an orderly stop.
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon = self.start()

    def test_sends_are_refused_while_the_disk_is_full(self) -> None:
        """Reading works meanwhile, and sending works again when there is space."""
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
        # Its position could not be stored while the disk was full: either it was stored later, or
        # all of the mail is delivered again.
        self.assertEqual(mail[-1], "after")
        self.assertIn(mail[:-1], ([], self.kept))

    def test_refused_batches_leave_nothing(self) -> None:
        """Even when many messages were sent at once."""
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
        self.check_stored()

    def test_stop_or_kill_with_a_full_disk_loses_nothing(self) -> None:
        """Everything that was acknowledged is stored."""
        self.fill()
        self.check_stored()
        self.kept = []
        self.ann = self.client().login("Ann")
        self.fill()
        self.daemon.kill()
        self.daemon = self.start()
        self.assertEqual(texts(self.client().login("away").fetch_mail()), self.kept)

    def test_deletion_is_refused_while_the_disk_is_full(self) -> None:
        """The account stays complete."""
        self.fill()
        away = self.client().login("away")
        away.send(encode(DELETE))
        refusals = away.received_so_far()
        self.allow(resource.RLIM_INFINITY)
        if refusals:
            self.assertEqual(texts(away.fetch_mail()), self.kept)
        else:
            self.assertEqual(self.ann.ask(LIST, "away"), ListResponse(()))
