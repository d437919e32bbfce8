"""Which entries end within the bytes that have arrived."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.write_tracker import WriteTracker

LOGS = ("@bob", "#lobby")


class Arrival(SynchronousTestCase):
    """Records of writes, and offsets of the stream."""

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(
        st.lists(
            st.tuples(st.sampled_from(LOGS), st.lists(st.integers(1, 9), max_size=4)), max_size=30
        ),
        st.lists(st.integers(0, 250), max_size=6),
    )
    def test_an_entry_is_taken_once_its_last_byte_has_arrived(
        self, writes: list[tuple[str, list[int]]], offsets: list[int]
    ) -> None:
        """Each entry once, in the order in which they were written, whatever the offsets are; a
        smaller offset than before takes nothing."""
        tracker = WriteTracker()
        heads = dict.fromkeys(LOGS, 0)
        entries: list[tuple[int, str, int]] = []
        end = 0
        for log, sizes in writes:
            if not sizes:
                tracker.record(3)
                end += 3
                continue
            # Bytes beside the entries, such as a heading, come before them.
            end += 2
            tracker.record_entries(log, heads[log] + 1, sizes, 2 + sum(sizes))
            for size in sizes:
                end += size
                heads[log] += 1
                entries.append((end, log, heads[log]))
        self.assertEqual(tracker.written, end)
        taken: list[tuple[str, int]] = []
        greatest = -1
        for offset in [*offsets, end]:
            greatest = max(greatest, offset)
            for log, first, last in tracker.take(offset):
                self.assertLessEqual(first, last)
                taken += [(log, seq) for seq in range(first, last + 1)]
            arrived = [(log, seq) for end, log, seq in entries if end <= greatest]
            self.assertEqual(taken, arrived)
            self.assertEqual(tracker.outstanding, len(arrived) < len(entries))

    def test_a_session_that_has_ended_takes_nothing(self) -> None:
        """After `reset` only what is written later counts, at its place in the stream."""
        tracker = WriteTracker()
        tracker.record_entries("@bob", 1, [5, 5], 10)
        tracker.reset()
        self.assertFalse(tracker.outstanding)
        tracker.record_entries("@ann", 7, [5], 5)
        self.assertEqual(list(tracker.take(14)), [])
        self.assertEqual(list(tracker.take(15)), [("@ann", 7, 7)])
        self.assertEqual(list(tracker.take(15)), [])
