"""Maintenance: removing the rows of deleted entries."""

from __future__ import annotations

from chatd.stores.sqlite import maintenance as maintenance_module
from chatd.stores.sqlite import place_runs as runs_module
from tests.doubles.sqlite_writer import WithWriter, indexed_places
from tests.stores.contract import new_text


class Purging(WithWriter):
    """Removing the rows of trimmed and dropped entries."""

    def run_all_maintenance(self) -> int:
        """Do all maintenance; the number of steps."""
        steps = 0
        while self.writer.maintenance.needed:
            self.writer.maintenance.run()
            steps += 1
        return steps

    def trim(self, log: str, upto: int) -> None:
        """Trim a log."""
        self.call(lambda writer: writer.logs.trim(log, upto))

    def rows(self) -> tuple[int, ...]:
        """The number of entries, of entries in the index, and of rows in `rubbish`."""
        connection = self.writer.connection
        entries, garbage = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("entries", "rubbish")
        )
        return entries, len(indexed_places(connection)), garbage

    def test_purge_continues_while_entries_are_appended(self) -> None:
        """Recent entries of other logs need not be indexed for it."""
        self.append(*[new_text("@old", "x") for _ in range(2000)])
        self.index()
        self.trim("@old", 1990)
        for n in range(1, 9):
            self.append(new_text("@a", "x"))
            self.writer.maintenance.run()
            self.assertEqual(len(self.writer._recent), n)
        self.assertEqual(self.rows(), (18, 10, 0))
        self.assertEqual(self.seqs("@old"), list(range(1991, 2001)))

    def test_purge_of_recent_entries_indexes_them_first(self) -> None:
        """Their keys are removed, too."""
        self.append(*[new_text("@a", "x", str(n)) for n in range(5)], new_text("@b", "x", "k"))
        self.trim("@a", 3)
        self.run_all_maintenance()
        self.assertEqual(self.rows(), (3, 3, 0))
        self.assertEqual((self.seqs("@a"), self.seqs("@b")), ([4, 5], [1]))

    def test_purge_of_a_log_indexed_in_part_is_complete(self) -> None:
        """Indexed and recent entries are removed."""
        self.append(*[new_text("@a", "x") for _ in range(5)])
        self.index()
        self.append(*[new_text("@a", "x") for _ in range(5)])
        self.trim("@a", 8)
        self.run_all_maintenance()
        self.assertEqual(self.rows(), (2, 2, 0))
        self.assertEqual(self.seqs("@a"), [9, 10])

    def test_purge_after_a_crash_between_two_steps_is_complete(self) -> None:
        """Entries both indexed and recent are removed once."""
        self.append(*[new_text(log, "x") for log in ("@a", "@b") for _ in range(5)])
        self.begin_index()
        self.reopen()
        self.trim("@a", 3)
        self.run_all_maintenance()
        self.assertEqual(self.rows(), (7, 7, 0))
        self.assertEqual((self.seqs("@a"), self.seqs("@b")), ([4, 5], [1, 2, 3, 4, 5]))

    def test_run_is_removed_with_its_last_entry(self) -> None:
        """The entries that are trimmed before are removed at once, and only once."""
        self.append(*[new_text("@a", "x") for _ in range(5)])
        self.index()
        for upto, rows in ((2, (3, 3, 0)), (4, (1, 1, 0)), (5, (0, 0, 0))):
            self.trim("@a", upto)
            self.run_all_maintenance()
            self.assertEqual(self.rows(), rows)
            runs = self.writer.connection.execute("SELECT count(*) FROM place_runs").fetchone()
            self.assertEqual(runs, (int(upto < 5),))
        self.assertEqual(self.append(new_text("@a", "y")), [(6, False)])
        self.assertEqual(self.seqs("@a"), [6])

    def test_purge_ends_where_a_step_ends_within_a_run(self) -> None:
        """What the step has removed of the run is not removed again for ever."""
        self.patch(maintenance_module, "_PURGE_STEP", 2)
        self.patch(runs_module, "RUN_ENTRIES", 3)
        self.append(*[new_text("@a", "x") for _ in range(9)])
        self.index()
        for upto, steps in ((2, 2), (7, 4)):
            self.trim("@a", upto)
            self.assertEqual(self.run_all_maintenance(), steps)
        self.assertEqual(self.rows(), (2, 2, 0))

    def test_each_step_purges_a_bounded_number(self) -> None:
        """The steps do not delay commits."""
        self.append(*[new_text("@a", "x") for _ in range(1200)])
        self.index()
        self.drop("@a")
        self.assertEqual(self.run_all_maintenance(), 4)
        self.assertEqual(self.rows(), (0, 0, 0))
        self.assertFalse(self.writer.logs.has_garbage)
