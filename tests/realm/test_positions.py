"""Saved state: when it is written, retries, and changes that another daemon has made meanwhile."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.core.errors import StoreUnavailable
from chatd.realm.claims import Claim
from chatd.realm.mailbox import Mailbox
from chatd.realm.read_state import ReadState, RoomPosition, Settings
from chatd.realm.saved_state import RETRY_SECONDS, SOON_SECONDS
from tests.doubles.realm import Runner
from tests.doubles.stores import FailingDocumentStore, HeldStore, flush_unavailable


class Saving(SynchronousTestCase):
    """The mailbox of ann over a store that can fail."""

    def setUp(self) -> None:
        """An empty mailbox that has been loaded."""
        self.store = FailingDocumentStore()
        self.runner = Runner()
        self.released: list[Mailbox] = []
        self.called: list[str] = []
        self.mailbox = self.load()

    def load(self) -> Mailbox:
        """The mailbox as a restarted daemon would load it."""
        mailbox = Mailbox(self.store, self.runner.background, "@ann", self.released.append)
        self.successResultOf(Deferred.fromCoroutine(mailbox.load()))
        return mailbox

    def stored(self) -> tuple[Cursor | None, Claim | None]:
        """The cursor and the claim in the store."""
        cursor = self.successResultOf(HeldStore.get(self.store, Cursor.document_kind, "@ann"))
        claim = self.successResultOf(HeldStore.get(self.store, Claim.document_kind, "@ann"))
        return (
            msgspec.msgpack.decode(cursor.body, type=Cursor) if cursor else None,
            msgspec.msgpack.decode(claim.body, type=Claim) if claim else None,
        )

    def save(self, cursor: Cursor, claim: Claim | None = None, name: str = "") -> None:
        """Save a cursor and a claim; `name` is added to `called` when `on_saved` is called."""
        self.mailbox.set_claim(cursor, claim, lambda: self.called.append(name) if name else None)

    def test_saved_state_is_loaded_after_a_restart(self) -> None:
        """The cursor with its gaps and the claim are loaded."""
        self.save(Cursor(3, ((5, 7),)), Claim(7, "boot"))
        self.assertEqual(self.stored(), (Cursor(3, ((5, 7),)), Claim(7, "boot")))
        again = self.load()
        self.assertEqual((again.cursor, again.claimed), (Cursor(3, ((5, 7),)), True))
        self.save(Cursor(8))
        again = self.load()
        self.assertEqual((again.cursor, again.claimed), (Cursor(8), False))

    def test_unchanged_state_is_not_written(self) -> None:
        """The same state again, and the state of an empty mailbox, cost no write."""
        self.save(Cursor())
        self.assertEqual((self.store.attempts, self.stored()), (0, (None, None)))
        self.save(Cursor(2), Claim(2, "boot"))
        attempts = self.store.attempts
        self.save(Cursor(2), Claim(2, "boot"), "again")
        self.assertEqual((self.store.attempts, self.called), (attempts, ["again"]))

    def test_changes_during_a_write_are_written_together(self) -> None:
        """Changes made while a write is under way cost one more write."""
        self.store.eager = False
        for upto in range(1, 10):
            self.save(Cursor(upto), name=str(upto))
        self.store.release()
        self.assertEqual((self.called, self.released), (["1"], []))
        self.store.release()
        self.assertEqual(self.called, [str(upto) for upto in range(1, 10)])
        self.store.eager = True
        self.assertEqual((self.stored()[0], self.store.attempts), (Cursor(9), 2))
        self.assertEqual(self.released, [self.mailbox])

    def test_idle_mailbox_is_released_when_saved(self) -> None:
        """A mailbox without sessions is released, but not during a login."""
        self.mailbox.reserved = 1
        self.save(Cursor(1))
        self.assertEqual(self.released, [])
        self.mailbox.reserved = 0
        self.save(Cursor(2))
        self.assertEqual(self.released, [self.mailbox])

    def test_failed_write_is_tried_again(self) -> None:
        """While the disk is full the write is tried once a second, until it succeeds."""
        self.store.writable = False
        self.save(Cursor(4), Claim(4, "boot"), "first")
        self.assertEqual(self.called, ["first"])
        for second in range(1, 6):
            self.assertEqual((self.stored(), self.store.attempts), ((None, None), 2 * second))
            self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.released, [])
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.stored(), (Cursor(4), Claim(4, "boot")))
        self.assertEqual((self.released, self.runner.clock.getDelayedCalls()), ([self.mailbox], []))
        self.assertEqual((self.called, self.runner.failures), (["first"], []))

    def test_latest_state_is_saved_after_a_failure(self) -> None:
        """Of the states set while the disk was full the last one is saved, and every `on_saved` is
        called."""
        self.store.writable = False
        self.save(Cursor(4), Claim(4, "boot"), "first")
        self.save(Cursor(5), None, "second")
        self.mailbox.saved_state.on_saved(lambda: self.called.append("third"))
        self.assertEqual(self.called, ["first"])
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(
            (self.stored(), self.called), ((Cursor(5), None), ["first", "second", "third"])
        )

    def test_failed_read_is_tried_again(self) -> None:
        """After a failure the documents are read again, until that succeeds."""
        self.save(Cursor(1), Claim(1, "boot"))
        self.store.writable = self.store.readable = False
        self.save(Cursor(2))
        self.runner.clock.pump([RETRY_SECONDS] * 3)
        self.store.readable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual((self.stored(), self.mailbox.claimed), ((Cursor(2), None), False))

    def test_claimed_until_the_claim_is_deleted(self) -> None:
        """`claimed` is true while the store may have a claim."""
        self.save(Cursor(1), Claim(1, "boot"))
        self.store.writable = False
        self.save(Cursor(1))
        self.assertTrue(self.mailbox.claimed)
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertFalse(self.mailbox.claimed)

    def overwrite(self, record: Any) -> None:
        """Store a record as another daemon would."""
        kind, body = record.document_kind, msgspec.msgpack.encode(record)
        document = self.successResultOf(HeldStore.get(self.store, kind, "@ann"))
        if document is None:
            HeldStore.create(self.store, kind, "@ann", body)
        else:
            HeldStore.update(self.store, kind, "@ann", document.version, body)

    def test_changes_of_another_writer_are_merged(self) -> None:
        """A cursor that has been changed in the store is united with this one; a claim that has
        been deleted is created again."""
        self.save(Cursor(1), Claim(1, "boot"))
        self.overwrite(Cursor(9))
        HeldStore.delete(self.store, Claim.document_kind, "@ann", 1)
        self.save(Cursor(2), Claim(2, "boot"))
        self.assertEqual(self.stored(), (Cursor(9), Claim(2, "boot")))
        self.assertEqual(self.mailbox.acknowledged, Cursor(9))

    def test_settings_of_another_writer_are_merged(self) -> None:
        """What another daemon has stored meanwhile is saved with this change, and taken over."""
        self.overwrite(Settings(("bob",)))
        self.mailbox.settings = Settings(hidden=True)
        self.mailbox.saved_state.save_now()
        self.assertEqual(self.mailbox.settings, Settings(("bob",), True))
        self.assertEqual(self.load().settings, Settings(("bob",), True))

    def test_read_state_of_another_writer_is_merged(self) -> None:
        """The merged state has the later read marker, and the rooms that either writer joined."""
        self.overwrite(ReadState(9, {"#a": RoomPosition(1, Cursor(2), 3)}))
        self.mailbox.read_state = ReadState(4, {"#b": RoomPosition(1, Cursor(5), 6)})
        self.mailbox.saved_state.save_now()
        self.assertEqual(self.mailbox.read_state.read, 9)
        self.assertEqual(set(self.mailbox.read_state.positions), {"#a", "#b"})
        self.assertEqual(self.load().read_state, self.mailbox.read_state)

    def test_merged_settings_are_kept_when_another_write_fails(self) -> None:
        """The next write does not undo what another daemon has stored."""
        self.overwrite(Settings(("bob",)))
        create = self.store.create
        kinds: list[str] = []

        def fail_first_cursor(kind: str, key: str, body: bytes, scope: str) -> Deferred[int]:
            kinds.append(kind)
            if kinds.count(kind) == 1 and kind == Cursor.document_kind:
                return fail(StoreUnavailable())
            return create(kind, key, body, scope)

        self.patch(self.store, "create", fail_first_cursor)
        self.mailbox.acked = Cursor(3)
        self.mailbox.settings = Settings(hidden=True)
        self.mailbox.saved_state.save_now()
        self.assertEqual(self.mailbox.settings, Settings(("bob",), True))
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.stored(), (Cursor(3), None))
        self.assertEqual(self.load().settings, Settings(("bob",), True))

    def test_changes_are_saved_soon(self) -> None:
        """All changes of a second are saved with one write."""
        for upto in (1, 2, 3):
            self.mailbox.acked = Cursor(upto)
            self.mailbox.saved_state.save_soon()
        self.assertEqual(self.store.attempts, 0)
        self.runner.clock.advance(SOON_SECONDS)
        self.assertEqual((self.stored()[0], self.store.attempts), (Cursor(3), 1))

    def test_entries_that_wait_again_stay_waiting_after_a_failure(self) -> None:
        """A write that succeeded although it seemed to fail is no change of another writer."""
        self.store.writable = False
        self.save(Cursor(9))
        self.overwrite(Cursor(9))
        self.save(Cursor(7))
        self.store.writable = True
        self.runner.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.stored(), (Cursor(7), None))

    def test_deleted_mailbox_is_not_saved(self) -> None:
        """Nothing is written for a deleted account, but every `on_saved` is called."""
        self.store.writable = False
        self.save(Cursor(4))
        self.save(Cursor(5), None, "waits")
        self.mailbox.deleted = True
        attempts = self.store.attempts
        self.runner.clock.pump([RETRY_SECONDS] * 5)
        self.assertEqual((self.store.attempts, self.called), (attempts, ["waits"]))
        self.assertEqual((self.released, self.runner.clock.getDelayedCalls()), ([self.mailbox], []))
        self.store.writable = True
        self.save(Cursor(6), Claim(6, "boot"), "later")
        self.assertEqual((self.stored(), self.called), ((None, None), ["waits", "later"]))

    def test_load_fails_while_the_store_fails(self) -> None:
        """A mailbox that cannot be read does not appear empty."""
        self.store.readable = False
        mailbox = Mailbox(self.store, self.runner.background, "@ann", self.released.append)
        self.failureResultOf(Deferred.fromCoroutine(mailbox.load()), StoreUnavailable)
        flush_unavailable(self)

    def test_resolving_no_claim_writes_nothing(self) -> None:
        """A mailbox without a claim stays as it is."""
        self.save(Cursor(2))
        attempts = self.store.attempts
        again = self.load()
        again.resolve_claim("boot")
        self.assertEqual((again.cursor, self.store.attempts), (Cursor(2), attempts))
