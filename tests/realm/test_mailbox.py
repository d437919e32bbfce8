"""A mailbox: the receipts that are due, when it is released, and what an ephemeral store trims."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor
from chatd.core.errors import StoreUnavailable
from chatd.realm import changes
from chatd.realm.accounts import Account
from chatd.realm.documents import Documents
from chatd.realm.live_log import MIN_RETAINED, TRIM_INTERVAL
from chatd.realm.mailbox import Mailbox
from chatd.realm.membership import MembershipRecord
from chatd.stores import SCAN_LIMIT, Position
from tests.doubles.realm import RealmHarness, new_mailbox
from tests.doubles.stores import FailingDocumentStore, HeldStore, flush_unavailable

BOB, CYD = 2, 3
"""the ids of senders"""


class Receipts(SynchronousTestCase):
    """Which senders are due a receipt."""

    def setUp(self) -> None:
        """Entries 1 to 6, by bob and cyd in turns."""
        self.mailbox = new_mailbox(HeldStore(), 1, "ann", lambda mailbox: None)
        self.mailbox.expect_receipts((seq, CYD if seq % 2 else BOB) for seq in range(1, 7))

    def test_receipts_are_due_by_sender(self) -> None:
        """Each sender has its seqs of the range, in order."""
        self.assertEqual(self.mailbox.receipts_due(2, 5), {BOB: [2, 4], CYD: [3, 5]})
        self.assertEqual(self.mailbox.receipts_due(0, 10**12), {CYD: [1], BOB: [6]})

    def test_receipts_are_due_once(self) -> None:
        """Entries that are acknowledged again give no further receipt."""
        self.mailbox.receipts_due(1, 6)
        self.assertEqual(self.mailbox.receipts_due(1, 6), {})

    def test_seqs_outside_the_range_stay_due(self) -> None:
        """Ranges may be empty, and may begin or end where no receipt is due."""
        self.assertEqual(self.mailbox.receipts_due(7, 9), {})
        self.assertEqual(self.mailbox.receipts_due(5, 4), {})
        self.assertEqual(self.mailbox.receipts_due(6, 9), {BOB: [6]})
        self.assertEqual(self.mailbox.receipts_due(1, 9), {BOB: [2, 4], CYD: [1, 3, 5]})

    def test_oldest_are_dropped_over_the_limit(self) -> None:
        """A limited number of entries is remembered for an account that never acknowledges."""
        self.mailbox.expect_receipts((seq, BOB) for seq in range(7, 10_000))
        self.assertEqual(self.mailbox.receipts_due(1, 6), {})
        self.assertEqual(self.mailbox.receipts_due(9_999, 9_999), {BOB: [9_999]})

    def test_latest_4096_to_8192_are_remembered(self) -> None:
        """Over the upper bound only the latest 4,096 are remembered."""
        self.mailbox.expect_receipts((seq, BOB) for seq in range(7, 8_193))
        self.assertEqual(len(self.mailbox.unconfirmed), 8_192)
        self.mailbox.expect_receipts([(8_193, BOB)])
        self.assertEqual(list(self.mailbox.unconfirmed), list(range(4_098, 8_194)))


class Holding(SynchronousTestCase):
    """When a mailbox may be released, and what it reads first."""

    def setUp(self) -> None:
        """An empty mailbox in a store with two entries for it."""
        self.harness = RealmHarness()
        self.harness.register("ann", "bob")
        self.harness.login("bob")
        self.harness.send("bob", "ann", "1", "2")
        self.released: list[Mailbox] = []
        id = self.harness.account("ann").id
        self.mailbox = new_mailbox(self.harness.store, id, "ann", self.released.append)

    def load(self) -> Account | None:
        """Load the mailbox; return the record of its account."""
        account: Account | None = self.harness.run(self.mailbox.load(self.harness.realm.documents))
        return account

    def test_head_is_read_when_it_is_loaded(self) -> None:
        """The head is read once; entries that are committed later advance it."""
        self.assertFalse(self.mailbox.loaded)
        self.load()
        self.assertEqual((self.mailbox.loaded, self.mailbox.head), (True, 2))
        self.mailbox.head = 9
        self.load()
        self.assertEqual(self.mailbox.head, 9)

    def test_record_is_read_at_each_login(self) -> None:
        """It is None if the account has been deleted, also if the name belongs to another one."""
        account = self.harness.account("ann")
        for _ in range(2):
            self.assertEqual(self.load(), account)
        self.harness.run(self.harness.realm.delete_account("ann"))
        self.assertIsNone(self.load())
        self.harness.register("ann")
        self.assertIsNone(self.load())

    def test_rooms_settings_and_positions_are_loaded(self) -> None:
        """Positions in logs that the account does not follow are ignored."""
        realm = self.harness.realm
        session, _ = self.harness.login_ack("ann")
        room = self.harness.run(realm.rooms.create(session, "#Room", "", False))
        self.harness.run(realm.blocking.set_blocked(session, "bob", True))
        self.harness.store.save(
            [
                Position(session.account, session.mailbox.log, Cursor(1), 1, 5),
                Position(session.account, room.log, Cursor(3), 2),
                Position(session.account, self.harness.log("@bob"), Cursor(1)),
            ]
        )
        self.load()
        state, mailbox = self.mailbox.state, self.mailbox
        self.assertEqual((state.cursor, state.read, state.seen), (Cursor(1), 1, 5))
        self.assertEqual(mailbox.settings.blocked, {self.harness.account("bob").id: "bob"})
        self.assertEqual(list(mailbox.memberships), ["#room"])
        membership = mailbox.memberships["#room"]
        self.assertEqual((membership.room, membership.since), (room.id, room.record.created))
        self.assertEqual((membership.state.cursor, membership.state.read), (Cursor(3), 2))

    def test_more_rooms_than_a_page_of_documents_are_loaded(self) -> None:
        """An operator may allow more rooms for each account, and fewer later."""
        scope = str(self.harness.account("ann").id)
        rows = [
            changes.create(str(room), MembershipRecord(f"#{room}", 1), scope)
            for room in range(1, SCAN_LIMIT + 3)
        ]
        self.harness.store.write(rows)
        self.load()
        self.assertEqual(len(self.mailbox.memberships), SCAN_LIMIT + 2)

    def test_mailbox_that_cannot_be_read_is_not_loaded(self) -> None:
        """It does not appear empty."""
        store = FailingDocumentStore()
        mailbox = new_mailbox(store, 1, "ann", self.released.append)
        store.readable = False
        documents = Documents(store)
        self.failureResultOf(Deferred.fromCoroutine(mailbox.load(documents)), StoreUnavailable)
        self.assertFalse(mailbox.loaded)
        flush_unavailable(self)

    def test_mailbox_is_released_when_it_is_idle(self) -> None:
        """A mailbox is not released while a login is under way."""
        self.mailbox.reserved = 1
        self.mailbox.release_if_idle()
        self.assertEqual(self.released, [])
        self.mailbox.reserved = 0
        self.mailbox.release_if_idle()
        self.assertEqual(self.released, [self.mailbox])


class Trimming(SynchronousTestCase):
    """What a store in memory retains."""

    def setUp(self) -> None:
        """Ann has a waiting message and is logged in; Bob is, too."""
        self.harness = RealmHarness()
        self.harness.register("ann", "bob")
        self.harness.login("bob")
        self.harness.send("bob", "ann", "old")
        self.recorder = self.harness.login("ann")

    def test_entries_read_after_one_that_waits_are_discarded(self) -> None:
        """The one that waits, and the latest, are retained."""
        self.harness.logout("ann")
        self.harness.send("bob", "ann", "waits")
        recorder = self.harness.login("ann")
        for number in range(9 * MIN_RETAINED):
            self.harness.send("bob", "ann", str(number))
            recorder.arrive()
        entries = self.successResultOf(self.harness.store.read(self.harness.log("@ann"), 0, 10_000))
        self.assertLessEqual(len(entries), 2 * MIN_RETAINED + TRIM_INTERVAL)
        self.assertIn("waits", [entry.body for entry in entries])
        self.assertEqual(entries[-1].body, str(9 * MIN_RETAINED - 1))
        self.harness.fetch("ann")
        self.assertEqual(recorder.texts[-1], "waits")

    def test_ephemeral_store_trims_consumed_entries(self) -> None:
        """A store in memory retains waiting entries, and the latest of those that were read."""
        recorder = self.recorder
        self.harness.fetch("ann")
        for number in range(5 * MIN_RETAINED):
            self.harness.send("bob", "ann", str(number))
            recorder.arrive()
        entries = self.successResultOf(self.harness.store.read(self.harness.log("@ann"), 0, 10_000))
        self.assertLessEqual(len(entries), 2 * MIN_RETAINED + TRIM_INTERVAL)
        self.harness.logout("ann")
        self.harness.send("bob", "ann", "waits")
        recorder = self.harness.login("ann")
        for number in range(3 * MIN_RETAINED):
            self.harness.send("bob", "ann", str(number))
            recorder.arrive()
        self.harness.fetch("ann")
        self.assertEqual(recorder.texts[3 * MIN_RETAINED :], ["waits"])
