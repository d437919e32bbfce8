"""Bulk inserts: the rows that are stored, and the statements that store them."""

from __future__ import annotations

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from chatd.stores.sqlite.bulk_insert import BulkInsert


class BulkInsertTests(SynchronousTestCase):
    """`BulkInsert` into a table in memory, with 16 rows in a statement."""

    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)
        self.connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, square INTEGER)")
        self.statements: list[str] = []
        self.connection.set_trace_callback(self.statements.append)

    def insert(self, count: int) -> None:
        """Insert the first numbers with their squares."""
        values = [value for n in range(count) for value in (n, n * n)]
        BulkInsert("INSERT INTO numbers (n, square)", 2).insert(self.connection, values)

    def rows(self) -> list[tuple[int, int]]:
        """All rows."""
        return self.connection.execute("SELECT n, square FROM numbers ORDER BY n").fetchall()

    def test_any_number_of_rows_is_inserted(self) -> None:
        """Fewer than a group, whole groups, and a remainder."""
        for count in (0, 1, 15, 16, 17, 31, 32, 100):
            self.insert(count)
            self.assertEqual(self.rows(), [(n, n * n) for n in range(count)], count)
            self.connection.execute("DELETE FROM numbers")

    def test_groups_take_one_statement_each(self) -> None:
        """The rows of the remainder take one each."""
        for count, statements in ((0, 0), (15, 15), (16, 1), (35, 2 + 3)):
            self.statements.clear()
            self.insert(count)
            self.assertEqual(len(self.statements), statements, count)
            self.connection.execute("DELETE FROM numbers")

    def test_statement_for_one_row_is_public(self) -> None:
        """Callers with a single row use it."""
        insert = BulkInsert("INSERT INTO numbers (n, square)", 2)
        self.assertEqual(insert.columns, 2)
        self.connection.execute(insert.one, (3, 9))
        self.assertEqual(self.rows(), [(3, 9)])

    def test_error_of_a_row_is_raised(self) -> None:
        """The caller rolls back its transaction."""
        self.insert(1)
        self.assertRaises(sqlite3.IntegrityError, self.insert, 20)
