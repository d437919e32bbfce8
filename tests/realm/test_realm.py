"""Who is who, who is there, who is told what: one situation at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.core.errors import (
    AlreadyLoggedIn,
    IllegalName,
    NameTaken,
    NotTheSender,
    PatternTooLong,
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
from tests.doubles.realm import OPEN, HeldStore, Reader, RealmHarness, Said
from tests.doubles.stores import FailingDocumentStore, flush_unavailable


class RealmCase(SynchronousTestCase):
    """Some accounts, and Bob, who writes."""

    limits: dict[str, Any] = {}

    def setUp(self) -> None:
        """Ann and Bob have accounts; Bob is logged in."""
        self.store = FailingDocumentStore()
        self.harness = RealmHarness(self.store, **self.limits)
        self.realm = self.harness.realm
        self.harness.register("Ann", "bob")
        self.bob = self.harness.login("bob")

    def tearDown(self) -> None:
        """Nothing in the background has failed."""
        self.assertEqual(self.harness.runner.failures, [])

    def begin(self, coroutine: Any) -> Deferred[Any]:
        """A coroutine that waits for the store."""
        return Deferred.fromCoroutine(coroutine)

    def told(self) -> list[str]:
        """What Bob knows to have been accepted."""
        return [append.body for append in self.bob.answers]


class Accounts(RealmCase):
    """Registering, looking up, listing."""

    def test_names_ignore_case_and_keep_it(self) -> None:
        """A name is taken in all its spellings, and shown as first written."""
        for name in ("Ann", "ann", "ANN"):
            with self.assertRaises(NameTaken):
                self.harness.register(name)
            self.assertEqual(
                self.harness.run(self.realm.accounts.account(name)), ("Ann", Account(0))
            )

    def test_illegal_names(self) -> None:
        """What no protocol could spell is refused before the store is asked."""
        attempts = self.store.attempts
        for name in ("", "a b", "server", "x" * 33):
            with self.assertRaises(IllegalName):
                self.harness.register(name)
        self.assertEqual(self.store.attempts, attempts)

    def test_two_at_once(self) -> None:
        """Of two who want a name in the same moment one gets it."""
        self.store.eager = False
        first = self.begin(self.realm.accounts.register("cyd", Account(1)))
        second = self.begin(self.realm.accounts.register("CYD", Account(2)))
        self.store.release()
        self.successResultOf(first)
        self.failureResultOf(second, NameTaken)

    def test_unknown(self) -> None:
        """There is nobody of a name that was never registered, nor of an illegal one."""
        for name in ("cyd", "", "@ann", "*"):
            self.assertIsNone(self.harness.run(self.realm.accounts.account(name)))

    def test_list(self) -> None:
        """A listing is in order of creation, and a pattern is about the names as written."""
        self.harness.register("abe")
        for pattern, names in (
            ("*", ["Ann", "bob", "abe"]),
            ("a*", ["abe"]),
            ("[aA]*", ["Ann", "abe"]),
        ):
            self.assertEqual(self.harness.run(self.realm.accounts.names(pattern)), names)
        refusal = self.failureResultOf(
            self.begin(self.realm.accounts.names("*" * 257)), PatternTooLong
        )
        self.assertIn("257 characters, the limit is 256", str(refusal.value))


class Sending(RealmCase):
    """What becomes of a burst."""

    def send(self, *messages: Said) -> tuple[int, type[Refused] | None]:
        """Bob's burst: how many messages were taken, and how the next one was refused."""
        appends, refusal = self.realm.send(self.harness.sessions["bob"], messages)
        self.realm.flush()
        return len(appends), None if refusal is None else type(refusal)

    def test_up_to_the_first_that_is_refused(self) -> None:
        """What is good is sent; what is refused is refused when its turn has come."""
        good = Said("bob", "ann", "good")
        for bad, kind in (
            (Said("ann", "ann", "forged"), NotTheSender),
            (Said("bob", "ann", "x" * 65_537), TextTooLong),
        ):
            self.assertEqual(self.send(good, good, bad, good), (2, kind))
            self.assertEqual(self.send(bad, good), (0, kind))
        self.assertEqual(self.told(), ["good"] * 4)

    def test_unknown_recipients_have_to_be_looked_up(self) -> None:
        """The realm takes nothing for a name that it does not know, whether or not there is one."""
        good = Said("bob", "ann", "good")
        self.assertEqual(self.send(Said("bob", "cyd", "x"), good), (0, None))
        self.assertEqual(self.send(good, Said("bob", "cyd", "x")), (1, None))
        self.assertEqual(self.send(), (0, None))

    def test_deliver_looks_the_recipient_up(self) -> None:
        """One message at a time, an account that the realm has not met yet is found."""
        bob = self.harness.sessions["bob"]
        self.realm.store.create(Account.document_kind, "Dee", msgspec.msgpack.encode(OPEN))
        message = Said("bob", "dee", "x")
        self.assertEqual(self.send(message), (0, None))
        append = self.harness.run(self.realm.deliver(bob, message))
        self.assertEqual((append.log, append.body), ("@dee", "x"))
        with self.assertRaises(UnknownAccount):
            self.harness.run(self.realm.deliver(bob, Said("bob", "cyd", "x")))
        with self.assertRaises(NotTheSender):
            self.harness.run(self.realm.deliver(bob, Said("ann", "dee", "x")))

    def test_the_sender_is_shown_as_first_written(self) -> None:
        """However a client spells its own name, readers see the name of its account."""
        subscription = self.harness.login("Ann")
        self.send(Said("bob", "Ann", "1"), Said("BOB", "ANN", "2"))
        for appends in (subscription.received, self.bob.answers):
            self.assertEqual([append.body for append in appends], ["1", "2"])
            self.assertEqual([append.sender for append in appends], ["bob", "bob"])

    def test_refused_by_the_store(self) -> None:
        """When the disk is full the sender is told, nobody sees the message, and what comes later
        arrives."""
        subscription = self.harness.login("Ann")
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
        self.assertEqual(
            [(entry.seq, entry.body) for entry in subscription.received], [(1, "kept")]
        )

    def test_readers_before_senders(self) -> None:
        """When a sender hears that a batch was accepted, all its readers have been handed it."""
        order: list[str] = []

        class Noting(Reader):
            def show(self, runs: Sequence[Run]) -> None:
                order.extend("read " + entry.body for run in runs for entry in run)

            def answer(self, appends: Sequence[Append]) -> None:
                order.extend("told " + append.body for append in appends)

        for name in ("Ann", "bob"):
            if name in self.harness.sessions:
                self.harness.logout(name)
            self.harness.sessions[name] = self.harness.run(
                self.realm.sessions.open_auto_ack_session(name, OPEN, Noting())
            )
        self.store.eager = False
        for number, (sender, recipient) in enumerate(
            [("bob", "ann"), ("Ann", "bob"), ("bob", "ann")]
        ):
            self.harness.send(sender, recipient, str(number))
        self.store.release()
        self.assertEqual(order, ["read 0", "read 2", "read 1", "told 0", "told 2", "told 1"])

    def test_nobody_is_told_before_a_claim_is_gone(self) -> None:
        """While the store has it that a reader takes all, who writes to one that has left is not
        answered, nor is anyone who wrote later."""
        self.harness.login("Ann")
        self.store.writable = False
        self.harness.logout("Ann")
        self.harness.send("bob", "ann", "to ann")
        self.harness.send("bob", "bob", "to bob")
        self.assertEqual((self.told(), self.bob.texts), ([], ["to bob"]))
        self.store.writable = True
        self.harness.runner.clock.advance(1)
        self.assertEqual(self.told(), ["to ann", "to bob"])


