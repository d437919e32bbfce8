"""Recent entries: finding entries by log and seq without an index that every commit has to update.

Each log has its own leaf page in an index by (log, seq): with such an index, 50 short messages to
50 logs would write 50 pages. So a commit only adds rows at the end of the table `entries`. The
places (row ids) of the recent rows are held in memory and written to the index `places` in bulk,
log by log, when there are some thousands of them, so that one page takes many. At start, the recent
entries are loaded from the end of `entries`.
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
"""the number of recent entries from which on they are written to the index"""

_INDEX_STEP = 1024
"""about how many entries one transaction writes to the index, so that commits are not delayed"""
_NO_SEQ = 2**63 - 1
"""a seq that no entry has"""
# After a crash between two steps, some entries are both in the index and loaded as recent ones.
_PLACES = BulkInsert("INSERT OR IGNORE INTO places (log, seq, place)", 3, 32)
_COLUMNS = "e.seq, e.id, e.time, e.sender, e.kind, e.body, e.about, e.author"


class RecentEntries:
    """The entries that are not in the index yet, and access to all entries by log and seq.

    Logs are identified by their number in the table `logs`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.places: defaultdict[int, list[int]] = defaultdict(list)
        """the places of the recent entries of each log, in order"""
        self.first: dict[int, int] = {}
        """the seq of the first recent entry of each log; the others follow it without a gap"""
        self.keys = DedupKeys(connection)
        """the senders' keys"""
        self.last = 0
        """the place of the latest entry of all logs"""
        self._indexed = 0
        # What `index` has to write: the logs, how many entries of each, and up to which place.
        self._planned: list[tuple[int, int]] = []
        self._written: list[tuple[int, int]] = []
        self._upto = 0
        self.load()

    def __len__(self) -> int:
        return self.last - self._indexed

    def load(self) -> None:
        """Load the recent entries from the file: at start, and after a failed transaction."""
        execute = self._connection.execute
        self.places.clear()
        self.first.clear()
        self.keys.clear()
        self._planned = []
        self._written = []
        (self._indexed,) = execute("SELECT placed FROM progress").fetchone()
        self.last = self._indexed
        for place, log, seq, author, sender, key in execute(
            "SELECT place, log, seq, author, sender, key FROM entries WHERE place > ?"
            " ORDER BY place",
            (self._indexed,),
        ):
            self.first.setdefault(log, seq)
            self.places[log].append(place)
            if key is not None:
                self.keys.recent[log, author or sender][key] = seq
            self.last = place

    def newest(self) -> tuple[int, int]:
        """The greatest id of all entries and logs, and the greatest time; see `Store.newest`."""
        newest: tuple[int, int] = self._connection.execute(
            "SELECT max(newest_id, ifnull(max(id), 0)), max(newest_time, ifnull(max(time), 0))"
            " FROM progress LEFT JOIN entries ON place > placed"
        ).fetchone()
        return newest

    def head(self, log: int) -> int:
        """The seq of the latest entry of a log, 0 if it has none."""
        if log in self.places:
            return self.first[log] + len(self.places[log]) - 1
        (seq,) = self._connection.execute(
            "SELECT max(seq) FROM places WHERE log = ?", (log,)
        ).fetchone()
        return seq or 0

    def entries(self, log: int, after: int, limit: int) -> Iterator[Entry]:
        """At most `limit` entries of a log with seq > `after`, in order, indexed or recent."""
        recent = self.places.get(log, [])
        first = self.first.get(log, _NO_SEQ)
        count = 0
        if after + 1 < first:
            # While the index is being written it has some of the recent entries as well.
            for row in self._connection.execute(
                f"SELECT {_COLUMNS} FROM places AS p JOIN entries AS e USING (place)"
                " WHERE p.log = ? AND p.seq > ? AND p.seq < ? ORDER BY p.seq LIMIT ?",
                (log, after, first, limit),
            ):
                count += 1
                yield Entry(*row)
        start = max(0, after + 1 - first)
        for place in recent[start : start + limit - count]:
            row = self._connection.execute(
                f"SELECT {_COLUMNS} FROM entries AS e WHERE place = ?", (place,)
            ).fetchone()
            yield Entry(*row)

    @property
    def indexing(self) -> bool:
        """Whether `index` has begun and has further steps to do."""
        return bool(self._planned)

    def index(self) -> None:
        """Write some of the recent entries to the index, in one transaction.

        The first step plans to write all recent entries of that moment; they remain recent until
        the last step. May raise `sqlite3.Error`; the caller must then `load`.
        """
        if not self._planned:
            self._planned = sorted(
                ((log, len(places)) for log, places in self.places.items()), reverse=True
            )
            self._upto = self.last
            self.keys.begin_write()
        values: list[Any] = []
        logs: list[int] = []
        while self._planned and len(values) < 3 * _INDEX_STEP:
            log, count = self._planned.pop()
            self._written.append((log, count))
            first = self.first[log]
            for seq, place in enumerate(self.places[log][:count], first):
                values += (log, seq, place)
            logs.append(log)
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        _PLACES.insert(self._connection, values)
        self.keys.write(logs)
        if not self._planned:
            execute(
                "UPDATE progress SET placed = ?1, (newest_id, newest_time) ="
                " (SELECT max(newest_id, max(id)), max(newest_time, max(time)) FROM entries"
                " WHERE place > placed AND place <= ?1)",
                (self._upto,),
            )
        execute("COMMIT")
        if not self._planned:
            self._release_written()

    def _release_written(self) -> None:
        """Release the entries that were planned: the index has all of them now."""
        for log, count in self._written:
            remaining = self.places[log][count:]
            if remaining:
                self.places[log] = remaining
                self.first[log] += count
            else:
                del self.places[log], self.first[log]
        self.keys.end_write()
        self._written = []
        self._indexed = self._upto
