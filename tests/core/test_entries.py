"""Entries, and cursors compared with plain sets of seqs."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor, Entry

HIGHEST = 24
"""the greatest seq in these tests"""

seqs = st.integers(1, HIGHEST)
ranges = st.tuples(seqs, seqs)
steps = st.lists(st.one_of(ranges, st.frozensets(seqs, max_size=6)), max_size=12)
Step = tuple[int, int] | frozenset[int]


def play(script: list[Step]) -> tuple[Cursor, set[int]]:
    """The cursor and the set after acknowledging ranges, and taking back sets of seqs."""
    cursor, model = Cursor(), set[int]()
    for step in script:
        if isinstance(step, tuple):
            cursor = cursor.acknowledge(*step)
            model |= set(range(step[0], step[1] + 1))
        else:
            cursor = cursor.without(step)
            model -= step
    return cursor, model


class Cursors(SynchronousTestCase):
    """Cursors, compared with sets of seqs."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps)
    def test_cursor_has_exactly_the_acknowledged_seqs(self, script: list[Step]) -> None:
        """Seqs that were taken back are not acknowledged."""
        cursor, model = play(script)
        self.assertEqual({seq for seq in range(1, HIGHEST + 3) if cursor.has(seq)}, model)

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps)
    def test_cursor_is_in_its_shortest_form(self, script: list[Step]) -> None:
        """Ranges are in order and not adjacent, so equal cursors have equal encodings."""
        cursor, model = play(script)
        last = cursor.upto
        for range_ in cursor.ahead:
            self.assertGreater(range_[0], last + 1)
            self.assertGreaterEqual(range_[1], range_[0])
            last = range_[1]
        rebuilt = Cursor()
        for seq in sorted(model, reverse=True):
            rebuilt = rebuilt.acknowledge(seq, seq)
        self.assertEqual(cursor, rebuilt)

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps, st.integers(0, HIGHEST + 2))
    def test_waiting_is_what_is_not_acknowledged(self, script: list[Step], head: int) -> None:
        """Up to the head, oldest first, in maximal ranges."""
        cursor, model = play(script)
        waiting = list(cursor.waiting(head))
        listed = [seq for first, last in waiting for seq in range(first, last + 1)]
        self.assertEqual(listed, [seq for seq in range(1, head + 1) if seq not in model])
        self.assertTrue(all(first <= last for first, last in waiting))
        self.assertTrue(all(b[0] > a[1] + 1 for a, b in pairwise(waiting)))

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(steps, ranges)
    def test_cursor_is_immutable(self, script: list[Step], more: tuple[int, int]) -> None:
        """Acknowledging returns another cursor."""
        cursor, _ = play(script)
        before = (cursor.upto, cursor.ahead)
        cursor.acknowledge(*more)
        cursor.without(more)
        self.assertEqual((cursor.upto, cursor.ahead), before)
        self.assertEqual(cursor.acknowledge(*more).acknowledge(*more), cursor.acknowledge(*more))

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps, steps)
    def test_union_has_the_seqs_of_both(self, script: list[Step], other: list[Step]) -> None:
        """In its shortest form, in either order."""
        (cursor, model), (more, more_model) = play(script), play(other)
        joined = cursor.union(more)
        self.assertEqual(
            {seq for seq in range(1, HIGHEST + 3) if joined.has(seq)}, model | more_model
        )
        rebuilt = Cursor()
        for seq in sorted(model | more_model, reverse=True):
            rebuilt = rebuilt.acknowledge(seq, seq)
        self.assertEqual(joined, rebuilt)
        self.assertEqual(more.union(cursor), joined)
        self.assertEqual(joined.union(cursor), joined)
        self.assertEqual((cursor, more), (play(script)[0], play(other)[0]))

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(
        st.integers(0, HIGHEST),
        st.lists(st.tuples(st.integers(0, HIGHEST), st.integers(0, HIGHEST))),
    )
    def test_acknowledge_adds_any_range(self, upto: int, ranges: list[tuple[int, int]]) -> None:
        """Old, adjacent, separate, overlapping, or empty."""
        cursor, model = Cursor(upto), set(range(1, upto + 1))
        for first, last in ranges:
            cursor = cursor.acknowledge(first, last)
            model |= set(range(max(first, 1), last + 1))
            self.assertEqual({seq for seq in range(1, HIGHEST + 3) if cursor.has(seq)}, model)

    def test_empty_range_acknowledges_nothing(self) -> None:
        """ "From 4 to 3", as for an empty page."""
        self.assertEqual(Cursor(2).acknowledge(4, 3), Cursor(2))

    def test_filled_gap_joins_the_ranges(self) -> None:
        """Reading older mail after newer mail leaves no gap."""
        cursor = Cursor(3).acknowledge(6, 9)
        self.assertEqual(cursor, Cursor(3, ((6, 9),)))
        self.assertEqual(list(cursor.waiting(9)), [(4, 5)])
        self.assertEqual(cursor.acknowledge(4, 5), Cursor(9))

    def test_taking_back_an_unacknowledged_seq_changes_nothing(self) -> None:
        """Whether it is in a gap or far ahead."""
        cursor = Cursor(3, ((6, 9),))
        self.assertEqual(cursor.without([4, 5, 10, 10**18]), cursor)

    def test_cursor_of_a_long_log_is_two_numbers(self) -> None:
        """Its size does not depend on the number of entries."""
        cursor = Cursor().acknowledge(1, 10**15)
        self.assertEqual(cursor, Cursor(10**15))
        self.assertEqual(list(cursor.waiting(10**15 + 1)), [(10**15 + 1, 10**15 + 1)])


class Entries(SynchronousTestCase):
    """Entries."""

    def test_entry_is_immutable(self) -> None:
        """Setting a field raises an error."""
        entry = Entry(1, 2, 3, "ann", "text", "hello")
        for field in Entry.__struct_fields__:
            with self.assertRaises(AttributeError):
                setattr(entry, field, getattr(entry, field))
