"""Which entries have been sent, and which have arrived."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.tracked_transport import UntrackedTransport
from chatd.server.write_tracker import WriteTracker


class _CountingTransport(UntrackedTransport):
    """A transport that reports the byte counts that the test sets."""

    sent = 0
    arrived = 0

    def bytes_sent(self) -> int:
        """See `TrackedTransport`."""
        return self.sent

    def bytes_arrived(self) -> int:
        """See `TrackedTransport`."""
        return self.arrived


class Arrival(SynchronousTestCase):
    """Records of writes against the transport's byte counts."""

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(
        st.lists(st.lists(st.integers(1, 9), max_size=4), max_size=30),
        st.integers(0, 200),
        st.integers(0, 200),
    )
    def test_an_entry_counts_with_its_last_byte(
        self, writes: list[list[int]], sent: int, arrived: int
    ) -> None:
        """An entry is unsent, or has not arrived, as long as its last byte has not."""
        transport = _CountingTransport()
        tracker = WriteTracker(transport)
        ends: list[int] = []
        end = 0
        for sizes in writes:
            if sizes:
                tracker.record_entries(len(ends) + 1, sizes, sum(sizes))
                for size in sizes:
                    end += size
                    ends.append(end)
            else:
                tracker.record(3)
                end += 3
        arrived = min(sent, arrived)
        transport.sent, transport.arrived = sent, arrived
        self.assertEqual(tracker.unsent(), [seq for seq, end in enumerate(ends, 1) if end > sent])
        self.assertEqual(
            tracker.not_arrived(), [seq for seq, end in enumerate(ends, 1) if end > arrived]
        )
        tracker.reset()
        self.assertEqual(tracker.not_arrived(), [])

    def test_on_an_untracked_transport_everything_has_arrived(self) -> None:
        """A transport that knows nothing counts as prompt."""
        tracker = WriteTracker(UntrackedTransport())
        tracker.record_entries(1, [5], 5)
        self.assertEqual((tracker.unsent(), tracker.not_arrived()), ([], []))
