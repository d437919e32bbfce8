"""A mailbox: the receipts it owes, and what an ephemeral store may trim."""

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
        """The seqs of a range, by sender, in order."""
        self.assertEqual(self.mailbox.receipts_due(2, 5), {"bob": [2, 4], "cyd": [3, 5]})
        self.assertEqual(self.mailbox.receipts_due(0, 10**12), {"cyd": [1], "bob": [6]})

    def test_receipts_are_due_once(self) -> None:
        """Entries that are acknowledged again give no further receipt."""
        self.mailbox.receipts_due(1, 6)
        self.assertEqual(self.mailbox.receipts_due(1, 6), {})

    def test_oldest_are_dropped_over_the_limit(self) -> None:
        """Only so many entries are remembered for an account that never acknowledges."""
        self.mailbox.expect_receipts((seq, "bob") for seq in range(7, 10_000))
        self.assertEqual(self.mailbox.receipts_due(1, 6), {})
        self.assertEqual(self.mailbox.receipts_due(9_999, 9_999), {"bob": [9_999]})


class Trimming(SynchronousTestCase):
    """What a store in memory keeps."""

    def setUp(self) -> None:
        """Ann has a waiting message and is logged in; Bob is, too."""
        self.harness = RealmHarness()
        self.harness.register("ann", "bob")
        self.harness.login("bob")
        self.harness.send("bob", "ann", "old")
        self.harness.login("ann")

    def test_ephemeral_store_trims_consumed_entries(self) -> None:
        """In memory only the latest of the entries that were read stay, and all that wait."""
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
