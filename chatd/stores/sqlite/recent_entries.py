"""Finding entries by log and seq without an index that every commit has to touch.

Each of the logs that a batch appends to has its own leaf in an index by (log, seq): 50 logs would
be 50 pages to write for 50 short messages. So a commit only adds rows at the end of `entries`; the
places of the latest rows, the *tail*, are kept in memory and written to the index `places` log by
log when there are some thousands of them, so that one page takes many. The tail is read again from
the end of `entries` at start.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from chatd.core.entries import Entry
from chatd.stores.sqlite.bulk_insert import BulkInsert
from chatd.stores.sqlite.dedup_keys import DedupKeys

INDEX_AT = 8192
"""entries in the tail from which on it is worth being written to the index"""

_STEP = 1024
"""about how many are written in one transaction, so that nobody waits long for it"""
_NEVER = 2**63 - 1
"""a seq that no entry has"""
# A crash between two steps leaves places in the index that are in the tail again after the restart.
_PLACES = BulkInsert("INSERT OR IGNORE INTO places (log, seq, place)", 3, 32)
_COLUMNS = "e.seq, e.id, e.time, e.sender, e.kind, e.body, e.about"


class RecentEntries:
    """The entries that are not in the index yet; `last` is the place of the latest entry of all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.places: defaultdict[int, list[int]] = defaultdict(list)
        """where the tail's entries are, in order, by the number of the log"""
        self.first: dict[int, int] = {}
        """the seq of the first of them, likewise; the others follow it without a gap"""
        self.keys = DedupKeys(connection)
        """the senders' keys"""
        self.last = 0
        self._indexed = 0
        # What is being written to the index: the logs and how many entries of each, and up to which
        # place.
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
                self.keys.recent[log, sender][key] = seq
            self.last = place

    def head(self, log: int) -> int:
        """The seq of the latest entry of a log, 0 if it has none."""
        if log in self.places:
            return self.first[log] + len(self.places[log]) - 1
        (seq,) = self._connection.execute(
            "SELECT max(seq) FROM places WHERE log = ?", (log,)
        ).fetchone()
        return seq or 0

    def entries(self, log: int, after: int, limit: int) -> Iterator[Entry]:
        """At most `limit` entries of a log with seq > `after`, in order."""
        tail = self.places.get(log, [])
        first = self.first.get(log, _NEVER)
        found = 0
        if after + 1 < first:
            # While the index is being written it has some of the tail's entries as well.
            for row in self._connection.execute(
                f"SELECT {_COLUMNS} FROM places AS p JOIN entries AS e USING (place)"
                " WHERE p.log = ? AND p.seq > ? AND p.seq < ? ORDER BY p.seq LIMIT ?",
                (log, after, first, limit),
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
        """Write some of the tail to the index, in one transaction. May raise `sqlite3.Error`; then
        `read`."""
        if not self._plan:
            self._plan = sorted(
                ((log, len(found)) for log, found in self.places.items()), reverse=True
            )
            self._upto = self.last
            self.keys.plan()
        values: list[Any] = []
        logs: list[int] = []
        while self._plan and len(values) < 3 * _STEP:
            log, count = self._plan.pop()
            self._done.append((log, count))
            first = self.first[log]
            for seq, place in enumerate(self.places[log][:count], first):
                values += (log, seq, place)
            logs.append(log)
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        _PLACES.insert(self._connection, values)
        self.keys.write(logs)
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
        self.keys.written()
        self._done = []
        self._indexed = self._upto
