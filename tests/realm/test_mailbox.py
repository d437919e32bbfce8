"""What the store is told of how far an inbox is read, and what a restart makes of it."""

from __future__ import annotations

import gc

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.core.errors import StoreUnavailable
from chatd.realm.live_log import MIN_RETAINED
from chatd.realm.mailbox import RETRY_SECONDS, Claim, Mailbox
from tests.doubles.realm import HeldStore, RealmHarness, Runner
from tests.doubles.stores import FailingDocumentStore


def forgiven(test: SynchronousTestCase) -> None:
    """Answers that failed and that nobody waited for may have been logged."""
    gc.collect()
    test.flushLoggedErrors(StoreUnavailable)


class Keeping(SynchronousTestCase):
    """One mailbox over a store that fails."""

    def setUp(self) -> None:
        """An empty mailbox, as it is when someone has logged in."""
        self.store = FailingDocumentStore()
        self.runner = Runner()
        self.settled: list[Mailbox] = []
        self.tried: list[str] = []
        self.mailbox = self.opened()

    def opened(self) -> Mailbox:
        """The mailbox as another start of the daemon would find it."""
        mailbox = Mailbox(self.store, self.runner.background, "@ann", self.settled.append)
        self.successResultOf(Deferred.fromCoroutine(mailbox.load()))
        return mailbox

    def stored(self) -> tuple[Cursor | None, Claim | None]:
        """What the store has of it."""
        cursor = self.successResultOf(HeldStore.get(self.store, Cursor.document_kind, "@ann"))
        claim = self.successResultOf(HeldStore.get(self.store, Claim.document_kind, "@ann"))
        return (
            msgspec.msgpack.decode(cursor.body, type=Cursor) if cursor else None,
            msgspec.msgpack.decode(claim.body, type=Claim) if claim else None,
        )

    def keep(self, cursor: Cursor, claim: Claim | None = None, name: str = "") -> None:
        """Have it kept; `name` is noted when it was tried."""
        self.mailbox.keep(cursor, claim, lambda: self.tried.append(name) if name else None)

    def test_kept_and_loaded(self) -> None:
        """What was kept is there for the next who opens the mailbox, gaps and all."""
        self.keep(Cursor(3, ((5, 7),)), Claim(7, "boot"))
        self.assertEqual(self.stored(), (Cursor(3, ((5, 7),)), Claim(7, "boot")))
        again = self.opened()
        self.assertEqual((again.cursor, again.claimed), (Cursor(3, ((5, 7),)), True))
        self.keep(Cursor(8))
        again = self.opened()
        self.assertEqual((again.cursor, again.claimed), (Cursor(8), False))

    def test_nothing_new_is_not_written(self) -> None:
        """Saying the same again, or that nothing was read of an empty inbox, costs no write."""
        self.keep(Cursor())
        self.assertEqual((self.store.attempts, self.stored()), (0, (None, None)))
        self.keep(Cursor(2), Claim(2, "boot"))
        attempts = self.store.attempts
        self.keep(Cursor(2), Claim(2, "boot"), "again")
        self.assertEqual((self.store.attempts, self.tried), (attempts, ["again"]))

    def test_only_the_latest_is_written(self) -> None:
        """What is said while a write is on its way is written once, in its last form."""
        self.store.eager = False
        for upto in range(1, 10):
            self.keep(Cursor(upto), name=str(upto))
        self.store.release()
        self.assertEqual((self.tried, self.settled), (["1"], []))
        self.store.release()
        self.assertEqual(self.tried, [str(upto) for upto in range(1, 10)])
        self.store.eager = True
        self.assertEqual((self.stored()[0], self.store.attempts), (Cursor(9), 2))
        self.assertEqual(self.settled, [self.mailbox])

    def test_settled_when_all_is_known(self) -> None:
        """A mailbox that nobody reads is let go, but not while someone is logging in."""
        self.mailbox.reserved = True
        self.keep(Cursor(1))
        self.assertEqual(self.settled, [])
        self.mailbox.reserved = False
        self.keep(Cursor(2))
        self.assertEqual(self.settled, [self.mailbox])

    def test_tried_again_until_it_works(self) -> None:
        """While the disk is full it is tried once a second; when there is room again, it is
        kept."""
        self.store.writable = False
        self.keep(Cursor(4), Claim(4, "boot"), "first")
        self.assertEqual(self.tried, ["first"])
        for second in range(1, 6):
            self.assertEqual((self.stored(), self.store.attempts), ((None, None), 2 * second))
            self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.settled, [])
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.stored(), (Cursor(4), Claim(4, "boot")))
        self.assertEqual((self.settled, self.runner.clock.getDelayedCalls()), ([self.mailbox], []))
        self.assertEqual((self.tried, self.runner.failures), (["first"], []))

    def test_the_latest_counts_after_a_failure(self) -> None:
        """What was said while the disk was full is what is kept in the end, and everyone hears of
        it."""
        self.store.writable = False
        self.keep(Cursor(4), Claim(4, "boot"), "first")
        self.keep(Cursor(5), None, "second")
        self.mailbox.when_kept(lambda: self.tried.append("third"))
        self.assertEqual(self.tried, ["first"])
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(
            (self.stored(), self.tried), ((Cursor(5), None), ["first", "second", "third"])
        )

    def test_a_store_that_cannot_be_read_either(self) -> None:
        """If even looking fails, it is tried again all the same."""
        self.keep(Cursor(1), Claim(1, "boot"))
        self.store.writable = self.store.readable = False
        self.keep(Cursor(2))
        self.runner.clock.pump([RETRY_SECONDS] * 3)
        self.store.readable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual((self.stored(), self.mailbox.claimed), ((Cursor(2), None), False))

    def test_claimed_until_the_claim_is_gone(self) -> None:
        """While a claim may be in the store, the mailbox says so."""
        self.keep(Cursor(1), Claim(1, "boot"))
        self.store.writable = False
        self.keep(Cursor(1))
        self.assertTrue(self.mailbox.claimed)
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertFalse(self.mailbox.claimed)

    def test_changed_by_somebody_else(self) -> None:
        """A document that was changed behind our back is read again and then written."""
        self.keep(Cursor(1), Claim(1, "boot"))
        HeldStore.update(
            self.store, Cursor.document_kind, "@ann", 1, msgspec.msgpack.encode(Cursor(9))
        )
        HeldStore.delete(self.store, Claim.document_kind, "@ann", 1)
        self.keep(Cursor(2), Claim(2, "boot"))
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.stored(), (Cursor(2), Claim(2, "boot")))

    def test_given_up_when_the_mailbox_is_gone(self) -> None:
        """For a deleted account nothing is tried any more, but those who wait are told."""
        self.store.writable = False
        self.keep(Cursor(4))
        self.keep(Cursor(5), None, "waits")
        self.mailbox.gone = True
        attempts = self.store.attempts
        self.runner.clock.pump([RETRY_SECONDS] * 5)
        self.assertEqual((self.store.attempts, self.tried), (attempts, ["waits"]))
        self.assertEqual((self.settled, self.runner.clock.getDelayedCalls()), ([self.mailbox], []))
        self.store.writable = True
        self.keep(Cursor(6), Claim(6, "boot"), "later")
        self.assertEqual((self.stored(), self.tried), ((None, None), ["waits", "later"]))

    def test_not_loaded_while_the_store_fails(self) -> None:
        """A mailbox that cannot be read is not taken for an empty one."""
        self.store.readable = False
        mailbox = Mailbox(self.store, self.runner.background, "@ann", self.settled.append)
        self.failureResultOf(Deferred.fromCoroutine(mailbox.load()), StoreUnavailable)
        forgiven(self)

    def test_settle_without_a_claim(self) -> None:
        """A mailbox that nobody was reading stays as it is."""
        self.keep(Cursor(2))
        attempts = self.store.attempts
        again = self.opened()
        again.settle("boot")
        self.assertEqual((again.cursor, self.store.attempts), (Cursor(2), attempts))


