"""The writer's maintenance: purging the rows of deleted entries."""

from __future__ import annotations

from tests.doubles.sqlite_writer import WithWriter
from tests.stores.contract import new_text


class Purging(WithWriter):
    """Removing the rows of trimmed and dropped entries."""

    def run_all_maintenance(self) -> int:
        """Do all maintenance; the number of steps."""
        steps = 0
        while self.writer.needs_maintenance:
            self.writer.run_maintenance()
            steps += 1
        return steps

    def rows(self) -> tuple[int, ...]:
        """The number of rows in `entries`, `places` and `rubbish`."""
        return tuple(
            self.writer.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("entries", "places", "rubbish")
        )

    def test_purge_continues_while_entries_are_appended(self) -> None:
        """Recent entries of other logs need not be indexed for it."""
        self.append(*[new_text("@old", "x") for _ in range(2000)])
        self.index()
        self.call(lambda writer: writer.trim("@old", 1990))
        for n in range(1, 9):
            self.append(new_text("@a", "x"))
            self.writer.run_maintenance()
            self.assertEqual(len(self.writer._recent), n)
        self.assertEqual(self.rows(), (18, 10, 0))
        self.assertEqual(self.seqs("@old"), list(range(1991, 2001)))

    def test_purge_of_recent_entries_indexes_them_first(self) -> None:
        """Their keys are removed, too."""
        self.append(*[new_text("@a", "x", str(n)) for n in range(5)], new_text("@b", "x", "k"))
        self.call(lambda writer: writer.trim("@a", 3))
        self.run_all_maintenance()
        self.assertEqual(self.rows(), (3, 3, 0))
        self.assertEqual((self.seqs("@a"), self.seqs("@b")), ([4, 5], [1]))

    def test_purge_of_a_log_indexed_in_part_is_complete(self) -> None:
        """Indexed and recent entries are removed."""
        self.append(*[new_text("@a", "x") for _ in range(5)])
        self.index()
        self.append(*[new_text("@a", "x") for _ in range(5)])
        self.call(lambda writer: writer.trim("@a", 8))
        self.run_all_maintenance()
        self.assertEqual(self.rows(), (2, 2, 0))
        self.assertEqual(self.seqs("@a"), [9, 10])

    def test_purge_after_a_crash_between_two_steps_is_complete(self) -> None:
        """Entries both indexed and recent are removed once."""
        self.append(*[new_text(log, "x") for log in ("@a", "@b") for _ in range(5)])
        self.begin_index()
        self.reopen()
        self.call(lambda writer: writer.trim("@a", 3))
        self.run_all_maintenance()
        self.assertEqual(self.rows(), (7, 7, 0))
        self.assertEqual((self.seqs("@a"), self.seqs("@b")), ([4, 5], [1, 2, 3, 4, 5]))

    def test_each_step_purges_a_bounded_number(self) -> None:
        """The steps do not delay commits."""
        self.append(*[new_text("@a", "x") for _ in range(1200)])
        self.index()
        self.drop("@a")
        self.assertEqual(self.run_all_maintenance(), 4)
        self.assertEqual(self.rows(), (0, 0, 0))
        self.assertFalse(self.writer.has_garbage)
