"""The index of entries: runs of places, found by log and seq."""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.stores.sqlite import place_runs as runs_module
from chatd.stores.sqlite.file import migrate, migrations
from chatd.stores.sqlite.place_runs import PlaceRuns, convert_places, pack, unpack


class WithRuns(SynchronousTestCase):
    """Base of tests with a database of the last schema before the index was in runs."""

    def setUp(self) -> None:
        self.patch(runs_module, "RUN_ENTRIES", 4)
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)
        migrate(self.connection, "file", migrations()[:3])
        self.runs = PlaceRuns(self.connection)

    def rows(self, query: str) -> list[Any]:
        """The rows of a query."""
        return self.connection.execute(query).fetchall()

    def found(self, log: int, after: int, upto: int) -> list[tuple[int, int]]:
        """(seq, place) of the entries of a log in a range."""
        runs = self.runs.places(log, after, upto)
        return list(chain(*(enumerate(places, first) for first, places in runs)))


class Runs(WithRuns):
    """Log 1 with seqs 11 to 22 in runs of at most four, and log 2 with one entry."""

    def setUp(self) -> None:
        super().setUp()
        self.connection.executescript(migrations()[3])
        self.places = {seq: 1000 * seq + seq % 3 for seq in range(11, 23)}
        self.runs.insert(
            [
                (1, 11, [self.places[seq] for seq in range(11, 20)]),
                (2, 1, [5]),
                (1, 20, [self.places[seq] for seq in range(20, 23)]),
            ]
        )

    def test_packed_places_are_those_that_were_packed(self) -> None:
        """Small and large steps."""
        for places in ([1], [7, 8, 9], [3, 200, 100_000, 2**40, 2**40 + 1]):
            self.assertEqual(unpack(pack(places)), places)

    def test_any_range_of_seqs_is_found(self) -> None:
        """In order, over the ends of runs, and nothing of another log."""
        for after in range(24):
            for upto in range(24):
                expected = [
                    (seq, place) for seq, place in self.places.items() if after < seq <= upto
                ]
                self.assertEqual(self.found(1, after, upto), expected, (after, upto))

    def test_head_is_the_last_seq_of_a_log(self) -> None:
        """0 of a log without entries."""
        self.assertEqual([self.runs.head(log) for log in (1, 2, 3)], [22, 1, 0])

    def test_runs_are_removed_from_a_seq_on(self) -> None:
        """Runs that end before it, and other logs, stay."""
        self.runs.remove_from(1, 15)
        self.assertEqual([seq for seq, _ in self.found(1, 0, 99)], [11, 12, 13, 14])
        self.assertEqual(self.runs.head(2), 1)

    def test_runs_are_removed_up_to_a_seq(self) -> None:
        """A run with a later entry stays."""
        self.runs.remove_upto(1, 16)
        self.assertEqual([seq for seq, _ in self.found(1, 0, 99)], list(range(15, 23)))
        self.assertEqual(self.runs.head(2), 1)


class Conversion(WithRuns):
    """The index of the third version."""

    def convert(self, places: list[tuple[int, int, int]], placed: int) -> None:
        """Write an index of the third version, (log, seq, place), and convert it."""
        self.connection.executemany("INSERT INTO places VALUES (?, ?, ?)", places)
        self.connection.execute("UPDATE progress SET placed = ?", (placed,))
        self.connection.executescript(migrations()[3])
        convert_places(self.connection)

    def test_runs_have_all_entries(self) -> None:
        """Runs of several logs, and a new run after a gap, whatever a page of rows has."""
        places = [(1, seq, 10 * seq) for seq in range(5, 16)]
        places += [(1, seq, 10 * seq) for seq in range(20, 22)]
        places += [(2, seq, 10 * seq + 1) for seq in range(16, 22)]
        self.patch(runs_module, "_CONVERTED_ROWS", 3)
        self.convert(places, 1000)
        self.assertEqual(
            self.rows("SELECT log, first, last FROM place_runs"),
            [(1, 5, 8), (1, 9, 12), (1, 13, 15), (1, 20, 21), (2, 16, 19), (2, 20, 21)],
        )
        found = [(log, *item) for log in (1, 2) for item in self.found(log, 0, 99)]
        self.assertEqual(found, places)
        self.assertEqual(self.rows("SELECT name FROM sqlite_master WHERE name = 'places'"), [])

    def test_rows_of_recent_entries_are_left_out(self) -> None:
        """A daemon that was killed between two steps has left them; they are indexed again."""
        self.convert([(1, 1, 1), (1, 2, 2), (1, 3, 3)], 2)
        self.assertEqual(self.found(1, 0, 99), [(1, 1), (2, 2)])

    def test_empty_index_is_converted(self) -> None:
        """There are no runs."""
        self.convert([], 0)
        self.assertEqual(self.rows("SELECT * FROM place_runs"), [])