class Restarting(SynchronousTestCase):
    """kill -9, and a new daemon on the same store."""

    def setUp(self) -> None:
        """Ann has an old letter, and is logged in; Bob writes to her."""
        self.harness = RealmHarness()
        self.harness.register("ann", "bob")
        self.bob = self.harness.login("bob")
        self.harness.send("bob", "ann", "old")
        self.subscription = self.harness.login("ann")

    def restart(self, boot: str = "boot") -> None:
        """The daemon is killed and comes back."""
        self.harness = self.harness.restart(boot)

    def waiting(self) -> list[str]:
        """What ann gets when she asks, after logging in."""
        subscription = self.harness.login("ann")
        self.harness.fetch("ann")
        self.harness.logout("ann")
        self.harness.settle()
        return subscription.texts

    def test_what_was_handed_over_counts_as_read(self) -> None:
        """The kernel delivers what it was given although the daemon is gone; only old mail
        waits."""
        self.harness.send("bob", "ann", "new", "newer")
        self.assertEqual(self.subscription.texts, ["new", "newer"])
        self.restart()
        self.assertEqual(self.waiting(), ["old"])

    def test_after_the_machine_went_down_it_waits_again(self) -> None:
        """Nobody knows what became of it, so it may be seen twice rather than never."""
        self.harness.send("bob", "ann", "new", "newer")
        self.restart("another boot")
        self.assertEqual(self.waiting(), ["old", "new", "newer"])

    def test_without_a_session_it_waits(self) -> None:
        """What came after ann had left waits, whatever is restarted."""
        self.harness.logout("ann")
        self.harness.send("bob", "ann", "new")
        for boot in ("boot", "another boot"):
            self.restart(boot)
        self.assertEqual(self.waiting(), ["old", "new"])

    def test_restarts_leave_no_claims(self) -> None:
        """After a restart nobody is logged in, and the store says so."""
        self.assertEqual(
            self.successResultOf(self.harness.store.list(Claim.document_kind)), ["@bob", "@ann"]
        )
        self.restart()
        self.assertEqual(self.successResultOf(self.harness.store.list(Claim.document_kind)), [])
        self.assertFalse(self.harness.realm.online("ann"))

    def test_killed_again_and_again(self) -> None:
        """What was settled once stays settled."""
        self.harness.send("bob", "ann", "new")
        self.restart()
        self.harness.login("bob")
        self.harness.send("bob", "ann", "between")
        for boot in ("boot", "second boot", "third boot"):
            self.restart(boot)
        self.assertEqual(self.waiting(), ["old", "between"])
        self.restart("second boot")
        self.assertEqual(self.waiting(), [])

    def test_killed_while_behind(self) -> None:
        """A slow reader's mail that was not handed over waits after the restart, once."""
        self.subscription.room = 1
        self.harness.send("bob", "ann", "1", "2", "3")
        self.harness.send("bob", "ann", "4")
        self.assertEqual(self.subscription.texts, ["1", "2", "3"])
        self.restart()
        self.assertEqual(self.waiting(), ["old", "2", "3", "4"])

    def test_nobody_is_told_before_the_claim_is_taken_back(self) -> None:
        """Nobody is told that a letter was accepted while a restart could take it for read."""
        store = self.harness.store
        store.eager = False
        self.harness.send("bob", "ann", "late")
        self.harness.logout("ann")
        batch = store._take_open()
        store._commit(batch)
        store._answer(batch[:1])
        self.assertEqual([append.body for append in self.bob.answers], ["old"])
        store._answer(batch[1:])
        self.harness.settle()
        self.assertEqual([append.body for append in self.bob.answers], ["old", "late"])
        store.eager = True
        self.restart()
        self.assertEqual(self.waiting(), ["old", "late"])

    def test_crowded_cursors(self) -> None:
        """Who never fetches old mail gets new mail at once a few times, then none until it is
        fetched."""
        self.harness = RealmHarness(holes=2)
        self.harness.register("ann", "bob")
        self.harness.login("bob")
        for number in range(3):
            self.harness.send("bob", "ann", f"missed {number}")
            subscription = self.harness.login("ann")
            self.harness.send("bob", "ann", f"new {number}")
            self.assertEqual(subscription.texts, [f"new {number}"] if number < 2 else [])
            if number < 2:
                self.harness.logout("ann")
        self.harness.catch_up("ann")
        self.assertEqual(subscription.texts, [])
        self.harness.fetch("ann")
        self.assertEqual(subscription.texts, ["missed 0", "missed 1", "missed 2", "new 2"])
        self.harness.send("bob", "ann", "at once")
        self.assertEqual(subscription.texts[4:], ["at once"])
        self.harness.logout("ann")
        self.assertEqual(self.harness.login("ann").texts, [])
        self.assertFalse(self.harness.sessions["ann"].ask())

    def test_memory_forgets_what_was_read(self) -> None:
        """In memory what was read is dropped but for the latest, and what was not read never is."""
        self.harness.fetch("ann")
        for number in range(5 * MIN_RETAINED):
            self.harness.send("bob", "ann", str(number))
        self.assertLessEqual(
            len(self.successResultOf(self.harness.store.read("@ann", 0, 10_000))), 2 * MIN_RETAINED
        )
        self.harness.logout("ann")
        self.harness.send("bob", "ann", "waits")
        subscription = self.harness.login("ann")
        for number in range(3 * MIN_RETAINED):
            self.harness.send("bob", "ann", str(number))
        self.harness.fetch("ann")
        self.assertEqual(subscription.texts[3 * MIN_RETAINED :], ["waits"])
