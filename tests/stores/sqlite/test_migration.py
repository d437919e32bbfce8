"""A store of the first schema is migrated, with all its entries, keys and documents."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from chatd.core.entries import Entry
from chatd.core.errors import KeyReused
from chatd.stores.sqlite.file import check, migrate, migrations
from chatd.stores.sqlite.writer import Writer
from tests.doubles.sqlite_writer import WithWriter
from tests.stores.contract import new_text

INDEXED, RECENT = 60, 40


class FromTheFirstSchema(WithWriter):
    """Two logs, one trimmed to seq 10 and not purged yet; every other entry of @a has a key."""

    def open(self) -> Writer:
        """Create the file when it is opened for the first time."""
        if not os.path.exists(self.path):
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                migrate(connection, self.path, migrations()[:1])
                self.fill(connection)
            check(self.path)
        return super().open()

    def fill(self, connection: sqlite3.Connection) -> None:
        """Write what the first version wrote."""
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO logs (name, trimmed) VALUES (?, ?)", [("@a", 10), ("@b", 0)]
        )
        for place in range(1, INDEXED + RECENT + 1):
            log, seq = 2 - place % 2, (place + 1) // 2
            key = f"k{seq:03}" if log == 1 and seq % 2 else None
            connection.execute(
                "INSERT INTO entries (place, log, seq, id, time, sender, kind, body, key)"
                " VALUES (?, ?, ?, ?, ?, 'ann', 'text', ?, ?)",
                (place, log, seq, 1000 + place, 2000 + place, f"text {seq}", key),
            )
            if place <= INDEXED:
                connection.execute(
                    "INSERT INTO places (log, seq, place) VALUES (?, ?, ?)", (log, seq, place)
                )
        connection.execute("UPDATE progress SET placed = ?", (INDEXED,))
        connection.execute("INSERT INTO rubbish (log, upto) VALUES (1, 10)")
        connection.execute(
            "INSERT INTO documents (kind, key, version, body) VALUES ('account', 'Ann', 3, x'01')"
        )
        connection.execute("COMMIT")

    def check_all(self) -> None:
        """The entries are unchanged, and their keys are used or free as before."""
        self.assertEqual(self.seqs("@a"), list(range(11, 51)))
        self.assertEqual(self.seqs("@b"), list(range(1, 51)))
        first, *_, last = self.call(lambda writer: writer.read("@a", 0, 100))
        self.assertEqual(first, Entry(11, 1021, 2021, "ann", "text", "text 11", 0))
        self.assertEqual(last, Entry(50, 1099, 2099, "ann", "text", "text 50", 0))
        for seq in (11, 29, 31, 49):
            self.assertEqual(
                self.append(new_text("@a", f"text {seq}", f"k{seq:03}")), [(seq, True)]
            )
            other = new_text("@a", "other", f"k{seq:03}")
            self.commit(other)
            self.assertIsInstance(other.refusal, KeyReused)

    def test_migrated_store_has_all_entries_and_keys(self) -> None:
        """They are checked after the migration, after maintenance, and after a restart."""
        for step in (lambda: None, self.index, self.reopen):
            step()
            self.check_all()
        (version,) = self.writer.connection.execute("PRAGMA user_version").fetchone()
        self.assertEqual(version, len(migrations()))
        self.assertEqual(
            self.writer.connection.execute("SELECT version, body FROM documents").fetchall(),
            [(3, b"\1")],
        )

    def test_migrated_store_continues_its_seqs(self) -> None:
        """New entries get the next seqs; keys of trimmed entries are free."""
        new = [
            new_text("@a", "new", "k001"),
            new_text("@a", "new", "k051"),
            new_text("@b", "new", "k001"),
        ]
        self.assertEqual(self.append(*new), [(51, False), (52, False), (51, False)])
        for step in (self.index, self.reopen):
            step()
            self.assertEqual(self.append(*new), [(51, True), (52, True), (51, True)])
        (about,) = self.writer.connection.execute(
            "SELECT count(*) FROM entries WHERE about"
        ).fetchone()
        self.assertEqual(about, 0)
