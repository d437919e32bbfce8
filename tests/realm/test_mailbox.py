"""A mailbox: the receipts that are due, when it is released, and what an ephemeral store trims."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.live_log import MIN_RETAINED
from chatd.realm.mailbox import Mailbox
from tests.doubles.realm import RealmHarness, Runner
from tests.doubles.stores import HeldStore


class Receipts(SynchronousTestCase):
    """Which senders are due a receipt."""

    def setUp(self) -> None:
        """Entries 1 to 6, by bob and cyd in turns."""
        self.mailbox = Mailbox(HeldStore(), Runner().background, "@ann", lambda mailbox: None)
        self.mailbox.expect_receipts((seq, "cyd" if seq % 2 else "bob") for seq in range(1, 7))

    def test_receipts_are_due_by_sender(self) -> None:
        """Each sender has its seqs of the range, in order."""
        self.assertEqual(self.mailbox.receipts_due(2, 5), {"bob": [2, 4], "cyd": [3, 5]})
        self.assertEqual(self.mailbox.receipts_due(0, 10**12), {"cyd": [1], "bob": [6]})

    def test_receipts_are_due_once(self) -> None:
        """Entries that are acknowledged again give no further receipt."""
        self.mailbox.receipts_due(1, 6)
        self.assertEqual(self.mailbox.receipts_due(1, 6), {})

    def test_seqs_outside_the_range_stay_due(self) -> None:
        """Ranges may be empty, and may begin or end where no receipt is due."""
        self.assertEqual(self.mailbox.receipts_due(7, 9), {})
        self.assertEqual(self.mailbox.receipts_due(5, 4), {})
        self.assertEqual(self.mailbox.receipts_due(6, 9), {"bob": [6]})
        self.assertEqual(self.mailbox.receipts_due(1, 9), {"bob": [2, 4], "cyd": [1, 3, 5]})

    def test_oldest_are_dropped_over_the_limit(self) -> None:
        """A limited number of entries is remembered for an account that never acknowledges."""
        self.mailbox.expect_receipts((seq, "bob") for seq in range(7, 10_000))
        self.assertEqual(self.mailbox.receipts_due(1, 6), {})
        self.assertEqual(self.mailbox.receipts_due(9_999, 9_999), {"bob": [9_999]})

    def test_latest_4096_to_8192_are_remembered(self) -> None:
        """Over the upper bound only the latest 4,096 are remembered."""
        self.mailbox.expect_receipts((seq, "bob") for seq in range(7, 8_193))
        self.assertEqual(len(self.mailbox.unconfirmed), 8_192)
        self.mailbox.expect_receipts([(8_193, "bob")])
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
        self.mailbox = Mailbox(
            self.harness.store, self.harness.runner.background, "@ann", self.released.append
        )

    def test_head_is_read_when_it_is_loaded(self) -> None:
        """The head is read once; entries that are committed later advance it."""
        self.assertFalse(self.mailbox.loaded)
        self.harness.run(self.mailbox.load())
        self.assertEqual((self.mailbox.loaded, self.mailbox.head), (True, 2))
        self.mailbox.head = 9
        self.harness.run(self.mailbox.load())
        self.assertEqual(self.mailbox.head, 9)

    def test_results_of_other_reads_are_returned(self) -> None:
        """The results are returned whether or not the mailbox had been loaded."""
        for _ in range(2):
            results = self.harness.run(self.mailbox.load(self.harness.store.head("@ann")))
            self.assertEqual(results, [2])

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
        self.harness.login("ann")

    def test_ephemeral_store_trims_consumed_entries(self) -> None:
        """A store in memory retains waiting entries, and the latest of those that were read."""
        self.harness.fetch("ann")
        for number in range(5 * MIN_RETAINED):
            self.harness.send("bob", "ann", str(number))
        self.assertLessEqual(
            len(self.successResultOf(self.harness.store.read("@ann", 0, 10_000))), 2 * MIN_RETAINED
        )
        self.harness.logout("ann")
        self.harness.send("bob", "ann", "waits")
        recorder = self.harness.login("ann")
        for number in range(3 * MIN_RETAINED):
            self.harness.send("bob", "ann", str(number))
        self.harness.fetch("ann")
        self.assertEqual(recorder.texts[3 * MIN_RETAINED :], ["waits"])
