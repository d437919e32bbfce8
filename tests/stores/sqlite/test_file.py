"""Which files are opened, and how their schema is brought up to date."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.core.errors import StoreUnusable
from chatd.stores.sqlite.file import check, lock, migrate, migrations
from tests.doubles.folders import folder


class Opening(SynchronousTestCase):
    """Only an undamaged, unlocked store of this or an older version is opened."""

    def setUp(self) -> None:
        self.path = os.path.join(folder(self), "chatd.db")

    def fresh(self, fill: int = 0) -> sqlite3.Connection:
        """A new store with some entries."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, self.path, migrations())
        connection.executemany(
            "INSERT INTO entries (log, seq, id, time, sender, kind, body)"
            " VALUES (1, ?, 1, 1, 'ann', 'text', ?)",
            [(seq, "x" * 500) for seq in range(fill)],
        )
        return connection

    def refusal(self) -> str:
        """The sentence with which `check` refuses the file; nothing in its folder has changed."""
        folder = Path(self.path).parent
        before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        sentence = str(self.assertRaises(StoreUnusable, check, self.path))
        after = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        self.assertEqual(before, after)
        self.assertNotIn("\n", sentence)
        return sentence

    def test_missing_file_is_accepted(self) -> None:
        """The check does not create it."""
        check(self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_empty_file_is_accepted(self) -> None:
        """An empty file becomes a store."""
        Path(self.path).touch()
        check(self.path)

    def test_store_is_accepted(self) -> None:
        """A store with entries."""
        self.fresh(100).close()
        check(self.path)

    def test_text_file_is_refused(self) -> None:
        """It is not a database."""
        Path(self.path).write_text("Dear diary, " * 100)
        self.assertIn("not a store of chatd", self.refusal())

    def test_other_database_is_refused(self) -> None:
        """It is a database, but not a store."""
        connection = sqlite3.connect(self.path)
        connection.execute("CREATE TABLE notes (text)")
        connection.close()
        self.assertIn("not a store of chatd", self.refusal())

    def test_newer_schema_is_refused(self) -> None:
        """A later version of chatd has migrated the file."""
        connection = self.fresh()
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        self.assertIn("newer chatd (schema 99", self.refusal())

    def test_truncated_store_is_refused(self) -> None:
        """Half of the file is missing."""
        self.fresh(1000).close()
        os.truncate(self.path, os.path.getsize(self.path) // 2)
        self.assertIn("damaged", self.refusal())

    def test_overwritten_page_is_refused(self) -> None:
        """Two pages have been overwritten."""
        self.fresh(1000).close()
        with open(self.path, "r+b") as file:
            file.seek(40960)
            file.write(b"\xa5" * 8192)
        self.assertIn("damaged", self.refusal())

    def test_folder_is_refused(self) -> None:
        """The path is a folder."""
        os.mkdir(self.path)
        self.assertIn("is a folder", self.refusal())

    def test_missing_folder_is_refused(self) -> None:
        """The folder of the path does not exist."""
        self.path = os.path.join(self.path, "nowhere", "chatd.db")
        sentence = str(self.assertRaises(StoreUnusable, check, self.path))
        self.assertIn("there is no folder", sentence)

    def test_locked_store_is_refused(self) -> None:
        """One daemon at a time can use a store."""
        self.fresh().close()
        holder = lock(self.path)
        self.assertIn("in use by another daemon", self.refusal())
        os.close(holder)
        check(self.path)

    def test_new_file_is_readable_by_its_owner_only(self) -> None:
        """The file has private messages."""
        os.close(lock(self.path))
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)


class Migration(SynchronousTestCase):
    """The schema is migrated script by script, each in one transaction."""

    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)

    def version(self) -> int:
        """The version of the schema."""
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    def test_only_missing_scripts_are_run(self) -> None:
        """Scripts that have been run are not run again."""
        migrate(self.connection, "x", ["CREATE TABLE a (x)"])
        migrate(self.connection, "x", ["CREATE TABLE a (x)", "CREATE TABLE b (x)"])
        self.assertEqual(self.version(), 2)

    def test_log_has_each_step_of_an_old_file(self) -> None:
        """The steps of a large file take some time; a new file has none."""
        events: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            events.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        scripts = [f"CREATE TABLE a{number} (x)" for number in range(2)]
        migrate(self.connection, "x", scripts[:1])
        self.assertEqual(events, [])
        migrate(self.connection, "x", scripts)
        self.assertEqual(events, ["The store x is brought to schema version 2 of 2"])

    def test_failed_script_changes_nothing(self) -> None:
        """The version and the tables are those of the script before."""
        scripts = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"]
        error = self.assertRaises(StoreUnusable, migrate, self.connection, "x", scripts)
        self.assertIn("schema version 2", str(error))
        self.assertEqual(self.version(), 1)
        tables = [row[0] for row in self.connection.execute("SELECT name FROM sqlite_master")]
        self.assertEqual(tables, ["a"])
