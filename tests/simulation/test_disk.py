"""What the simulated disk holds after a commit that failed in fsync."""

from __future__ import annotations

import sqlite3
from random import Random

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import Append, CreateLog
from chatd.stores.batches import Call
from chatd.stores.sqlite.file import migrate, migrations
from chatd.stores.sqlite.writer import Writer
from tests.doubles.stores import NULL_ORIGIN
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


class RefusedEntries(SynchronousTestCase):
    """The writer of the store, whose commit fails in fsync."""

    def setUp(self) -> None:
        self.disk = Disk(self.mktemp(), Random(1))
        self.disk.prepare()
        self.writer = self.open()
        self.writer.commit([Call(lambda writer: writer.write([CreateLog("@1")]))])
        self.append("stored")

    def open(self) -> Writer:
        """The writer of the next daemon."""
        connection = self.disk.connect(self.disk.path, writing=True)
        migrate(connection, self.disk.path, migrations())
        return Writer(connection)

    def append(self, body: str) -> bool:
        """Append an entry; whether it was stored."""
        append = Append("@1", 1, 1, "ann", body, NULL_ORIGIN)
        return self.writer.commit([append]) is None and append.refusal is None

    def bodies_after_kill(self) -> list[str]:
        """The entries that the next daemon finds."""
        self.disk.crash(machine=False)
        return [entry.body for entry in self.open().read("@1", 0, 10)]

    def test_refused_entry_does_not_reappear_after_a_kill(self) -> None:
        """Another transaction has been written over it at once."""
        self.disk.error, self.disk.failures = NO_SYNC, 1
        self.assertFalse(self.append("refused"))
        self.assertEqual(self.bodies_after_kill(), ["stored"])

    def test_refused_call_does_not_reappear_after_a_kill(self) -> None:
        """Also if the transaction of its own fails, after that of its batch: it is written over."""
        self.disk.error, self.disk.failures = NO_SYNC, 3
        call = Call(lambda writer: writer.write([CreateLog("@2")]))
        self.assertIsNotNone(self.writer.commit([call]))
        self.assertIsInstance(call.outcome, Failure)
        self.disk.crash(machine=False)
        again = Call(lambda writer: writer.write([CreateLog("@2")]))
        self.open().commit([again])
        self.assertEqual(again.outcome, [0])

    def test_refused_entry_can_reappear_while_the_disk_still_fails(self) -> None:
        """Nothing can be written over it then; the next commit that succeeds does it."""
        self.disk.error, self.disk.failures = NO_SYNC, 2
        self.assertFalse(self.append("refused"))
        self.assertTrue(self.append("next"))
        self.assertEqual(self.bodies_after_kill(), ["stored", "next"])
