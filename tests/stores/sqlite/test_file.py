"""Which files are opened, and how their schema is brought up to date."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import StoreUnusable
from chatd.stores.sqlite.file import check, claim, migrate, migrations
from tests.doubles.folders import folder


class Opening(SynchronousTestCase):
    """Only a file that is ours, whole, free and not from the future is opened, and no other is
    changed."""

    def setUp(self) -> None:
        self.path = os.path.join(folder(self), "chatd.db")

    def fresh(self, fill: int = 0) -> sqlite3.Connection:
        """A store as a daemon leaves it, with some entries."""
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
        """The sentence with which the file is refused; nothing in its folder has changed by
        then."""
        folder = Path(self.path).parent
        before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        sentence = str(self.assertRaises(StoreUnusable, check, self.path))
        after = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        self.assertEqual(before, after)
        self.assertNotIn("\n", sentence)
        return sentence

    def test_a_new_file(self) -> None:
        """Nothing there: fine, and nothing is made by looking."""
        check(self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_an_empty_file(self) -> None:
        """As good as none."""
        Path(self.path).touch()
        check(self.path)

    def test_a_store(self) -> None:
        """Ours, whole."""
        self.fresh(100).close()
        check(self.path)

    def test_a_text_file(self) -> None:
        """Not a database."""
        Path(self.path).write_text("Dear diary, " * 100)
        self.assertIn("not a store of chatd", self.refusal())

    def test_somebody_elses_database(self) -> None:
        """A database, but not ours."""
        connection = sqlite3.connect(self.path)
        connection.execute("CREATE TABLE notes (text)")
        connection.close()
        self.assertIn("not a store of chatd", self.refusal())

    def test_a_newer_store(self) -> None:
        """Written by a chatd that knows more than this one."""
        connection = self.fresh()
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        self.assertIn("newer chatd (schema 99", self.refusal())

    def test_a_truncated_store(self) -> None:
        """Half a file."""
        self.fresh(1000).close()
        os.truncate(self.path, os.path.getsize(self.path) // 2)
        self.assertIn("damaged", self.refusal())

    def test_garbage_in_the_middle(self) -> None:
        """A page overwritten."""
        self.fresh(1000).close()
        with open(self.path, "r+b") as file:
            file.seek(40960)
            file.write(b"\xa5" * 8192)
        self.assertIn("damaged", self.refusal())

    def test_a_folder(self) -> None:
        """Not a file."""
        os.mkdir(self.path)
        self.assertIn("is a folder", self.refusal())

    def test_a_missing_folder(self) -> None:
        """Nowhere to put it."""
        self.path = os.path.join(self.path, "nowhere", "chatd.db")
        sentence = str(self.assertRaises(StoreUnusable, check, self.path))
        self.assertIn("there is no folder", sentence)

    def test_held_by_another(self) -> None:
        """One daemon at a time."""
        self.fresh().close()
        holder = claim(self.path)
        self.assertIn("in use by another daemon", self.refusal())
        os.close(holder)
        check(self.path)

    def test_a_new_file_is_private(self) -> None:
        """Mail is nobody else's business."""
        os.close(claim(self.path))
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)


class Migration(SynchronousTestCase):
    """The schema is brought up to date step by step, each whole or not at all."""

    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)

    def version(self) -> int:
        """Where the schema is."""
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    def test_only_what_is_missing(self) -> None:
        """Steps that were taken are not taken again."""
        migrate(self.connection, "x", ["CREATE TABLE a (x)"])
        migrate(self.connection, "x", ["CREATE TABLE a (x)", "CREATE TABLE b (x)"])
        self.assertEqual(self.version(), 2)

    def test_a_step_that_fails_changes_nothing(self) -> None:
        """The version stays, and so do the tables."""
        scripts = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"]
        error = self.assertRaises(StoreUnusable, migrate, self.connection, "x", scripts)
        self.assertIn("schema version 2", str(error))
        self.assertEqual(self.version(), 1)
        tables = [row[0] for row in self.connection.execute("SELECT name FROM sqlite_master")]
        self.assertEqual(tables, ["a"])