class LoggingIn(RealmCase):
    """Sessions that begin, and what the ones before them left."""

    def test_one_at_a_time(self) -> None:
        """An account that is logged in, or about to be, is not had a second time, in any
        spelling."""
        self.store.eager = False
        first = self.begin(self.realm.sessions.open_auto_ack_session("Ann", OPEN, Reader()))
        second = self.begin(self.realm.sessions.open_auto_ack_session("ANN", OPEN, Reader()))
        self.assertTrue(self.realm.sessions.online("ann"))
        self.failureResultOf(second, AlreadyLoggedIn)
        self.store.release()
        self.failureResultOf(
            self.begin(self.realm.sessions.open_auto_ack_session("ann", OPEN, Reader())),
            AlreadyLoggedIn,
        )
        self.successResultOf(first).end()
        self.assertFalse(self.realm.sessions.online("ann"))

    def test_when_the_store_fails(self) -> None:
        """A login that could not read the mailbox is refused, and does not stand in the way of the
        next."""
        self.store.readable = False
        self.failureResultOf(
            self.begin(self.realm.sessions.open_auto_ack_session("Ann", OPEN, Reader())),
            StoreUnavailable,
        )
        flush_unavailable(self)
        self.assertFalse(self.realm.sessions.online("ann"))
        self.store.readable = True
        self.harness.login("Ann")

    def test_while_the_former_session_is_leaving(self) -> None:
        """Whoever comes back at once is let in, and finds what did not arrive at the former
        connection."""
        former = self.harness.login("Ann")
        self.harness.send("bob", "ann", "arrived", "lost")
        former.lost = 1
        self.store.eager = False
        leaving = self.harness.sessions["Ann"]
        leaving.leaving = True
        subscription = self.harness.login("Ann")
        self.assertTrue(leaving.ended)
        leaving.end([])
        self.harness.settle()
        self.store.eager = True
        self.harness.send("bob", "ann", "new")
        self.harness.fetch("Ann")
        self.assertEqual((former.texts, subscription.texts), (["arrived", "lost"], ["new", "lost"]))
        self.assertRaises(AlreadyLoggedIn, self.harness.login, "Ann")


