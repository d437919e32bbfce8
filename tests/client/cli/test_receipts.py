"""Read markers are sent, and receipts are summarized, after a delay."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.receipts import READ_DELAY, RECEIPT_DELAY, ReadMarkers, ReceiptSummary
from chatd.codecs import v1_messages as c


class ReadMarkersTests(SynchronousTestCase):
    """`ReadMarkers`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.requests: list[Any] = []
        self.markers = ReadMarkers(self.requests.append, self.clock)

    def test_highest_seq_of_each_log_is_sent_after_the_delay(self) -> None:
        """One request for several entries, in whatever order they were read."""
        for seq in (1, 2, 5, 4):
            self.markers.mark("@alice", seq)
        self.assertEqual(self.requests, [])
        self.clock.advance(READ_DELAY)
        self.assertEqual(self.requests, [c.MarkRead(0, "@alice", 5)])

    def test_flush_sends_at_once_and_only_once(self) -> None:
        """After a flush no timer is left."""
        self.markers.mark("#lobby", 7)
        self.markers.flush()
        self.markers.flush()
        self.assertEqual(self.requests, [c.MarkRead(0, "#lobby", 7)])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ReceiptSummaryTests(SynchronousTestCase):
    """`ReceiptSummary`."""

    def test_each_message_counts_once_with_its_final_status(self) -> None:
        """Read replaces delivered, never the reverse; a log without messages is not shown."""
        shown: list[tuple[str, str, int]] = []
        clock = Clock()
        summary = ReceiptSummary(lambda *receipt: shown.append(receipt), clock)
        summary.add("@bob", "delivered", [1, 2, 3])
        summary.add("@bob", "read", [1, 2])
        summary.add("@bob", "delivered", [2])
        summary.add("@carl", "delivered", [9])
        summary.add("@dora", "delivered", [])
        clock.advance(RECEIPT_DELAY)
        self.assertEqual(
            shown, [("@bob", "read", 2), ("@bob", "delivered", 1), ("@carl", "delivered", 1)]
        )
