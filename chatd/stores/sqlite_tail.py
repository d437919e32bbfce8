"""Finding entries by log and seq without an index that every commit has to touch.

Each of the logs that a batch appends to has its own leaf in an index by (log, seq): 50 logs would be 50 pages
to write for 50 short messages. So a commit only adds rows at the end of `entries`; the places of the latest
rows, the *tail*, are kept in memory and written to the index `places` log by log when there are some
thousands of them, so that one page takes many. The tail is read again from the end of `entries` at start.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from chatd.entries import Entry

INDEX_AT = 8192
"""entries in the tail from which on it is worth being written to the index"""

_STEP = 1024
"""about how many are written in one transaction, so that nobody waits long for it"""
_ROWS_AT_ONCE = 32
# A crash between two steps leaves places in the index that are in the tail again after the restart.
_ONE = "INSERT OR IGNORE INTO places (log, seq, place) VALUES (?,?,?)"
_MANY = "INSERT OR IGNORE INTO places (log, seq, place) VALUES " + ",".join(["(?,?,?)"] * _ROWS_AT_ONCE)
_ONE_KEY = "INSERT OR REPLACE INTO keys (log, sender, key, seq) VALUES (?,?,?,?)"
_MANY_KEYS = "INSERT OR REPLACE INTO keys (log, sender, key, seq) VALUES " + ",".join(
    ["(?,?,?,?)"] * _ROWS_AT_ONCE
)
_KEYS_CACHED = 100_000
_COLUMNS = "e.seq, e.id, e.time, e.sender, e.kind, e.body, e.about"


class Keys:
    """The senders' own keys in one log: the seqs of the tail's by sender and key, in `planned` those that are
    being written to the index; and by sender the greatest of all, for a key that is greater is new."""

    __slots__ = ("greatest", "planned", "recent")

    def __init__(self) -> None:
        self.recent: dict[tuple[str, str], int] = {}
        self.planned: dict[tuple[str, str], int] = {}
        self.greatest: dict[str, str] = {}


class Tail:
    """The entries that are not in the index yet; `last` is the place of the latest entry of all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.places: defaultdict[int, list[int]] = defaultdict(list)
        """where the tail's entries are, in order, by the number of the log"""
        self.first: dict[int, int] = {}
        """the seq of the first of them, likewise; the others follow it without a gap"""
        self.keys: dict[int, Keys] = {}
        """the senders' keys, likewise"""
        self.last = 0
        self._indexed = 0
        # What is being written to the index: the logs and how many entries of each, and up to which place.
        self._plan: list[tuple[int, int]] = []
        self._done: list[tuple[int, int]] = []
        self._upto = 0
        self.read()

    def __len__(self) -> int:
        return self.last - self._indexed

    def read(self) -> None:
        """Learn the tail from the file: at start, and after a transaction that came to nothing."""
        execute = self._connection.execute
        self.places.clear()
        self.first.clear()
        self.keys.clear()
        self._plan = []
        self._done = []
        (self._indexed,) = execute("SELECT placed FROM progress").fetchone()
        self.last = self._indexed
        for place, log, seq, sender, key in execute(
            "SELECT place, log, seq, sender, key FROM entries WHERE place > ? ORDER BY place",
            (self._indexed,),
        ):
            self.first.setdefault(log, seq)
            self.places[log].append(place)
            if key is not None:
                self.keys.setdefault(log, Keys()).recent[sender, key] = seq
            self.last = place

    def head(self, log: int) -> int:
        """The seq of the latest entry of a log, 0 if it has none."""
        if log in self.places:
            return self.first[log] + len(self.places[log]) - 1
        (seq,) = self._connection.execute("SELECT max(seq) FROM places WHERE log = ?", (log,)).fetchone()
        return seq or 0

    def keyed(self, log: int, sender: str, key: str) -> int:
        """The seq of the entry that has this key of this sender, 0 if there is none."""
        keys = self.keys.get(log)
        if keys is None:
            if len(self.keys) >= _KEYS_CACHED:
                self.keys = {log: keys for log, keys in self.keys.items() if keys.recent or keys.planned}
            keys = self.keys[log] = Keys()
        seq = keys.recent.get((sender, key)) or keys.planned.get((sender, key))
        if seq:
            return seq
        greatest = keys.greatest.get(sender)
        if greatest is None:
            (greatest,) = self._connection.execute(
                "SELECT max(key) FROM keys WHERE log = ? AND sender = ?", (log, sender)
            ).fetchone()
            own = [key for owner, key in (*keys.recent, *keys.planned) if owner == sender]
            greatest = keys.greatest[sender] = max([greatest or "", *own])
        if key > greatest:
            return 0
        row = self._connection.execute(
            "SELECT seq FROM keys WHERE log = ? AND sender = ? AND key = ?", (log, sender, key)
        ).fetchone()
        return row[0] if row else 0

    def entries(self, log: int, after: int, limit: int) -> Iterator[Entry]:
        """At most `limit` entries of a log with seq > `after`, in order."""
        tail = self.places.get(log, [])
        first = self.first.get(log, 0)
        found = 0
        if not tail or after + 1 < first:
            for row in self._connection.execute(
                f"SELECT {_COLUMNS} FROM places AS p JOIN entries AS e USING (place)"
                " WHERE p.log = ? AND p.seq > ? ORDER BY p.seq LIMIT ?",
                (log, after, limit),
            ):
                found += 1
                yield Entry(*row)
        start = max(0, after + 1 - first)
        for place in tail[start : start + limit - found]:
            row = self._connection.execute(
                f"SELECT {_COLUMNS} FROM entries AS e WHERE place = ?", (place,)
            ).fetchone()
            yield Entry(*row)

    @property
    def indexing(self) -> bool:
        """Whether `index` has begun and not ended."""
        return bool(self._plan)

    def index(self) -> None:
        """Write some of the tail to the index, in one transaction. May raise `sqlite3.Error`; then `read`."""
        if not self._plan:
            self._plan = sorted(((log, len(found)) for log, found in self.places.items()), reverse=True)
            self._upto = self.last
            for keys in self.keys.values():
                keys.planned, keys.recent = keys.recent, {}
        values: list[Any] = []
        own: list[Any] = []
        while self._plan and len(values) < 3 * _STEP:
            log, count = self._plan.pop()
            self._done.append((log, count))
            first = self.first[log]
            for seq, place in enumerate(self.places[log][:count], first):
                values += (log, seq, place)
            if log in self.keys:
                for (sender, key), seq in self.keys[log].planned.items():
                    own += (log, sender, key, seq)
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        _insert(execute, values, 3, _ONE, _MANY)
        _insert(execute, own, 4, _ONE_KEY, _MANY_KEYS)
        if not self._plan:
            execute("UPDATE progress SET placed = ?", (self._upto,))
        execute("COMMIT")
        if not self._plan:
            self._forget()

    def _forget(self) -> None:
        """All that was in the tail when indexing began is in the index now."""
        for log, count in self._done:
            left = self.places[log][count:]
            if left:
                self.places[log] = left
                self.first[log] += count
            else:
                del self.places[log], self.first[log]
            if log in self.keys:
                self.keys[log].planned = {}
        self._done = []
        self._indexed = self._upto


def _insert(execute: Callable[..., Any], values: list[Any], columns: int, one: str, many: str) -> None:
    """Insert rows of so many columns, many with one statement."""
    size = columns * _ROWS_AT_ONCE
    whole = len(values) - len(values) % size
    for start in range(0, whole, size):
        execute(many, values[start : start + size])
    for start in range(whole, len(values), columns):
        execute(one, values[start : start + columns])
