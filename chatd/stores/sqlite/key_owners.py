"""From names to ids: the deduplication keys of the second version, which were those of names.

Part of what `chatd.stores.sqlite.identities` converts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

_SEQS = msgspec.msgpack.Decoder(dict[str, int])
_ENTRIES = (
    "FROM places AS p JOIN entries AS e USING (place) WHERE p.log = ? AND p.seq BETWEEN ? AND ?"
)

_encode = msgspec.msgpack.Encoder().encode


class Identity(NamedTuple):
    """An account or a room: its id, its name as first written, and when it was created."""

    id: int
    name: str
    created: int


def assign_keys(connection: sqlite3.Connection, accounts: Iterable[Identity]) -> None:
    """Give the keys of entries to the accounts that sent them.

    Keys of an earlier account of the same name are left to the name, which no new entry uses.
    Must be called in a transaction.
    """
    execute = connection.execute
    execute(
        "CREATE TEMP TABLE senders"
        " (name TEXT PRIMARY KEY COLLATE NOCASE, id INTEGER, created INTEGER) WITHOUT ROWID"
    )
    connection.executemany(
        "INSERT INTO senders VALUES (?, ?, ?)",
        [(account.name, account.id, account.created) for account in accounts],
    )
    # Entries whose keys are found by the entries: recent ones, and those with a single key.
    execute(
        "UPDATE entries SET author = (SELECT s.id FROM senders AS s WHERE s.name = sender)"
        " WHERE place IN ("
        " SELECT place FROM entries AS e JOIN senders AS s ON s.name = e.sender"
        " WHERE e.key IS NOT NULL AND e.time >= s.created"
        " AND e.place > (SELECT placed FROM progress)"
        " UNION ALL SELECT place FROM keys AS k JOIN places AS p USING (log, seq)"
        " JOIN entries AS e USING (place) JOIN senders AS s ON s.name = e.sender"
        " WHERE e.time >= s.created)"
    )
    _split_key_runs(connection)
    for table, seq in (("keys", "seq"), ("key_runs", "last")):
        execute(
            f"UPDATE {table} SET sender = (SELECT s.id FROM senders AS s WHERE s.name = sender)"
            f" WHERE EXISTS (SELECT 1 FROM senders AS s JOIN places AS p JOIN entries AS e"
            f" WHERE s.name = {table}.sender AND p.log = {table}.log AND p.seq = {table}.{seq}"
            " AND e.place = p.place AND e.time >= s.created)"
        )
    execute("DROP TABLE senders")


def _split_key_runs(connection: sqlite3.Connection) -> None:
    """Split the runs of keys that were sent by two accounts of one name: the earlier keys are a
    run of their own, which is left to the name."""
    execute = connection.execute
    split = []
    for log, sender, greatest, body, created in execute(
        "SELECT r.log, r.sender, r.greatest, r.keys, s.created"
        " FROM key_runs AS r JOIN senders AS s ON s.name = r.sender"
    ):
        keys = _SEQS.decode(body)
        entries = (log, min(keys.values()), max(keys.values()))
        oldest = execute(f"SELECT e.time {_ENTRIES} ORDER BY p.seq LIMIT 1", entries).fetchone()
        if oldest is not None and oldest[0] < created:
            (former,) = execute(
                f"SELECT max(p.seq) {_ENTRIES} AND e.time < ?", (*entries, created)
            ).fetchone()
            split.append((log, sender, greatest, keys, former))
    for log, sender, greatest, keys, former in split:
        execute(
            "DELETE FROM key_runs WHERE log = ? AND sender = ? AND greatest = ?",
            (log, sender, greatest),
        )
        for part in (
            {key: seq for key, seq in keys.items() if seq <= former},
            {key: seq for key, seq in keys.items() if seq > former},
        ):
            if part:
                execute(
                    "INSERT INTO key_runs (log, sender, greatest, last, keys)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (log, sender, max(part), max(part.values()), _encode(part)),
                )
