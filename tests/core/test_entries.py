"""Entries, and cursors compared with plain sets of seqs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Cursor, Entry, without_controls

HIGHEST = 24
"""the greatest seq in these tests"""

EXAMPLES = 1500
"""how often each property is checked"""


def any_range(random: Random) -> tuple[int, int]:
    """The first seq and the last; the range is empty if the last one is less."""
    return random.randint(1, HIGHEST), random.randint(1, HIGHEST)


def any_script(random: Random) -> list[tuple[int, int]]:
    """Ranges to acknowledge."""
    return [any_range(random) for _ in range(random.randint(0, 12))]


def scripts() -> Iterator[tuple[Random, list[tuple[int, int]]]]:
    """Scripts, each with a generator for other values; the same ones in each test."""
    random = Random(1)
    for _ in range(EXAMPLES):
        yield random, any_script(random)


def play(script: list[tuple[int, int]]) -> tuple[Cursor, set[int]]:
    """The cursor and the set after acknowledging ranges."""
    cursor, model = Cursor(), set[int]()
    for first, last in script:
        cursor = cursor.acknowledge(first, last)
        model |= set(range(first, last + 1))
    return cursor, model


class Cursors(SynchronousTestCase):
    """Cursors, compared with sets of seqs."""

    def test_cursor_has_exactly_the_acknowledged_seqs(self) -> None:
        """Those of all ranges, and no others."""
        for _, script in scripts():
            cursor, model = play(script)
            found = {seq for seq in range(1, HIGHEST + 3) if cursor.has(seq)}
            self.assertEqual(found, model, script)

    def test_cursor_is_in_its_shortest_form(self) -> None:
        """Ranges are in order and not adjacent, so equal cursors have equal encodings."""
        for _, script in scripts():
            cursor, model = play(script)
            last = cursor.upto
            for range_ in cursor.ahead:
                self.assertGreater(range_[0], last + 1, script)
                self.assertGreaterEqual(range_[1], range_[0], script)
                last = range_[1]
            rebuilt = Cursor()
            for seq in sorted(model, reverse=True):
                rebuilt = rebuilt.acknowledge(seq, seq)
            self.assertEqual(cursor, rebuilt, script)

    def test_waiting_is_what_is_not_acknowledged(self) -> None:
        """Up to the head, oldest first, in maximal ranges."""
        for random, script in scripts():
            head = random.randint(0, HIGHEST + 2)
            cursor, model = play(script)
            waiting = list(cursor.waiting(head))
            listed = [seq for first, last in waiting for seq in range(first, last + 1)]
            expected = [seq for seq in range(1, head + 1) if seq not in model]
            self.assertEqual(listed, expected, (script, head))
            self.assertTrue(all(first <= last for first, last in waiting), (script, head))
            self.assertTrue(all(b[0] > a[1] + 1 for a, b in pairwise(waiting)), (script, head))

    def test_cursor_is_immutable(self) -> None:
        """Acknowledging returns another cursor."""
        for random, script in scripts():
            more = any_range(random)
            cursor, _ = play(script)
            before = (cursor.upto, cursor.ahead)
            cursor.acknowledge(*more)
            self.assertEqual((cursor.upto, cursor.ahead), before, (script, more))
            once = cursor.acknowledge(*more)
            self.assertEqual(once.acknowledge(*more), once, (script, more))

    def test_union_has_the_seqs_of_both(self) -> None:
        """In its shortest form, in either order."""
        for random, script in scripts():
            other = any_script(random)
            (cursor, model), (more, more_model) = play(script), play(other)
            joined = cursor.union(more)
            found = {seq for seq in range(1, HIGHEST + 3) if joined.has(seq)}
            self.assertEqual(found, model | more_model, (script, other))
            rebuilt = Cursor()
            for seq in sorted(model | more_model, reverse=True):
                rebuilt = rebuilt.acknowledge(seq, seq)
            self.assertEqual(joined, rebuilt, (script, other))
            self.assertEqual(more.union(cursor), joined, (script, other))
            self.assertEqual(joined.union(cursor), joined, (script, other))
            unchanged = (play(script)[0], play(other)[0])
            self.assertEqual((cursor, more), unchanged, (script, other))

    def test_acknowledged_seqs_after_a_seq_are_passed(self) -> None:
        """The next seq after the passed ones is not acknowledged."""
        for _, script in scripts():
            cursor, model = play(script)
            for seq in range(HIGHEST + 2):
                expected = seq
                while expected + 1 in model:
                    expected += 1
                self.assertEqual(cursor.passed(seq), expected, (script, seq))

    def test_missing_seqs_are_in_a_range(self) -> None:
        """The range begins and ends with seqs that are not acknowledged, or is empty."""
        for random, script in scripts():
            cursor, model = play(script)
            first, last = sorted(any_range(random))
            missing = [seq for seq in range(first, last + 1) if seq not in model]
            start, end = cursor.missing(first, last)
            if missing:
                self.assertEqual((start, end), (missing[0], missing[-1]), (script, first, last))
            else:
                self.assertEqual(end, start - 1, (script, first, last))

    def test_acknowledge_adds_any_range(self) -> None:
        """Old, adjacent, separate, overlapping, or empty."""
        random = Random(1)
        for _ in range(EXAMPLES):
            upto = random.randint(0, HIGHEST)
            cursor, model = Cursor(upto), set(range(1, upto + 1))
            done = []
            for _ in range(random.randint(0, 8)):
                first, last = random.randint(0, HIGHEST), random.randint(0, HIGHEST)
                done.append((first, last))
                cursor = cursor.acknowledge(first, last)
                model |= set(range(max(first, 1), last + 1))
                found = {seq for seq in range(1, HIGHEST + 3) if cursor.has(seq)}
                self.assertEqual(found, model, (upto, done))

    def test_empty_range_acknowledges_nothing(self) -> None:
        """ "From 4 to 3", as for an empty page."""
        self.assertEqual(Cursor(2).acknowledge(4, 3), Cursor(2))

    def test_filled_gap_joins_the_ranges(self) -> None:
        """Reading older mail after newer mail leaves no gap."""
        cursor = Cursor(3).acknowledge(6, 9)
        self.assertEqual(cursor, Cursor(3, ((6, 9),)))
        self.assertEqual(list(cursor.waiting(9)), [(4, 5)])
        self.assertEqual(cursor.acknowledge(4, 5), Cursor(9))

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

    def test_controls_are_replaced_but_line_breaks_and_tabs(self) -> None:
        """Format characters and separators, which could reorder a text or begin a line, too."""
        for text, shown in (
            ("plain \r\n\ttext é \N{GRINNING FACE}\xa0", None),
            ("\x00\x1b[2J\x7f", "??[2J?"),
            ("\x0b\x0c\x1c\x85\x9b", "?????"),
            ("\u200d\u202e\ufeff\u2028\u2029", "?????"),
        ):
            self.assertEqual(without_controls(text), text if shown is None else shown)
