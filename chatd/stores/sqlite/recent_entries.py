"""Recent entries: finding entries by log and seq without an index that every commit has to update.

Each log has its own leaf page in an index by (log, seq): with such an index, 50 short messages to
50 logs would write 50 pages. So a commit only adds rows at the end of the table `entries`. The
places (row ids) of the recent rows are held in memory and written to the index
(`chatd.stores.sqlite.place_runs`) in bulk, log by log, when there are some thousands of them, so
that one page takes many. At start, the recent entries are loaded from the end of `entries`.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator

from chatd.core.entries import ERASED, Entry
from chatd.stores import Quota
from chatd.stores.sqlite.dedup_keys import DedupKeys
from chatd.stores.sqlite.place_runs import PlaceRuns
from chatd.stores.sqlite.stored_bytes import StoredBytes

INDEX_AT = 8192
"""the number of recent entries from which on they are written to the index"""

_INDEX_STEP = 8192
"""about how many entries one transaction writes to the index, so that commits are not delayed"""
_LOG_COST = 32
"""how many entries take as long as the pages of a further log"""
_NO_SEQ = 2**63 - 1
"""a seq that no entry has"""
_AT_ONCE = 32
"""entries that one statement reads"""
_SELECT = "SELECT seq, id, time, sender, kind, body, about, author FROM entries WHERE place"
_ONE = f"{_SELECT} = ?"
_MANY = f"{_SELECT} IN ({','.join('?' * _AT_ONCE)}) ORDER BY place"


class RecentEntries:
    """The entries that are not in the index yet, and access to all entries by log and seq.

    Logs are identified by their number in the table `logs`.
    """

    def __init__(self, connection: sqlite3.Connection, quota: Quota) -> None:
        self._connection = connection
        self.places: defaultdict[int, list[int]] = defaultdict(list)
        """the places of the recent entries of each log, in order"""
        self.first: dict[int, int] = {}
        """the seq of the first recent entry of each log; the others follow it without a gap"""
        self.keys = DedupKeys(connection)
        """the senders' keys"""
        self.runs = PlaceRuns(connection)
        """the index"""
        self.bytes = StoredBytes(connection, quota)
        """what the entries in the index take"""
        self.uncounted = 0
        """what the recent entries take, which `bytes` does not have"""
        self.last = 0
        """the place of the latest entry of all logs"""
        self.is_stale = False
        """set after a failed transaction, of which the recent entries may have some"""
        self._indexed = 0
        # The same by log and author, but for what `index` is writing.
        self._uncounted: dict[tuple[int, int], int] = {}
        # What `index` has to write: the logs, how many entries of each, what those take, and up to
        # which place.
        self._planned: list[tuple[int, int]] = []
        self._sizes: dict[int, dict[int, int]] = {}
        self._counting = 0
        self._written: list[tuple[int, int]] = []
        self._upto = 0
        # Set until all that was loaded is in the index.
        self._loaded = False
        self._load()

    def __len__(self) -> int:
        return self.last - self._indexed

    def refresh(self) -> None:
        """Load the recent entries again if they are stale. May raise `sqlite3.Error`."""
        if self.is_stale:
            self._load()
            self.is_stale = False

    def _load(self) -> None:
        """Load the recent entries from the file."""
        execute = self._connection.execute
        self.places.clear()
        self.first.clear()
        self.keys.clear()
        self._planned = []
        self._written = []
        self._loaded = True
        (self._indexed,) = execute("SELECT placed FROM progress").fetchone()
        self.last = self._indexed
        self._uncounted = self.bytes.uncounted(self._indexed)
        self.uncounted = sum(self._uncounted.values())
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

    def count(self, log: int, author: int, size: int) -> None:
        """Note that new entries of an author in a log take so much."""
        self._uncounted[log, author] = self._uncounted.get((log, author), 0) + size
        self.uncounted += size

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
        return self.runs.head(log)

    def entries(self, log: int, after: int, limit: int) -> Iterator[Entry]:
        """At most `limit` entries of a log with seq > `after`, in order, indexed or recent."""
        recent = self.places.get(log, [])
        first = self.first.get(log, _NO_SEQ)
        if after + 1 < first:
            # While the index is being written it has some of the recent entries as well.
            for _, places in self.runs.places(log, after, first - 1):
                if limit <= 0:
                    break
                yield from self._at(places[:limit])
                limit -= len(places)
        start = max(0, after + 1 - first)
        yield from self._at(recent[start : start + max(0, limit)])

    def _at(self, places: list[int]) -> Iterator[Entry]:
        """The entries at these places, which increase."""
        execute = self._connection.execute
        grouped = len(places) - len(places) % _AT_ONCE
        for start in range(0, grouped, _AT_ONCE):
            for row in execute(_MANY, places[start : start + _AT_ONCE]):
                yield Entry(*row)
        for place in places[grouped:]:
            yield Entry(*execute(_ONE, (place,)).fetchone())

    def erase(self, log: int, seq: int) -> None:
        """Take the text from an entry of a log, in the open transaction; see `Erase`."""
        first = self.first.get(log, _NO_SEQ)
        if seq >= first:
            places = self.places[log][seq - first : seq - first + 1]
        else:
            places = [place for _, run in self.runs.places(log, seq - 1, seq) for place in run]
        execute = self._connection.execute
        for place in places:
            row = execute(
                "SELECT author, length(CAST(body AS BLOB)) FROM entries WHERE place = ?", (place,)
            ).fetchone()
            if row is None:
                continue
            author, size = row
            execute(f"UPDATE entries SET kind = '{ERASED}', body = '' WHERE place = ?", (place,))
            if place <= self._indexed or place <= self.bytes.counted_upto(log):
                self.bytes.shrink(log, author, size)
            elif place <= self._upto and log in self._sizes:
                self._sizes[log][author] -= size
            else:
                self.count(log, author, -size)

    @property
    def indexing(self) -> bool:
        """Whether `index` has begun and has further steps to do."""
        return bool(self._planned)

    def index(self) -> None:
        """Write some of the recent entries to the index, in one transaction.

        The first step plans to write all recent entries of that moment; they remain recent until
        the last step. May raise `sqlite3.Error`; the caller must then set `is_stale`.
        """
        if not self._planned:
            self._planned = sorted(
                ((log, len(places)) for log, places in self.places.items()), reverse=True
            )
            self._upto = self.last
            self._sizes = {}
            for (log, author), size in self._uncounted.items():
                self._sizes.setdefault(log, {})[author] = size
            self._uncounted = {}
            self._counting = self.uncounted
            self.keys.begin_write()
        rows: list[tuple[int, int, list[int]]] = []
        cost = 0
        while self._planned and cost < _INDEX_STEP:
            log, count = self._planned.pop()
            self._written.append((log, count))
            rows.append((log, self.first[log], self.places[log][:count]))
            cost += count + _LOG_COST
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        if self._loaded:
            # After a kill between two steps, the index has some of the recent entries.
            for log, first, _ in rows:
                self.runs.remove_from(log, first)
        self.runs.insert(rows)
        sizes = {log: self._sizes.pop(log) for log, _, _ in rows if log in self._sizes}
        self.bytes.add(sizes, self._upto)
        self.keys.write([log for log, _, _ in rows])
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
        self._loaded = False
        self._written = []
        self.uncounted -= self._counting
        self._indexed = self._upto
