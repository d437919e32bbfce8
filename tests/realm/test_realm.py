"""The realm: sending, sessions, back-pressure, and deleting accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.core.errors import (
    AlreadyLoggedIn,
    NotTheSender,
    Refused,
    StoreUnavailable,
    TextTooLong,
    UnknownAccount,
)
from chatd.realm.accounts import Account
from chatd.realm.auto_ack_session import AutoAckSession as Session
from chatd.realm.claims import Claim
from chatd.realm.live_log import Run
from chatd.stores import Append
from chatd.stores.batches import Batch
from tests.doubles.realm import OPEN, HeldStore, RealmHarness, Recorder, Text
from tests.doubles.stores import FailingDocumentStore, flush_unavailable


class RealmCase(SynchronousTestCase):
    """The accounts Ann and bob, over a store that can fail."""

    limits: dict[str, Any] = {}

    def setUp(self) -> None:
        """Register the accounts and log bob in."""
        self.store = FailingDocumentStore()
        self.harness = RealmHarness(self.store, **self.limits)
        self.realm = self.harness.realm
        self.harness.register("Ann", "bob")
        self.bob = self.harness.login("bob")

    def tearDown(self) -> None:
        """Check that no background task has failed."""
        self.assertEqual(self.harness.runner.failures, [])

    def begin(self, coroutine: Any) -> Deferred[Any]:
        """Start a coroutine that waits for the store."""
        return Deferred.fromCoroutine(coroutine)

    def answered(self) -> list[str]:
        """The texts that bob was answered."""
        return [append.body for append in self.bob.answers]


class Sending(RealmCase):
    """Bursts of messages."""

    def send(self, *messages: Text) -> tuple[int, type[Refused] | None]:
        """Bob's burst: how many messages were taken, and how the next one was refused."""
        appends, refusal = self.realm.send(self.harness.sessions["bob"], messages)
        self.realm.flush()
        return len(appends), None if refusal is None else type(refusal)

    def test_burst_is_sent_up_to_the_first_refused_message(self) -> None:
        """The messages before it are sent, and the refusal is returned."""
        good = Text("bob", "ann", "good")
        for bad, kind in (
            (Text("ann", "ann", "forged"), NotTheSender),
            (Text("bob", "ann", "x" * 65_537), TextTooLong),
        ):
            self.assertEqual(self.send(good, good, bad, good), (2, kind))
            self.assertEqual(self.send(bad, good), (0, kind))
        self.assertEqual(self.answered(), ["good"] * 4)

    def test_burst_is_sent_up_to_a_recipient_that_is_not_cached(self) -> None:
        """Whether there is such an account is for `deliver` to find out."""
        good = Text("bob", "ann", "good")
        self.assertEqual(self.send(Text("bob", "cyd", "x"), good), (0, None))
        self.assertEqual(self.send(good, Text("bob", "cyd", "x")), (1, None))
        self.assertEqual(self.send(), (0, None))

    def test_deliver_looks_up_the_recipient(self) -> None:
        """An account that is not cached is found; an unknown one is refused."""
        bob = self.harness.sessions["bob"]
        self.realm.store.create(Account.document_kind, "Dee", msgspec.msgpack.encode(OPEN))
        message = Text("bob", "dee", "x")
        self.assertEqual(self.send(message), (0, None))
        append = self.harness.run(self.realm.deliver(bob, message))
        self.assertEqual((append.log, append.body), ("@dee", "x"))
        with self.assertRaises(UnknownAccount):
            self.harness.run(self.realm.deliver(bob, Text("bob", "cyd", "x")))
        with self.assertRaises(NotTheSender):
            self.harness.run(self.realm.deliver(bob, Text("ann", "dee", "x")))

    def test_sender_is_spelled_as_first_written(self) -> None:
        """However a client spells its own name, recipients see the name of its account."""
        reader = self.harness.login("Ann")
        self.send(Text("bob", "Ann", "1"), Text("BOB", "ANN", "2"))
        for appends in (reader.received, self.bob.answers):
            self.assertEqual([append.body for append in appends], ["1", "2"])
            self.assertEqual([append.sender for append in appends], ["bob", "bob"])

    def test_message_refused_by_the_store(self) -> None:
        """While the disk is full the sender gets a refusal, and the recipient nothing; later
        messages arrive."""
        reader = self.harness.login("Ann")
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
        self.assertEqual([(entry.seq, entry.body) for entry in reader.received], [(1, "kept")])

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


