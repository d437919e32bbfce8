"""Delivery: committed entries to sessions, then answers to senders; back-pressure."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.core.errors import StoreUnavailable
from chatd.realm.live_log import Run
from chatd.stores import Append
from chatd.stores.batches import Batch
from tests.doubles.realm import OPEN, Recorder
from tests.doubles.stores import HeldStore
from tests.realm.case import RealmCase


class Order(RealmCase):
    """What happens when a batch has been committed, and in what order."""

    def setUp(self) -> None:
        """Log bob in."""
        super().setUp()
        self.bob = self.harness.login("bob")

    def answered(self) -> list[str]:
        """The texts for which bob's peer was answered."""
        return [append.body for append in self.bob.answers]

    def test_message_refused_by_the_store(self) -> None:
        """While the disk is full the sender gets a refusal, and the recipient nothing; later
        messages arrive."""
        recorder = self.harness.login("Ann")
        full = True

        def commit(batch: Batch) -> None:
            for item in batch if full else ():
                assert isinstance(item, Append)
                item.refusal = StoreUnavailable()
            if not full:
                HeldStore._commit(self.store, batch)

        self.patch(self.store, "_commit", commit)
        self.harness.send("bob", "ann", "lost")
        full = False
        self.harness.send("bob", "ann", "kept")
        self.assertEqual([bool(append.refusal) for append in self.bob.answers], [True, False])
        self.assertEqual([(entry.seq, entry.body) for entry in recorder.received], [(1, "kept")])

    def test_recipients_are_sent_a_batch_before_senders_are_answered(self) -> None:
        """A sender is answered when all recipients of the batch have been sent it."""
        order: list[str] = []

        class OrderRecorder(Recorder):
            def show(self, runs: Sequence[Run]) -> None:
                order.extend("sent " + entry.body for run in runs for entry in run.entries)

            def answer(self, appends: Sequence[Append]) -> None:
                order.extend("answered " + append.body for append in appends)

        for name in ("Ann", "bob"):
            if name in self.harness.sessions:
                self.harness.logout(name)
            self.harness.sessions[name] = self.harness.run(
                self.realm.sessions.open_auto_ack_session(name, OPEN, OrderRecorder())
            )
        self.store.eager = False
        for number, (sender, recipient) in enumerate(
            [("bob", "ann"), ("Ann", "bob"), ("bob", "ann")]
        ):
            self.harness.send(sender, recipient, str(number))
        self.store.release()
        self.assertEqual(
            order, ["sent 0", "sent 2", "sent 1", "answered 0", "answered 2", "answered 1"]
        )

    def test_no_sender_is_answered_before_a_claim_is_deleted(self) -> None:
        """While the store may have a claim of a session that has ended, neither senders to its
        mailbox are answered nor senders of later messages."""
        self.harness.login("Ann")
        self.store.writable = False
        self.harness.logout("Ann")
        self.harness.send("bob", "ann", "to ann")
        self.harness.send("bob", "bob", "to bob")
        self.assertEqual((self.answered(), self.bob.texts), ([], ["to bob"]))
        self.store.writable = True
        self.harness.runner.clock.advance(1)
        self.assertEqual(self.answered(), ["to ann", "to bob"])


class BackPressure(RealmCase):
    """The bound on what waits for the store."""

    limits = {"backlog": 100}

    def setUp(self) -> None:
        """Log bob in."""
        super().setUp()
        self.bob = self.harness.login("bob")

    def test_senders_are_resumed_at_half_the_bound(self) -> None:
        """The realm is congested over the bound; `when_clear` calls once at half of it."""
        self.store.eager = False
        called: list[str] = []
        self.harness.send("bob", "ann", "x" * 100)
        self.assertFalse(self.realm.delivery.congested)
        self.harness.send("bob", "ann", "x")
        self.assertTrue(self.realm.delivery.congested)
        self.realm.delivery.when_clear(lambda: called.append("first"))
        self.realm.delivery.when_clear(lambda: called.append("second"))
        batch = self.store._take_open()
        self.harness.send("bob", "ann", "y" * 60)
        self.store._commit(batch)
        self.store._committing = 0
        self.store._answer(batch)
        self.assertEqual((self.realm.delivery.congested, called), (False, []))
        self.store.release()
        self.store.eager = True
        self.harness.send("bob", "ann", "z")
        self.harness.send("bob", "ann", "z")
        self.assertEqual(called, ["first", "second"])