class Congestion(RealmCase):
    """More than the store can take."""

    limits = {"backlog": 100}

    def test_until_half_of_it_has_gone(self) -> None:
        """Senders are to pause over the bound, and are called once when there is room again."""
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
    """An account goes, and somebody else takes its name."""

    def setUp(self) -> None:
        """Ann is logged in and has mail, some of it read."""
        super().setUp()
        self.harness.send("bob", "ann", "old")
        self.subscription = self.harness.login("Ann")
        self.harness.send("bob", "ann", "read")
        self.session: Session = self.harness.sessions["Ann"]

    def test_frees_the_name_and_leaves_nothing(self) -> None:
        """The new owner spells the name anew, and has no mail, no cursor and no claim of the old
        one."""
        self.harness.run(self.realm.delete(self.session))
        self.assertTrue(self.session.ended)
        for kind in (Cursor.document_kind, Claim.document_kind):
            self.assertNotIn("@ann", self.successResultOf(self.store.list(kind)))
        self.assertEqual(self.harness.run(self.realm.accounts.names()), ["bob"])
        self.harness.register("ANN")
        subscription = self.harness.login("ANN")
        self.harness.fetch("ANN")
        self.assertEqual(subscription.texts, [])
        self.harness.send("bob", "ann", "new")
        self.assertEqual([(entry.seq, entry.body) for entry in subscription.received], [(1, "new")])

    def test_the_old_session_is_really_over(self) -> None:
        """The connection that deleted the account gets nothing of the new owner's, and writes
        nothing."""
        self.harness.run(self.realm.delete(self.session))
        self.harness.register("ann")
        new = self.harness.login("ann")
        self.session.end()
        self.harness.run(self.realm.delete(self.session))
        self.harness.send("bob", "ann", "new")
        self.assertEqual((self.subscription.texts, new.texts), (["read"], ["new"]))
        self.assertTrue(self.realm.sessions.online("ann"))

    def test_sends_to_a_deleted_account(self) -> None:
        """There is nobody to send to any more, however fresh the memory of the name."""
        self.harness.run(self.realm.delete(self.session))
        self.assertEqual(
            self.realm.send(self.harness.sessions["bob"], [Said("bob", "ann", "x")]), ([], None)
        )
        self.assertIsNone(self.harness.run(self.realm.accounts.account("ann")))

    def test_on_its_way_while_the_account_goes(self) -> None:
        """What was sent before is answered, and does not reach the new owner."""
        self.store.eager = False
        self.harness.send("bob", "ann", "last")
        deleting = self.begin(self.realm.delete(self.session))
        self.harness.settle()
        self.successResultOf(deleting)
        self.assertEqual(self.told(), ["old", "read", "last"])
        self.store.eager = True
        self.harness.register("ann")
        subscription = self.harness.login("ann")
        self.harness.fetch("ann")
        self.assertEqual(subscription.texts, [])

    def test_looked_up_while_it_goes(self) -> None:
        """From the moment a deletion is on its way there is no such account, and nothing is sent to
        it."""
        self.store.eager = False
        before = self.begin(self.realm.accounts.account("ann"))
        deleting = self.begin(self.realm.delete(self.session))
        during = self.begin(self.realm.accounts.account("ann"))
        self.store.release()
        self.assertEqual(self.successResultOf(before), ("Ann", Account(0)))
        self.assertIsNone(self.successResultOf(during))
        self.assertEqual(
            self.realm.send(self.harness.sessions["bob"], [Said("bob", "ann", "x")]), ([], None)
        )
        registering = self.begin(self.realm.accounts.register("ann", Account(5)))
        self.harness.settle()
        self.successResultOf(deleting)
        self.successResultOf(registering)
        self.store.eager = True
        self.assertEqual(self.harness.run(self.realm.accounts.account("ann")), ("ann", Account(5)))

    def test_what_fails_leaves_everything(self) -> None:
        """When the store refuses, the account is there as before, and its session goes on."""
        self.store.writable = False
        # In one transaction with the account, so it fails with it.
        self.patch(self.store, "drop", lambda log: self.store._call(self.store._fail))
        self.failureResultOf(self.begin(self.realm.delete(self.session)), StoreUnavailable)
        self.store.writable = True
        flush_unavailable(self)
        self.harness.send("bob", "ann", "after")
        self.assertEqual(self.subscription.texts, ["read", "after"])
        self.assertEqual(
            self.successResultOf(self.store.list(Account.document_kind)), ["Ann", "bob"]
        )
        self.harness.logout("Ann")
        subscription = self.harness.login("Ann")
        self.harness.fetch("Ann")
        self.assertEqual(subscription.texts, ["old"])