class LoggingIn(RealmCase):
    """Sessions of peers that cannot acknowledge."""

    def test_second_session_is_refused(self) -> None:
        """While an account is logged in or logging in, in any spelling."""
        self.store.eager = False
        first = self.begin(self.realm.sessions.open_auto_ack_session("Ann", OPEN, Recorder()))
        second = self.begin(self.realm.sessions.open_auto_ack_session("ANN", OPEN, Recorder()))
        self.assertTrue(self.realm.sessions.online("ann"))
        self.failureResultOf(second, AlreadyLoggedIn)
        self.store.release()
        self.failureResultOf(
            self.begin(self.realm.sessions.open_auto_ack_session("ann", OPEN, Recorder())),
            AlreadyLoggedIn,
        )
        self.successResultOf(first).end()
        self.assertFalse(self.realm.sessions.online("ann"))

    def test_login_fails_while_the_store_fails(self) -> None:
        """A login that could not read the mailbox does not prevent the next one."""
        self.store.readable = False
        self.failureResultOf(
            self.begin(self.realm.sessions.open_auto_ack_session("Ann", OPEN, Recorder())),
            StoreUnavailable,
        )
        flush_unavailable(self)
        self.assertFalse(self.realm.sessions.online("ann"))
        self.store.readable = True
        self.harness.login("Ann")

    def test_login_while_the_former_connection_closes(self) -> None:
        """The new session is opened, and fetches what did not arrive at the former connection."""
        former = self.harness.login("Ann")
        self.harness.send("bob", "ann", "arrived", "lost")
        former.lost = 1
        self.store.eager = False
        leaving = self.harness.sessions["Ann"]
        leaving.leaving = True
        reader = self.harness.login("Ann")
        self.assertTrue(leaving.ended)
        leaving.end([])
        self.harness.settle()
        self.store.eager = True
        self.harness.send("bob", "ann", "new")
        self.harness.fetch("Ann")
        self.assertEqual((former.texts, reader.texts), (["arrived", "lost"], ["new", "lost"]))
        self.assertRaises(AlreadyLoggedIn, self.harness.login, "Ann")


class BackPressure(RealmCase):
    """The bound on what waits for the store."""

    limits = {"backlog": 100}

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


class Deleting(RealmCase):
    """Deleting an account, and registering its name again."""

    def setUp(self) -> None:
        """Ann is logged in; one message waits, and one has been received."""
        super().setUp()
        self.harness.send("bob", "ann", "old")
        self.reader = self.harness.login("Ann")
        self.harness.send("bob", "ann", "read")
        self.session: Session = self.harness.sessions["Ann"]

    def test_name_is_free_and_nothing_is_left(self) -> None:
        """The next account of the name has its own spelling, and no mail, cursor or claim."""
        self.harness.run(self.realm.delete(self.session))
        self.assertTrue(self.session.ended)
        for kind in (Cursor.document_kind, Claim.document_kind):
            self.assertNotIn("@ann", self.successResultOf(self.store.list(kind)))
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob"])
        self.harness.register("ANN")
        reader = self.harness.login("ANN")
        self.harness.fetch("ANN")
        self.assertEqual(reader.texts, [])
        self.harness.send("bob", "ann", "new")
        self.assertEqual([(entry.seq, entry.body) for entry in reader.received], [(1, "new")])

    def test_session_of_a_deleted_account_has_ended(self) -> None:
        """It gets no entries of the next account of the name, and changes nothing."""
        self.harness.run(self.realm.delete(self.session))
        self.harness.register("ann")
        new = self.harness.login("ann")
        self.session.end()
        self.harness.run(self.realm.delete(self.session))
        self.harness.send("bob", "ann", "new")
        self.assertEqual((self.reader.texts, new.texts), (["read"], ["new"]))
        self.assertTrue(self.realm.sessions.online("ann"))

    def test_send_to_a_deleted_account(self) -> None:
        """The account is removed from the cache."""
        self.harness.run(self.realm.delete(self.session))
        self.assertEqual(
            self.realm.send(self.harness.sessions["bob"], [Text("bob", "ann", "x")]), ([], None)
        )
        self.assertIsNone(self.harness.run(self.realm.accounts.account("ann")))

    def test_message_sent_before_the_deletion(self) -> None:
        """It is answered, and does not reach the next account of the name."""
        self.store.eager = False
        self.harness.send("bob", "ann", "last")
        deleting = self.begin(self.realm.delete(self.session))
        self.harness.settle()
        self.successResultOf(deleting)
        self.assertEqual(self.answered(), ["old", "read", "last"])
        self.store.eager = True
        self.harness.register("ann")
        reader = self.harness.login("ann")
        self.harness.fetch("ann")
        self.assertEqual(reader.texts, [])

    def test_account_is_unknown_while_it_is_deleted(self) -> None:
        """From the start of the deletion on, lookups give None and nothing is sent to it."""
        self.store.eager = False
        before = self.begin(self.realm.accounts.account("ann"))
        deleting = self.begin(self.realm.delete(self.session))
        during = self.begin(self.realm.accounts.account("ann"))
        self.store.release()
        self.assertEqual(self.successResultOf(before), ("Ann", Account(0)))
        self.assertIsNone(self.successResultOf(during))
        self.assertEqual(
            self.realm.send(self.harness.sessions["bob"], [Text("bob", "ann", "x")]), ([], None)
        )
        registering = self.begin(self.realm.accounts.register("ann", Account(5)))
        self.harness.settle()
        self.successResultOf(deleting)
        self.successResultOf(registering)
        self.store.eager = True
        self.assertEqual(self.harness.run(self.realm.accounts.account("ann")), ("ann", Account(5)))

    def test_failed_deletion_changes_nothing(self) -> None:
        """If the store fails, the account stays and its session goes on."""
        self.store.writable = False
        # It is in one transaction with the account, so both fail.
        self.patch(self.store, "drop", lambda log: self.store._call(self.store._fail))
        self.failureResultOf(self.begin(self.realm.delete(self.session)), StoreUnavailable)
        self.store.writable = True
        flush_unavailable(self)
        self.harness.send("bob", "ann", "after")
        self.assertEqual(self.reader.texts, ["read", "after"])
        self.assertEqual(
            self.successResultOf(self.store.list(Account.document_kind)), ["Ann", "bob"]
        )
        self.harness.logout("Ann")
        reader = self.harness.login("Ann")
        self.harness.fetch("Ann")
        self.assertEqual(reader.texts, ["old"])
