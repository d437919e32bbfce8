"""A store of the second version, in which names identify accounts and rooms, gets ids."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import msgspec

from chatd.core import entries
from chatd.core.errors import StoreUnusable
from chatd.realm import accounts, membership, read_state, room
from chatd.realm.documents import Record
from chatd.stores import Append, DropLog, Position
from chatd.stores.sqlite.file import migrate, migrations
from chatd.stores.sqlite.identities import (
    Account,
    Cursor,
    ReadState,
    Room,
    RoomPosition,
    Settings,
)
from chatd.stores.sqlite.writer import Writer
from tests.doubles.sqlite_writer import WithWriter
from tests.doubles.stores import NULL_ORIGIN

SINCE = 1_000
"""when accounts and rooms were created, but for Bob, who was created later"""
LATER = 2_000


class FromNames(WithWriter):
    """Accounts Ann, Bob and 7, rooms, and what remained of deleted accounts and rooms."""

    def open(self) -> Writer:
        """Create the file when it is opened for the first time."""
        if not os.path.exists(self.path):
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                migrate(connection, self.path, migrations()[:2])
                connection.execute("BEGIN")
                self.fill(connection)
                connection.execute("COMMIT")
        return super().open()

    def fill(self, connection: sqlite3.Connection) -> None:
        """Write what the second version wrote."""
        documents: list[tuple[str, str, msgspec.Struct]] = [
            ("account", "Ann", Account(SINCE, "hash", ("ab",))),
            ("account", "Bob", Account(LATER)),
            ("account", "7", Account(SINCE)),
            (
                "room",
                "#Garden",
                Room(
                    SINCE,
                    "gone",
                    "topic",
                    True,
                    {"gone": "Gone", "bob": "Bob", "ann": "Ann"},
                    ("gone", "ann"),
                    {"7": "7", "gone": "Gone", "bob": "Bob"},
                ),
            ),
            ("room", "#left", Room(SINCE, "gone", members={"gone": "Gone"})),
            ("room", "#lobby", Room(SINCE, "")),
            ("settings", "@ann", Settings(("bob", "gone"), True)),
            ("settings", "@gone", Settings(("ann",))),
            ("settings", "@7", Settings((), True)),
            ("cursor", "@ann", Cursor(2, ((4, 5),))),
            ("cursor", "@gone", Cursor(2)),
            (
                "reading",
                "@ann",
                ReadState(
                    3,
                    {
                        "#garden": RoomPosition(SINCE, Cursor(1, ((3, 3),)), 1),
                        "#left": RoomPosition(SINCE, Cursor(1), 1),
                    },
                    99,
                ),
            ),
            (
                "reading",
                "@bob",
                ReadState(0, {"#garden": RoomPosition(SINCE - 1, Cursor(9), 9)}, 98),
            ),
            ("reading", "@gone", ReadState(3)),
        ]
        connection.executemany(
            "INSERT INTO documents (kind, key, version, body) VALUES (?, ?, 4, ?)",
            [(kind, key, msgspec.msgpack.encode(record)) for kind, key, record in documents],
        )
        connection.execute(
            "INSERT INTO documents (kind, key, version, body) VALUES ('claim', '@ann', 1, x'00')"
        )
        self.logs = ["@ann", "@bob", "@7", "@gone", "#garden", "#dropped", "@server"]
        connection.executemany("INSERT INTO logs (name) VALUES (?)", [(log,) for log in self.logs])
        self.place = 0
        # Bob's name had another owner before; the latter's second key is single, like his own.
        self.add_entries(connection, "@ann", "Bob", [(1_500, "k5"), (1_500, "k1"), (1_500, None)])
        self.add_entries(connection, "@ann", "Bob", [(2_500, "k6"), (2_500, "k2")])
        self.add_entries(connection, "@ann", "Gone", [(2_500, "k1")])
        self.add_entries(connection, "#garden", "Ann", [(2_500, "k1")] * 3)
        self.add_entries(connection, "#dropped", "Ann", [(2_500, "k1")])
        self.add_entries(connection, "@gone", "Ann", [(2_500, "k1")])
        self.add_entries(connection, "@server", "Ann", [(2_500, None)])
        connection.execute(
            "INSERT INTO places (log, seq, place) SELECT log, seq, place FROM entries"
        )
        for key, seq in (("k1", 2), ("k2", 5)):
            connection.execute("INSERT INTO keys VALUES (1, 'Bob', ?, ?)", (key, seq))
        # One run has keys of both owners of Bob's name.
        for sender, log, key, seq, others in (
            ("Bob", 1, "k6", 4, {"k5": 1}),
            ("Gone", 1, "k1", 6, {}),
            ("Ann", 5, "k1", 3, {}),
        ):
            keys = msgspec.msgpack.encode({**others, key: seq})
            connection.execute(
                "INSERT INTO key_runs VALUES (?, ?, ?, ?, ?)", (log, sender, key, seq, keys)
            )
        connection.execute("UPDATE progress SET placed = ?", (self.place,))
        # Recent entries.
        self.add_entries(connection, "@bob", "Ann", [(2_500, "k1"), (2_500, None)])
        self.add_entries(connection, "#garden", "Bob", [(1_500, "k1"), (2_500, "k2")])

    def add_entries(
        self,
        connection: sqlite3.Connection,
        log: str,
        sender: str,
        rows: Iterable[tuple[int, str | None]],
    ) -> None:
        """Append entries with these times and keys; the body is the sender and the place."""
        for time, key in rows:
            self.place += 1
            connection.execute(
                "INSERT INTO entries (place, log, seq, id, time, sender, body, key)"
                " SELECT ?1, ?2, (SELECT count(*) + 1 FROM entries WHERE log = ?2), ?1 + 100,"
                " ?3, ?4, ?4 || ?1, ?5",
                (self.place, self.logs.index(log) + 1, time, sender, key),
            )

    def read(self, kind: str, scope: object = "") -> dict[str, Any]:
        """The records of a scope, by key."""
        return {
            document.key: msgspec.msgpack.decode(document.body, strict=False)
            for document in self.writer.documents.scan(kind, str(scope), "", 99)
        }

    @property
    def ids(self) -> dict[str, int]:
        """The ids of accounts and rooms, by name."""
        accounts = {name: record[3] for name, record in self.read("account").items()}
        return accounts | {name: record[1] for name, record in self.read_rooms().items()}

    def read_rooms(self) -> dict[str, Any]:
        """The rooms; the keys in their maps are numbers."""
        decoder = msgspec.msgpack.Decoder(tuple[int, int, str, bool, int, str, dict[int, str]])
        return {
            document.key: decoder.decode(document.body)
            for document in self.writer.documents.scan("room", "", "", 99)
        }

    def test_accounts_and_rooms_have_ids(self) -> None:
        """The ids are greater than those of all entries; documents keep their versions."""
        ids = self.ids
        self.assertEqual(set(ids), {"Ann", "Bob", "7", "#Garden", "#lobby"})
        self.assertEqual(len(set(ids.values())), 5)
        self.assertGreater(min(ids.values()), 100 + self.place)
        self.assertEqual(self.writer.newest(), (max(ids.values()), 2_500))
        self.assertEqual(self.read("account")["Ann"], [SINCE, "hash", ["ab"], ids["Ann"]])
        document = self.writer.documents.get("account", "ann", "")
        assert document is not None
        self.assertEqual((document.key, document.version), ("Ann", 4))

    def test_logs_are_named_by_ids(self) -> None:
        """Missing ones are created; those without an owner are dropped; an account may have the
        name of an id."""
        ids = self.ids
        names = {name for (name,) in self.writer.connection.execute("SELECT name FROM logs")}
        self.assertEqual(
            names,
            {"@server", *(f"@{ids[name]}" for name in ("Ann", "Bob", "7"))}
            | {f"#{ids[name]}" for name in ("#Garden", "#lobby")},
        )
        self.assertEqual(self.seqs(f"@{ids['Ann']}"), [1, 2, 3, 4, 5, 6])
        self.assertEqual(self.seqs(f"#{ids['#Garden']}"), [1, 2, 3, 4, 5])
        self.assertEqual(self.seqs("@server"), [1])
        self.index()
        bodies = {body for (body,) in self.writer.connection.execute("SELECT body FROM entries")}
        self.assertEqual(len(bodies), self.place - 2, "entries of dropped logs are purged")

    def test_members_are_rows(self) -> None:
        """Deleted accounts are members no more, and their roles pass on."""
        ids = self.ids
        garden, ann, bob = ids["#Garden"], ids["Ann"], ids["Bob"]
        self.assertEqual(
            self.read_rooms(),
            {
                "#Garden": (SINCE, garden, "topic", True, ann, "Ann", {}),
                "#lobby": (SINCE, ids["#lobby"], "", False, 0, "", {}),
            },
        )
        self.assertEqual(
            self.read("member", garden), {"Bob": [bob, SINCE], "Ann": [ann, SINCE + 1]}
        )
        for account in (ann, bob):
            self.assertEqual(self.read("membership", account), {str(garden): ["#Garden", SINCE]})
        self.assertEqual(self.read("invitation", garden), {"7": [ids["7"]]})
        self.assertEqual(self.read("invited", ids["7"]), {str(garden): ["#Garden"]})
        self.assertEqual(self.writer.documents.count("member", str(garden)), 2)

    def test_blocks_and_positions_refer_to_ids(self) -> None:
        """A claim is dropped, so that what was claimed waits; an account whose position in a room
        was lost begins at its end."""
        ids = self.ids
        ann, bob, garden = ids["Ann"], ids["Bob"], f"#{ids['#Garden']}"
        settings = {
            document.key: msgspec.msgpack.decode(document.body, type=tuple[dict[int, str], bool])
            for document in self.writer.documents.scan("settings", "", "", 99)
        }
        self.assertEqual(settings, {f"@{ann}": ({bob: "Bob"}, True), f"@{ids['7']}": ({}, True)})
        rows = self.writer.connection.execute(
            "SELECT account, name, upto, ahead, read, seen FROM positions JOIN logs ON id = log"
        )
        self.assertEqual(
            set(rows.fetchall()),
            {
                (ann, f"@{ann}", 2, msgspec.msgpack.encode(((4, 5),)), 3, 99),
                (ann, garden, 1, msgspec.msgpack.encode(((3, 3),)), 1, 0),
                (bob, f"@{bob}", 0, None, 0, 98),
                (bob, garden, 5, None, 5, 0),
            },
        )
        for kind in ("claim", "cursor", "reading"):
            self.assertEqual(self.writer.documents.count(kind, ""), 0)

    def test_keys_belong_to_the_accounts_that_sent_them(self) -> None:
        """Keys of an earlier owner of a name are free for the account that has it now."""
        ids = self.ids
        for step in (lambda: None, self.index, self.reopen):
            step()
            for log, sender, body, key, seq in (
                (f"@{ids['Ann']}", "Bob", "Bob4", "k6", 4),
                (f"@{ids['Ann']}", "Bob", "Bob5", "k2", 5),
                (f"@{ids['Bob']}", "Ann", "Ann13", "k1", 1),
                (f"#{ids['#Garden']}", "Ann", "Ann9", "k1", 3),
                (f"#{ids['#Garden']}", "Bob", "Bob16", "k2", 5),
            ):
                self.assertEqual(
                    self.append(self.resend(log, sender, body, key)), [(seq, True)], (log, key)
                )
        for log, key in ((f"@{ids['Ann']}", "k5"), (f"@{ids['Ann']}", "k1")):
            ((_, resent),) = self.append(self.resend(log, "Bob", "new", key))
            self.assertFalse(resent, key)

    def resend(self, log: str, sender: str, body: str, key: str) -> Append:
        """An append by the account of this name."""
        author = self.ids[sender]
        return Append(log, 900, 3_000, sender, body, NULL_ORIGIN, key=key, author=author)

    def test_records_are_those_of_the_realm(self) -> None:
        """Every field is where the realm reads it; only fields with defaults may be missing."""
        ids = self.ids
        ann, garden = ids["Ann"], ids["#Garden"]
        records: list[tuple[type[Record], int | str, str, Record]] = [
            (accounts.Account, "", "Ann", accounts.Account(SINCE, "hash", ("ab",), ann)),
            (
                room.RoomRecord,
                "",
                "#Garden",
                room.RoomRecord(SINCE, garden, "topic", True, ann, "Ann", {}),
            ),
            (read_state.Settings, "", f"@{ann}", read_state.Settings({ids["Bob"]: "Bob"}, True)),
            (membership.MemberRecord, garden, "Ann", membership.MemberRecord(ann, SINCE + 1)),
            (
                membership.MembershipRecord,
                ann,
                str(garden),
                membership.MembershipRecord("#Garden", SINCE),
            ),
            (membership.InvitationRecord, garden, "7", membership.InvitationRecord(ids["7"])),
            (membership.InvitedRecord, ids["7"], str(garden), membership.InvitedRecord("#Garden")),
        ]
        for record_type, scope, key, record in records:
            document = self.writer.documents.get(record_type.document_kind, key, str(scope))
            assert document is not None, record
            self.assertEqual(msgspec.msgpack.decode(document.body, type=record_type), record)
            written = msgspec.msgpack.decode(document.body)
            fields = msgspec.msgpack.decode(msgspec.msgpack.encode(record))
            self.assertEqual(written, fields[: len(written)])
        self.assertEqual(
            {position.log: position for position in self.writer.positions.of(ann)},
            {
                f"@{ann}": Position(ann, f"@{ann}", entries.Cursor(2, ((4, 5),)), 3, 99),
                f"#{garden}": Position(ann, f"#{garden}", entries.Cursor(1, ((3, 3),)), 1),
            },
        )

    def test_purged_log_leaves_no_keys(self) -> None:
        """Also single keys are removed with the entries of accounts."""
        self.call(lambda writer: writer.write([DropLog(f"@{self.ids['Ann']}")]))
        self.index()
        left = self.writer.connection.execute(
            "SELECT count(*) FROM keys WHERE log = 1 UNION ALL"
            " SELECT count(*) FROM key_runs WHERE log = 1"
        )
        self.assertEqual(left.fetchall(), [(0,), (0,)])


class Damaged(WithWriter):
    """A file with a record that cannot be decoded."""

    def test_file_is_not_changed(self) -> None:
        """The daemon does not start, and the file has the version it had."""
        path = os.path.join(os.path.dirname(self.path), "damaged.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            migrate(connection, path, migrations()[:2])
            connection.execute(
                "INSERT INTO documents (kind, key, version, body) VALUES ('room', '#a', 1, x'01')"
            )
            self.assertRaises(StoreUnusable, migrate, connection, path, migrations())
            self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (2,))
            self.assertFalse(connection.in_transaction)
            connection.execute("SELECT kind, key FROM documents").fetchone()
