"""A store of an earlier schema is migrated, with all its entries, keys and documents.

The conversion of names to ids is left out here (see `test_identities`).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import msgspec

from chatd.core.entries import Entry
from chatd.core.errors import KeyReused
from chatd.stores import Document
from chatd.stores.sqlite import file as file_module
from chatd.stores.sqlite.file import check, migrate, migrations
from chatd.stores.sqlite.place_runs import convert_places
from chatd.stores.sqlite.writer import Writer
from tests.doubles.sqlite_writer import WithWriter
from tests.stores.contract import new_text

INDEXED, RECENT = 60, 40


class FromTheFirstSchema(WithWriter):
    """Two logs, one trimmed to seq 10 and not purged yet; every other entry of @a has a key."""

    version = 1

    def setUp(self) -> None:
        self.patch(file_module, "CONVERSIONS", {4: convert_places})
        super().setUp()

    def open(self) -> Writer:
        """Create the file when it is opened for the first time."""
        if not os.path.exists(self.path):
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                migrate(connection, self.path, migrations()[: self.version])
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
        connection.executemany(
            "INSERT INTO documents (id, kind, key, version, body) VALUES (?, ?, ?, ?, ?)",
            [
                (7, "account", "Ann", 3, b"\1"),
                (3, "account", "Bob", 1, b"\2"),
                (1, "room", "#a", 1, b""),
            ],
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
        self.check_documents()

    def check_documents(self) -> None:
        """The documents are in the empty scope, in order of creation, and counted."""
        documents = self.writer.documents
        self.assertEqual(
            documents.scan("account", "", "", 9),
            [Document("Ann", 3, b"\1"), Document("Bob", 1, b"\2")],
        )
        self.assertEqual([documents.count("account", ""), documents.count("room", "")], [2, 1])
        rows = self.writer.connection.execute("SELECT key, scope FROM documents ORDER BY id")
        self.assertEqual(rows.fetchall(), [("#a", ""), ("Bob", ""), ("Ann", "")])

    def test_migrated_store_knows_its_newest_id_and_time(self) -> None:
        """Of all entries, indexed or not."""
        newest = (1000 + INDEXED + RECENT, 2000 + INDEXED + RECENT)
        self.assertEqual(self.writer.newest(), newest)
        self.index()
        self.assertEqual(self.writer.newest(), newest)

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


class FromTheSecondSchema(FromTheFirstSchema):
    """The keys of indexed entries are in tables of their own: some in a run, some single."""

    version = 2

    def fill(self, connection: sqlite3.Connection) -> None:
        """Write what the second version wrote."""
        super().fill(connection)
        keys = {f"k{seq:03}": seq for seq in range(1, INDEXED // 2 + 1, 2)}
        single = keys.pop("k011"), keys.pop("k029")
        connection.executemany(
            "INSERT INTO keys (log, sender, key, seq) VALUES (1, 'ann', ?, ?)",
            [(f"k{seq:03}", seq) for seq in single],
        )
        connection.execute(
            "INSERT INTO key_runs (log, sender, greatest, last, keys) VALUES (1, 'ann', ?, ?, ?)",
            (max(keys), max(keys.values()), msgspec.msgpack.encode(keys)),
        )
