"""Deduplication keys: finding entries by the keys that their senders gave them.

The keys of recent entries (`chatd.stores.sqlite.recent_entries`) are in memory; the others are
written to the file together with the places of their entries. Keys that increase, as keys made from
the time do, cost little: they are written in runs, one row for up to 256 of them, and a key that is
greater than all others of its sender in its log is new without a lookup.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from chatd.stores.sqlite.bulk_insert import BulkInsert

Sender: TypeAlias = int | str
"""the id of the sender's account or, of entries without an author, the sender's name"""
Pair: TypeAlias = tuple[int, Sender]
"""the number of a log, and a sender"""

_RUN_KEYS = 256
"""keys in a run at most"""
_CACHED_PAIRS = 100_000
"""pairs whose greatest keys are cached"""
_RUNS = BulkInsert("INSERT INTO key_runs (log, sender, greatest, last, keys)", 5)
# A key whose entry was trimmed may be used again before its row has been purged.
_SINGLE = BulkInsert("INSERT OR REPLACE INTO keys (log, sender, key, seq)", 4)
_SEQS = msgspec.msgpack.Decoder(dict[str, int])
_PACK = msgspec.msgpack.Encoder().encode


class DedupKeys:
    """The keys of all entries, in memory and in the file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.recent: defaultdict[Pair, dict[str, int]] = defaultdict(dict)
        """the keys of recent entries, with their seqs, by log and sender"""
        self.greatest: dict[Pair, str] = {}
        """a cache of the greatest key of each log and sender, in memory or in the file"""
        # The keys that are being written to the file, and their senders by log.
        self._planned: dict[Pair, dict[str, int]] = {}
        self._senders: defaultdict[int, list[Sender]] = defaultdict(list)
        # Caches of what is in the file: the greatest key in a run of each log and sender, and
        # whether (table, log) has any row.
        self._greatest_in_runs: dict[Pair, str] = {}
        self._has_rows: dict[tuple[str, int], bool] = {}

    def clear(self) -> None:
        """Discard everything in memory."""
        self.recent.clear()
        self._planned = {}
        self._senders.clear()
        self._clear_caches()

    def _clear_caches(self) -> None:
        """Discard what can be computed again from the file and the recent keys."""
        self.greatest.clear()
        self._greatest_in_runs.clear()
        self._has_rows.clear()

    def limit_caches(self) -> None:
        """Bound the memory that the caches take. Must be called between two transactions."""
        if len(self.greatest) > _CACHED_PAIRS:
            self._clear_caches()

    def seq(self, log: int, sender: Sender, key: str) -> int:
        """The seq of the latest entry with this key of this sender, 0 if there is none.

        Afterwards `greatest` has this log and sender.
        """
        pair = (log, sender)
        recent = self.recent.get(pair, {})
        planned = self._planned.get(pair, {})
        greatest = self.greatest.get(pair)
        if greatest is None:
            greatest = max(
                self._max_single_key(pair), self._max_key_in_runs(pair), *recent, *planned
            )
            self.greatest[pair] = greatest
        if key > greatest:
            return 0
        return recent.get(key) or planned.get(key) or self._seq_in_file(pair, key)

    def _seq_in_file(self, pair: Pair, key: str) -> int:
        """The seq of the latest entry whose key is in the file, 0 if there is none."""
        seq = 0
        if self._has_any("keys", pair[0]):
            seq = (
                self._value(
                    "SELECT seq FROM keys WHERE log = ? AND sender = ? AND key = ?", *pair, key
                )
                or 0
            )
        if key <= self._max_key_in_runs(pair):
            run = self._value(
                "SELECT keys FROM key_runs WHERE log = ? AND sender = ? AND greatest >= ?"
                " ORDER BY greatest LIMIT 1",
                *pair,
                key,
            )
            # Most runs do not have the key, which a substring search finds sooner than decoding.
            # If both tables have it, the entry with the lower seq has been trimmed.
            if run is not None and key.encode() in run:
                seq = max(seq, _SEQS.decode(run).get(key, 0))
        return seq

    def _max_single_key(self, pair: Pair) -> str:
        if not self._has_any("keys", pair[0]):
            return ""
        return self._value("SELECT max(key) FROM keys WHERE log = ? AND sender = ?", *pair) or ""

    def _max_key_in_runs(self, pair: Pair) -> str:
        greatest = self._greatest_in_runs.get(pair)
        if greatest is None:
            greatest = ""
            if self._has_any("key_runs", pair[0]):
                query = "SELECT max(greatest) FROM key_runs WHERE log = ? AND sender = ?"
                greatest = self._value(query, *pair) or ""
            self._greatest_in_runs[pair] = greatest
        return greatest

    def _has_any(self, table: str, log: int) -> bool:
        """Whether a table has any key of a log."""
        has_rows = self._has_rows.get((table, log))
        if has_rows is None:
            has_rows = self._value(f"SELECT 1 FROM {table} WHERE log = ? LIMIT 1", log) is not None
            self._has_rows[table, log] = has_rows
        return has_rows

    def _value(self, query: str, *values: object) -> Any:
        """The first column of the first row of a query, None if it has no rows."""
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def begin_write(self) -> None:
        """Plan to write all recent keys of this moment to the file, by `write`."""
        self._planned, self.recent = self.recent, defaultdict(dict)
        for log, sender in self._planned:
            self._senders[log].append(sender)

    def write(self, logs: Iterable[int]) -> None:
        """Write the planned keys of these logs to the file, in the open transaction."""
        runs: list[Any] = []
        single: list[Any] = []
        for log in logs:
            for sender in self._senders.pop(log, ()):
                pair = (log, sender)
                keys = self._planned[pair]
                greatest = self._max_key_in_runs(pair)
                increasing = list(keys)
                if increasing[0] <= greatest or increasing != sorted(increasing):
                    increasing = []
                    for key in keys:
                        if key > greatest:
                            greatest = key
                            increasing.append(key)
                        else:
                            single += (log, sender, key, keys[key])
                if not increasing:
                    continue
                self._greatest_in_runs[pair] = increasing[-1]
                for start in range(0, len(increasing), _RUN_KEYS):
                    part = increasing[start : start + _RUN_KEYS]
                    run = dict(zip(part, map(keys.__getitem__, part), strict=True))
                    # A key that was used again has a later entry, so the last key need not have the
                    # greatest seq.
                    runs += (log, sender, part[-1], max(run.values()), _PACK(run))
        self._has_rows.update((("key_runs", log), True) for log in runs[:: _RUNS.columns])
        self._has_rows.update((("keys", log), True) for log in single[:: _SINGLE.columns])
        _RUNS.insert(self._connection, runs)
        _SINGLE.insert(self._connection, single)

    def end_write(self) -> None:
        """Release the planned keys: the file has all of them now."""
        self._planned = {}

    def remove(self, log: int, upto: int, places: Sequence[int]) -> None:
        """Remove the keys of the entries of a log up to seq `upto`, which are at these places,
        before the entries are removed.

        The entries must be in the index. A run is removed when all its entries are.
        """
        execute = self._connection.execute
        if self._has_any("key_runs", log):
            execute("DELETE FROM key_runs WHERE log = ? AND last <= ?", (log, upto))
        if self._has_any("keys", log):
            rows: list[Any] = []
            for place in places:
                rows += execute(
                    "SELECT log, CASE WHEN author THEN author ELSE sender END, key, seq"
                    " FROM entries WHERE place = ? AND key IS NOT NULL",
                    (place,),
                )
            # The seq is compared because a later entry may have the same key.
            self._connection.executemany(
                "DELETE FROM keys WHERE log = ? AND sender = ? AND key = ? AND seq = ?", rows
            )
