"""A store knows its own write-ahead log, whenever its daemon was killed."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import StoreUnavailable, StoreUnusable
from chatd.stores.sqlite.backup import copy
from chatd.stores.sqlite.file import check, connect, lock, migrate, migrations
from chatd.stores.sqlite.store import SQLiteStore
from chatd.stores.sqlite.write_ahead_log import mark, remove_marks
from tests.doubles.folders import folder
from tests.doubles.sqlite_file import InFile
from tests.stores.contract import new_text

_FILES = ("chatd.db", "chatd.db-wal")


class WriteAheadLogs(SynchronousTestCase):
    """A file and its log, and what a daemon that is killed leaves of them."""

    def setUp(self) -> None:
        self.folder = Path(folder(self))
        self.trace: Callable[[str], None] | None = None
        self._locks: dict[str, int] = {}

    def tearDown(self) -> None:
        for descriptor in self._locks.values():
            os.close(descriptor)

    def connect(self, path: str) -> sqlite3.Connection:
        """A connection of the daemon whose statements are traced."""
        connection = connect(path, writing=True)
        connection.set_trace_callback(self.trace)
        self.addCleanup(connection.close)
        return connection

    def opened(self, name: str) -> sqlite3.Connection:
        """Open the store in a folder as the daemon does, as far as the log is concerned."""
        where = self.folder / name
        where.mkdir(exist_ok=True)
        path = str(where / "chatd.db")
        if name in self._locks:
            os.close(self._locks.pop(name))
        check(path)
        descriptor = self._locks[name] = lock(path)
        remove_marks(path, os.pread(descriptor, 100, 0))
        connection = self.connect(path)
        mark(connection, path, descriptor)
        migrate(connection, path, migrations())
        return connection

    def write(self, connection: sqlite3.Connection, *numbers: int) -> None:
        """Write something for each number."""
        for number in numbers:
            connection.execute("INSERT INTO logs (name) VALUES (?)", (f"log {number}",))

    def content(self, connection: sqlite3.Connection) -> list[int]:
        """The numbers that were written."""
        names = connection.execute("SELECT name FROM logs ORDER BY id")
        return [int(name.removeprefix("log ")) for (name,) in names]

    def kill(self, name: str, killed: str) -> None:
        """Copy the files of a store to another folder: what a killed daemon leaves."""
        (self.folder / killed).mkdir()
        for file in _FILES:
            if (self.folder / name / file).exists():
                shutil.copy(self.folder / name / file, self.folder / killed / file)

    def refusal(self, name: str) -> str:
        """The sentence with which a store is refused, which changes nothing."""
        where = self.folder / name
        before = {file.name: file.read_bytes() for file in where.iterdir()}
        sentence = str(self.assertRaises(StoreUnusable, self.opened, name))
        self.assertEqual({file.name: file.read_bytes() for file in where.iterdir()}, before)
        return sentence

    def test_killed_store_is_opened_with_its_log(self) -> None:
        """The log may have been begun anew many times, and the store killed again and again."""
        name, numbers = "first", range(0)
        for run in range(4):
            connection = self.opened(name)
            self.assertEqual(self.content(connection), list(numbers))
            connection.execute("PRAGMA wal_autocheckpoint = 3")
            self.write(connection, *range(len(numbers), len(numbers) + 30))
            numbers = range(len(numbers) + 30)
            self.kill(name, f"killed {run}")
            if run == 1:
                # The log is removed, and the next one has another mark.
                connection.close()
            else:
                name = f"killed {run}"

    def test_store_is_opened_whenever_it_was_killed(self) -> None:
        """It is killed while it starts, on a new file and on an old one."""
        kills = 0

        def kill(statement: str) -> None:
            nonlocal kills
            if statement.startswith(("PRAGMA", "BEGIN", "COMMIT")):
                kills += 1
                self.kill("first", f"killed {kills}")

        for numbers in ([], [1, 2]):
            kills = 0
            self.trace = kill
            connection = self.opened("first")
            connection.set_trace_callback(None)
            self.trace = None
            if not numbers:
                self.write(connection, 1, 2)
            connection.close()
            self.assertGreater(kills, 3)
            for number in range(1, kills + 1):
                name = f"killed {number}"
                with closing(self.opened(name)) as again:
                    self.assertEqual(self.content(again), numbers)
                os.close(self._locks.pop(name))
                shutil.rmtree(self.folder / name)

    def test_copy_beside_the_log_of_its_original_is_refused(self) -> None:
        """The sentence says what to do; without the log, the copy is opened."""
        connection = self.opened("first")
        self.write(connection, 1)
        (self.folder / "copies").mkdir()
        restored = self.folder / "copies" / "chatd.db"
        copy(str(self.folder / "first" / "chatd.db"), str(restored), lambda: False)
        self.write(connection, 2)
        self.kill("first", "killed")
        shutil.copy(restored, self.folder / "killed" / "chatd.db")
        log = self.folder / "killed" / "chatd.db-wal"
        self.assertIn(f"move {log} and", self.refusal("killed"))
        log.unlink()
        self.assertEqual(self.content(self.opened("killed")), [1])

    def test_file_of_an_earlier_run_beside_a_later_log_is_refused(self) -> None:
        """The daemon was stopped when the file was copied."""
        connection = self.opened("first")
        self.write(connection, 1)
        connection.close()
        self.kill("first", "copies")
        connection = self.opened("first")
        self.write(connection, 2)
        self.kill("first", "killed")
        shutil.copy(self.folder / "copies" / "chatd.db", self.folder / "killed" / "chatd.db")
        self.refusal("killed")

    def test_log_without_content_beside_another_file_is_removed(self) -> None:
        """Its daemon was killed while it started."""
        connection = self.opened("first")
        self.write(connection, 1)
        connection.close()
        (self.folder / "killed").mkdir()
        copy(
            str(self.folder / "first" / "chatd.db"),
            str(self.folder / "killed" / "chatd.db"),
            lambda: False,
        )
        path = str(self.folder / "first" / "chatd.db")
        connection = self.connect(path)
        connection.execute("PRAGMA user_version = 99")
        log = self.folder / "killed" / "chatd.db-wal"
        shutil.copy(f"{path}-wal", log)
        self.assertEqual(self.content(self.opened("killed")), [1])

    def test_file_without_a_mark_is_opened_with_its_log_and_marked(self) -> None:
        """It was written by an earlier version, which was killed."""
        (self.folder / "old").mkdir()
        path = str(self.folder / "old" / "chatd.db")
        connection = self.connect(path)
        migrate(connection, path, migrations())
        self.write(connection, 1)
        self.kill("old", "killed")
        connection = self.opened("killed")
        self.assertEqual(self.content(connection), [1])
        self.write(connection, 2)
        self.kill("killed", "killed again")
        self.assertEqual(self.content(self.opened("killed again")), [1, 2])

    def test_log_that_sqlite_does_not_apply_is_ignored(self) -> None:
        """Its header is not complete, does not have its checksum, or has no frame behind it. The
        next log is known all the same."""
        self.write(self.opened("other"), 1)
        header = (self.folder / "other" / "chatd.db-wal").read_bytes()[:4_000]
        self.opened("first").close()
        log = self.folder / "first" / "chatd.db-wal"
        for number, content in enumerate(
            (
                b"",
                b"x" * 31,
                b"x" * 5_000,
                b"\x37\x7f\x06\x82" + bytes(5_000),
                header[:32],
                header,
                header[:32] + bytes(5_000),
            )
        ):
            log.write_bytes(content)
            connection = self.opened("first")
            self.assertEqual(self.content(connection), list(range(number)))
            self.write(connection, number)
            self.kill("first", f"killed {number}")
            killed = self.opened(f"killed {number}")
            self.assertEqual(self.content(killed), list(range(number + 1)))
            connection.close()

    def test_log_of_which_only_the_header_was_written_is_ignored(self) -> None:
        """A daemon that is killed, or meets an error, in its first write leaves one; that of a
        second such daemon may have any salt."""
        connection = self.opened("first")
        self.write(connection, 1)
        connection.close()
        self.opened("other")
        log = (self.folder / "other" / "chatd.db-wal").read_bytes()
        (self.folder / "first" / "chatd.db-wal").write_bytes(log[:32])
        self.assertEqual(self.content(self.opened("first")), [1])

    def test_file_that_another_program_reads_all_the_time_is_refused(self) -> None:
        """Otherwise its log would not be known after a kill."""
        self.opened("first").close()
        path = str(self.folder / "first" / "chatd.db")
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as other,
            closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection,
        ):
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM logs").fetchone()
            sentence = str(
                self.assertRaises(StoreUnusable, mark, connection, path, self._locks["first"])
            )
        self.assertIn("in use by another program", sentence)

    def test_log_of_a_link_is_beside_the_file(self) -> None:
        """SQLite follows links, too."""
        connection = self.opened("first")
        self.write(connection, 1)
        connection.close()
        (self.folder / "links").mkdir()
        (self.folder / "links" / "chatd.db").symlink_to(self.folder / "first" / "chatd.db")
        os.close(self._locks.pop("first"))
        self.write(self.opened("links"), 2)
        self.kill("first", "killed")
        self.assertEqual(self.content(self.opened("killed")), [1, 2])


class _FullDisk(sqlite3.Connection):
    """A connection that cannot mark the log while the disk is full."""

    full = False
    refused = "PRAGMA schema_version ="

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        """See `sqlite3.Connection`."""
        if self.full and statement.startswith(self.refused):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(statement, *parameters)


class _NoCheckpoint(_FullDisk):
    """A connection that cannot write the log to the file while the disk is full, as it is from the
    beginning."""

    full = True
    refused = "PRAGMA wal_checkpoint"


class FullDisks(InFile):
    """A store that is opened while its disk is full."""

    async def test_nothing_is_written_before_the_log_is_known(self) -> None:
        """The store can be read meanwhile. When there is space, it is opened after a kill."""
        await self.append(new_text("@a", "before"))
        await self.store.stop()
        connections: list[_FullDisk] = []

        def connect_full(path: str, *, writing: bool) -> sqlite3.Connection:
            connection = connect(path, writing=writing, factory=_FullDisk)
            assert isinstance(connection, _FullDisk)
            connection.full = True
            connections.append(connection)
            return connection

        self.store = SQLiteStore(reactor, self.path, connect=connect_full)
        self.store.start()
        self.assertEqual([entry.body for entry in await self.store.read("@a", 0, 9)], ["before"])
        (refused,) = await self.append(new_text("@a", "refused"))
        self.assertIsInstance(refused.refusal, StoreUnavailable)
        created = self.create("kind", "key", b"")
        await self.assertFailure(created, StoreUnavailable)
        connections[0].full = False
        (after,) = await self.append(new_text("@a", "after"))
        self.assertEqual((after.seq, after.refusal), (2, None))
        killed = os.path.join(folder(self), "chatd.db")
        for suffix in ("", "-wal"):
            shutil.copy(self.path + suffix, killed + suffix)
        await self.store.stop()
        check(killed)
        self.store = SQLiteStore(reactor, killed)
        self.store.start()
        self.assertEqual(await self.store.head("@a"), 2)

    async def test_nothing_is_written_before_the_mark_is_on_the_disk(self) -> None:
        """The file has the mark, but perhaps in memory only: a checkpoint failed before the daemon
        was killed, and fails again. The log of a file that loses its mark would be refused."""
        await self.append(new_text("@a", "before"))
        killed = os.path.join(folder(self), "chatd.db")
        for suffix in ("", "-wal"):
            shutil.copy(self.path + suffix, killed + suffix)
        await self.store.stop()
        connections: list[sqlite3.Connection] = []

        def connect_full(path: str, *, writing: bool) -> sqlite3.Connection:
            connections.append(connect(path, writing=writing, factory=_NoCheckpoint))
            return connections[-1]

        self.store = SQLiteStore(reactor, killed, connect=connect_full)
        self.store.start()
        self.assertEqual([entry.body for entry in await self.store.read("@a", 0, 9)], ["before"])
        (refused,) = await self.append(new_text("@a", "refused"))
        self.assertIsInstance(refused.refusal, StoreUnavailable)
        connections[0].full = False  # type: ignore[attr-defined]
        (after,) = await self.append(new_text("@a", "after"))
        self.assertEqual((after.seq, after.refusal), (2, None))
