"""What the simulated disk holds after a crash."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import product
from pathlib import Path
from random import Random

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import Append, CreateLog
from chatd.stores.batches import Call
from chatd.stores.sqlite.file import migrate, migrations
from chatd.stores.sqlite.writer import Writer
from tests.doubles.stores import NULL_ORIGIN
from tests.simulation.disk import NO_SYNC, SECTOR, Disk
from tests.simulation.leftovers import integrity
from tests.simulation.threads import Killed


class Unsynced(SynchronousTestCase):
    """A file of which three sectors were synced, and then written again."""

    def setUp(self) -> None:
        self.folder = self.mktemp()

    def contents_after_crash(self, sync: bool, fails: bool = False) -> set[bytes | None]:
        """What a stop of the machine leaves of the sectors, for many disks."""
        contents: set[bytes | None] = set()
        for number in range(60):
            disk = Disk(f"{self.folder}/{number}", Random(number))
            disk.prepare()
            disk.write("chatd.db", 0, b"a" * 3 * SECTOR)
            disk.sync("chatd.db")
            disk.write("chatd.db", 0, b"b" * 3 * SECTOR)
            if fails:
                disk.error, disk.failures = NO_SYNC, 1
                self.assertEqual(disk.sync("chatd.db"), sqlite3.SQLITE_IOERR_FSYNC)
            if sync:
                self.assertEqual(disk.sync("chatd.db"), 0)
            disk.crash(machine=True)
            left = Path(disk.path).read_bytes()
            contents.add(left[::SECTOR] if set(left) <= {*b"ab"} else None)
            disk.close()
        return contents

    def test_any_sectors_are_lost(self) -> None:
        """In any order: all eight outcomes occur."""
        outcomes = {bytes(each) for each in product(b"ab", repeat=3)}
        self.assertEqual(self.contents_after_crash(sync=False), outcomes)

    def test_synced(self) -> None:
        """What was synced is there."""
        self.assertEqual(self.contents_after_crash(sync=True), {b"bbb"})

    def test_sync_after_one_that_failed(self) -> None:
        """It does not bring to the disk what the kernel has dropped."""
        self.assertIn(b"aba", self.contents_after_crash(sync=True, fails=True))


class StopInCommit(SynchronousTestCase):
    """A table, and a transaction of several pages in which the machine stops."""

    def rows_after_crash(self, number: int, synchronous: str = "FULL") -> tuple[int, bool]:
        """How many rows the next daemon finds, and whether the transaction had been carried out,
        when the machine stops in one of its writes."""
        disk = Disk(self.mktemp(), Random(number))
        disk.prepare()
        connection = disk.connect(disk.path, writing=True)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("CREATE TABLE numbers (number, text)")
        disk.die_in(number, machine=True)
        done = True
        try:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(10):
                connection.execute("INSERT INTO numbers VALUES (1, ?)", ("x" * 2000,))
            connection.execute("COMMIT")
        except Killed:
            done = False
        disk.crash(machine=True)
        self.assertEqual(disk.damage, [])
        connection = disk.connect(disk.path, writing=True)
        self.assertEqual(integrity(connection), "ok")
        try:
            ((rows,),) = connection.execute("SELECT count(*) FROM numbers")
        except sqlite3.OperationalError:
            rows = -1
        connection.close()
        disk.close()
        return rows, done

    def test_all_or_nothing(self) -> None:
        """The transaction is there as a whole, surely if it was carried out, or not at all."""
        outcomes = {self.rows_after_crash(number) for number in range(30)}
        self.assertEqual(outcomes, {(0, False), (10, False), (10, True)})

    def test_commits_that_are_not_synced(self) -> None:
        """They may be lost."""
        outcomes = {self.rows_after_crash(number, "NORMAL") for number in range(30)}
        self.assertTrue({rows for rows, done in outcomes if done} - {10})


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


class LogThatCannotBeBegun(SynchronousTestCase):
    """A file without a write-ahead log, which a daemon opens while the disk does not sync."""

    def test_connection_without_a_log_is_refused(self) -> None:
        """With a rollback journal, SQLite's commits would not be durable: the removal of the
        journal is not synced (https://sqlite.org/pragma.html#pragma_synchronous)."""
        modes = set()
        for failures in range(6):
            disk = Disk(f"{self.mktemp()}", Random(failures))
            disk.prepare()
            with closing(sqlite3.connect(disk.path)) as connection:
                connection.execute("CREATE TABLE numbers (number)")
            disk.adopt()
            disk.error, disk.failures = NO_SYNC, failures
            try:
                connection = disk.connect(disk.path, writing=True)
            except sqlite3.OperationalError:
                modes.add("refused")
            else:
                modes |= set(connection.execute("PRAGMA journal_mode").fetchone())
            disk.close()
        self.assertEqual(modes, {"refused", "wal"})


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


class KilledThenStopped(SynchronousTestCase):
    """A writer that is killed when something was written and not synced; then the machine stops."""

    def setUp(self) -> None:
        self.folder = self.mktemp()

    def bodies(self, number: int, dies: bool) -> tuple[list[str], list[str]]:
        """The entries that the next daemon finds, and those that the one after it finds. The next
        one appends an entry if the first one was not killed in a commit, as it `dies`."""
        disk = Disk(f"{self.folder}/{number}", Random(number))
        disk.prepare()
        writer = self.open(disk)
        writer.commit([Call(lambda writer: writer.write([CreateLog("@1")]))])
        self.append(writer, "stored")
        if dies:
            disk.die_in(2, machine=False)
            self.assertRaises(Killed, self.append, writer, "written")
        else:
            disk.error, disk.failures = NO_SYNC, -1
            self.append(writer, "refused")
        disk.crash(machine=False)
        disk.recover()
        writer = self.open(disk)
        if not dies:
            self.append(writer, "accepted")
        found = [entry.body for entry in writer.read("@1", 0, 10)]
        disk.crash(machine=True)
        writer = self.open(disk)
        left = [entry.body for entry in writer.read("@1", 0, 10)]
        writer.connection.close()
        disk.close()
        return found, left

    def open(self, disk: Disk) -> Writer:
        """The writer of the next daemon."""
        connection = disk.connect(disk.path, writing=True)
        migrate(connection, disk.path, migrations())
        return Writer(connection)

    def append(self, writer: Writer, body: str) -> None:
        """Append an entry."""
        writer.commit([Append("@1", 1, 1, "ann", body, NULL_ORIGIN)])

    def test_what_the_next_daemon_reads_is_on_the_disk(self) -> None:
        """Its clients may have seen it."""
        for number in range(12):
            found, left = self.bodies(number, dies=True)
            self.assertEqual(found, ["stored", "written"])
            self.assertEqual(left, found)

    def test_what_the_next_daemon_accepts_is_on_the_disk(self) -> None:
        """Also if it comes after something that could not be synced, and never was."""
        for number in range(12):
            found, left = self.bodies(number, dies=False)
            self.assertEqual(found[-1], "accepted")
            self.assertEqual(left, found)
