"""A cursor, whatever is done to it, says what a plain set of numbers would say."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor, Entry

HIGHEST = 24
"""no seq in these tests is higher"""

seqs = st.integers(1, HIGHEST)
ranges = st.tuples(seqs, seqs)
steps = st.lists(st.one_of(ranges, st.frozensets(seqs, max_size=6)), max_size=12)
Step = tuple[int, int] | frozenset[int]


def played(script: list[Step]) -> tuple[Cursor, set[int]]:
    """The cursor and the set after a script: pairs are acknowledged, sets are taken back."""
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
    """Against a set of ints."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps)
    def test_has_what_was_acknowledged(self, script: list[Step]) -> None:
        """A reader has exactly the entries that were acknowledged and did not come back."""
        cursor, model = played(script)
        self.assertEqual({seq for seq in range(1, HIGHEST + 3) if cursor.has(seq)}, model)

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps)
    def test_is_as_short_as_can_be(self, script: list[Step]) -> None:
        """Ranges are in order and never touch, so that equal cursors are stored as equal bytes."""
        cursor, model = played(script)
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
    def test_waiting_is_the_rest(self, script: list[Step], head: int) -> None:
        """What waits is what is in the log and was not acknowledged, oldest first, in whole
        ranges."""
        cursor, model = played(script)
        waiting = list(cursor.waiting(head))
        listed = [seq for first, last in waiting for seq in range(first, last + 1)]
        self.assertEqual(listed, [seq for seq in range(1, head + 1) if seq not in model])
        self.assertTrue(all(first <= last for first, last in waiting))
        self.assertTrue(all(b[0] > a[1] + 1 for a, b in pairwise(waiting)))

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(steps, ranges)
    def test_is_a_value(self, script: list[Step], more: tuple[int, int]) -> None:
        """A cursor that somebody holds never changes under them."""
        cursor, _ = played(script)
        before = (cursor.upto, cursor.ahead)
        cursor.acknowledge(*more)
        cursor.without(more)
        self.assertEqual((cursor.upto, cursor.ahead), before)
        self.assertEqual(cursor.acknowledge(*more).acknowledge(*more), cursor.acknowledge(*more))

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(steps, steps)
    def test_a_union_has_what_either_has(self, script: list[Step], other: list[Step]) -> None:
        """Two cursors become one, as two sets do, in its shortest form and whichever comes
        first."""
        (cursor, model), (more, more_model) = played(script), played(other)
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
        self.assertEqual((cursor, more), (played(script)[0], played(other)[0]))

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(
        st.integers(0, HIGHEST),
        st.lists(st.tuples(st.integers(0, HIGHEST), st.integers(0, HIGHEST))),
    )
    def test_acknowledging_is_a_union_of_ranges(
        self, upto: int, ranges: list[tuple[int, int]]
    ) -> None:
        """Whether a range is old, next, apart, overlapping or none: the seqs it names are added."""
        cursor, model = Cursor(upto), set(range(1, upto + 1))
        for first, last in ranges:
            cursor = cursor.acknowledge(first, last)
            model |= set(range(max(first, 1), last + 1))
            self.assertEqual({seq for seq in range(1, HIGHEST + 3) if cursor.has(seq)}, model)

    def test_a_range_that_ends_before_it_begins_is_nothing(self) -> None:
        """Acknowledging "from 4 to 3", as an empty page would, acknowledges nothing."""
        self.assertEqual(Cursor(2).acknowledge(4, 3), Cursor(2))

    def test_a_gap_that_closes(self) -> None:
        """Reading the old mail after the new leaves a cursor without gaps."""
        cursor = Cursor(3).acknowledge(6, 9)
        self.assertEqual(cursor, Cursor(3, ((6, 9),)))
        self.assertEqual(list(cursor.waiting(9)), [(4, 5)])
        self.assertEqual(cursor.acknowledge(4, 5), Cursor(9))

    def test_what_never_was_acknowledged_cannot_come_back(self) -> None:
        """Taking back an entry that was not read, or is far ahead, changes nothing."""
        cursor = Cursor(3, ((6, 9),))
        self.assertEqual(cursor.without([4, 5, 10, 10**18]), cursor)

    def test_a_long_log_costs_nothing(self) -> None:
        """A cursor over ever so many entries is two numbers."""
        cursor = Cursor().acknowledge(1, 10**15)
        self.assertEqual(cursor, Cursor(10**15))
        self.assertEqual(list(cursor.waiting(10**15 + 1)), [(10**15 + 1, 10**15 + 1)])


class Entries(SynchronousTestCase):
    """What was said stays as it was said."""

    def test_immutable(self) -> None:
        """Nothing in the daemon can change an entry by mistake."""
        entry = Entry(1, 2, 3, "ann", "text", "hello")
        for field in Entry.__struct_fields__:
            with self.assertRaises(AttributeError):
                setattr(entry, field, getattr(entry, field))
