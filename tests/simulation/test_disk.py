"""What the simulated disk holds after a commit that failed in fsync."""

from __future__ import annotations

import sqlite3
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.disk import NO_SYNC, Disk


class CommitWithoutSync(SynchronousTestCase):
    """A table with one row, and a transaction that adds another and cannot be synced."""

    def setUp(self) -> None:
        self.disk = Disk(self.mktemp(), Random(1))
        self.disk.prepare()
        self.connection = self.disk.connect(self.disk.path, writing=True)
        self.connection.execute("CREATE TABLE numbers (number)")
        self.insert(1)
        self.disk.error, self.disk.failures = NO_SYNC, 1
        self.assertRaises(sqlite3.OperationalError, self.insert, 2)
        self.connection.execute("ROLLBACK")

    def insert(self, number: int) -> None:
        """Add a row, in a transaction."""
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        self.connection.execute("COMMIT")

    def rows_after_kill(self) -> list[int]:
        """What the next daemon finds."""
        self.disk.crash(machine=False)
        connection = self.disk.connect(self.disk.path, writing=True)
        return [number for (number,) in connection.execute("SELECT number FROM numbers")]

    def test_killed_daemon(self) -> None:
        """The transaction is in the write-ahead log, and comes back."""
        rows = list(self.connection.execute("SELECT number FROM numbers"))
        self.assertEqual(rows, [(1,)])
        self.assertEqual(self.rows_after_kill(), [1, 2])

    def test_later_commit(self) -> None:
        """The next transaction is written over it."""
        self.insert(3)
        self.assertEqual(self.rows_after_kill(), [1, 3])
