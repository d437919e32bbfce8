"""Recent entries: access to entries in the index and to those not yet in it."""

from __future__ import annotations

from chatd.core.entries import Entry
from chatd.stores.sqlite.recent_entries import RecentEntries
from tests.doubles.sqlite_writer import WithWriter
from tests.stores.contract import new_text


class RecentEntriesTests(WithWriter):
    """Entries of three logs, of which the first ones are in the index."""

    def setUp(self) -> None:
        super().setUp()
        self.append(*[new_text("@a", f"a{n}") for n in range(1, 6)], new_text("@b", "b1"))
        self.index()
        self.append(*[new_text("@a", f"a{n}") for n in range(6, 9)], new_text("@c", "c1"))

    @property
    def recent(self) -> RecentEntries:
        """The recent entries of the writer that is open."""
        return self.writer._recent

    def number(self, log: str) -> int:
        """The number of a log in the table `logs`."""
        (number,) = self.writer.connection.execute(
            "SELECT id FROM logs WHERE name = ?", (log,)
        ).fetchone()
        return int(number)

    def test_length_counts_the_entries_that_are_not_indexed(self) -> None:
        """Of all logs."""
        self.assertEqual(len(self.recent), 4)
        self.append(new_text("@b", "b2"))
        self.assertEqual(len(self.recent), 5)
        self.index()
        self.assertEqual(len(self.recent), 0)

    def test_head_is_the_seq_of_the_latest_entry(self) -> None:
        """Of a log with recent entries, of one that is indexed only, and of an empty one."""
        heads = [self.recent.head(number) for number in (self.number("@a"), self.number("@b"), 99)]
        self.assertEqual(heads, [8, 1, 0])

    def test_page_continues_from_the_index_into_recent_entries(self) -> None:
        """The entries are in order, and not more than the limit."""
        log = self.number("@a")
        for after, limit, seqs in (
            (0, 100, [1, 2, 3, 4, 5, 6, 7, 8]),
            (3, 4, [4, 5, 6, 7]),
            (3, 2, [4, 5]),
            (5, 2, [6, 7]),
            (7, 5, [8]),
            (8, 5, []),
            (99, 5, []),
            (0, 0, []),
        ):
            entries = list(self.recent.entries(log, after, limit))
            self.assertEqual([entry.seq for entry in entries], seqs, (after, limit))
            self.assertEqual([entry.body for entry in entries], [f"a{seq}" for seq in seqs])

    def test_entries_are_read_one_by_one(self) -> None:
        """A caller that has enough of them stops early."""
        entries = self.recent.entries(self.number("@a"), 4, 100)
        first = next(entries)
        self.assertIsInstance(first, Entry)
        self.assertEqual((first.seq, next(entries).seq), (5, 6))

    def test_recent_entries_are_loaded_after_a_kill(self) -> None:
        """Places, first seqs and heads are as they were."""
        before = dict(self.recent.places), self.recent.first, self.recent.last
        self.reopen()
        self.assertEqual((dict(self.recent.places), self.recent.first, self.recent.last), before)
        self.assertEqual(len(self.recent), 4)

    def test_all_recent_entries_are_indexed_by_one_run_of_steps(self) -> None:
        """The last step releases them."""
        self.assertFalse(self.recent.indexing)
        self.begin_index()
        self.index()
        self.assertFalse(self.recent.indexing)
        self.assertEqual((dict(self.recent.places), self.recent.first), ({}, {}))
        self.assertEqual(self.seqs("@a"), [1, 2, 3, 4, 5, 6, 7, 8])


class HalfIndexed(WithWriter):
    """Between two steps of indexing."""

    def setUp(self) -> None:
        super().setUp()
        self.append(*[new_text(log, str(n)) for n in range(5) for log in ("@a", "@b")])
        self.index()
        self.append(*[new_text(log, str(n)) for n in range(5) for log in ("@a", "@b")])
        self.begin_index()

    def check(self) -> None:
        """Both logs can be read completely, from any seq."""
        for log in ("@a", "@b"):
            for after in range(11):
                self.assertEqual(self.seqs(log, after), list(range(after + 1, 11)))
                self.assertEqual(
                    self.seqs(log, after, 3), list(range(after + 1, min(after + 4, 11)))
                )

    def test_entry_in_both_is_read_once(self) -> None:
        """Entries are both indexed and recent until the last step."""
        self.check()

    def test_crash_between_two_steps_loses_nothing(self) -> None:
        """Entries that are indexed are loaded as recent ones."""
        self.reopen()
        self.check()
        self.index()
        self.check()

    def test_entries_appended_meanwhile_stay_recent(self) -> None:
        """Indexing releases the planned entries only."""
        self.append(new_text("@a", "more"), new_text("@c", "other"))
        self.assertEqual(self.seqs("@a", 8), [9, 10, 11])
        while self.writer.maintenance.needed:
            self.writer.maintenance.run()
        self.assertEqual(len(self.writer._recent), 2)
        self.assertEqual((self.seqs("@a", 8), self.seqs("@c")), ([9, 10, 11], [1]))
