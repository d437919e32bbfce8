"""Finding entries by their senders' own keys.

Those of the tail (`chatd.stores.sqlite.recent_entries`) are in memory; the others are written to
the file together with the tail's places. Keys that rise, as keys made from the time do, cost
little: they are written in runs, and a key that is greater than all others of its sender in its log
is new without being sought.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from chatd.stores.sqlite.bulk_insert import BulkInsert

Pair: TypeAlias = tuple[int, str]
"""the number of a log, and a sender"""

_RUN = 256
_CACHED = 100_000
_RUNS = BulkInsert("INSERT INTO key_runs (log, sender, greatest, last, keys)", 5)
# A key that is free again may be used again before its row has gone.
_SINGLE = BulkInsert("INSERT OR REPLACE INTO keys (log, sender, key, seq)", 4)
_SEQS = msgspec.msgpack.Decoder(dict[str, int])
_PACK = msgspec.msgpack.Encoder().encode


class DedupKeys:
    """All keys. `recent` are the tail's, with their seqs, by log and sender; `greatest`, likewise,
    the greatest of all, as far as it is known."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.recent: defaultdict[Pair, dict[str, int]] = defaultdict(dict)
        self.greatest: dict[Pair, str] = {}
        # What is being written to the file, and whose it is, by log.
        self._planned: dict[Pair, dict[str, int]] = {}
        self._senders: defaultdict[int, list[str]] = defaultdict(list)
        # The greatest key in a run; and whether a log has any row in a table.
        self._risen: dict[Pair, str] = {}
        self._has: dict[tuple[str, int], bool] = {}

    def clear(self) -> None:
        """Know nothing by heart any more."""
        self.recent.clear()
        self._planned = {}
        self._senders.clear()
        self._forget()

    def _forget(self) -> None:
        """Forget what the file and the tail can tell again."""
        self.greatest.clear()
        self._risen.clear()
        self._has.clear()

    def bound(self) -> None:
        """Between two transactions: see that no more is in memory than need be."""
        if len(self.greatest) > _CACHED:
            self._forget()

    def seq(self, log: int, sender: str, key: str) -> int:
        """The seq of the latest entry that has this key of this sender, 0 if there is none. From
        then on `greatest` has this sender."""
        pair = (log, sender)
        recent = self.recent.get(pair, {})
        planned = self._planned.get(pair, {})
        greatest = self.greatest.get(pair)
        if greatest is None:
            greatest = max(
                self._greatest_single(pair), self._greatest_risen(pair), *recent, *planned
            )
            self.greatest[pair] = greatest
        if key > greatest:
            return 0
        return recent.get(key) or planned.get(key) or self._find(pair, key)

    def _find(self, pair: Pair, key: str) -> int:
        """The same, of what is in the file."""
        seq = 0
        if self._any("keys", pair[0]):
            seq = (
                self._one(
                    "SELECT seq FROM keys WHERE log = ? AND sender = ? AND key = ?", *pair, key
                )
                or 0
            )
        if key <= self._greatest_risen(pair):
            run = self._one(
                "SELECT keys FROM key_runs WHERE log = ? AND sender = ? AND greatest >= ?"
                " ORDER BY greatest LIMIT 1",
                *pair,
                key,
            )
            # Most often it is not there, which takes less than decoding to see. If both have it,
            # the earlier entry is gone.
            if run is not None and key.encode() in run:
                seq = max(seq, _SEQS.decode(run).get(key, 0))
        return seq

    def _greatest_single(self, pair: Pair) -> str:
        if not self._any("keys", pair[0]):
            return ""
        return self._one("SELECT max(key) FROM keys WHERE log = ? AND sender = ?", *pair) or ""

    def _greatest_risen(self, pair: Pair) -> str:
        risen = self._risen.get(pair)
        if risen is None:
            risen = ""
            if self._any("key_runs", pair[0]):
                query = "SELECT max(greatest) FROM key_runs WHERE log = ? AND sender = ?"
                risen = self._one(query, *pair) or ""
            self._risen[pair] = risen
        return risen

    def _any(self, table: str, log: int) -> bool:
        has = self._has.get((table, log))
        if has is None:
            has = self._one(f"SELECT 1 FROM {table} WHERE log = ? LIMIT 1", log) is not None
            self._has[table, log] = has
        return has

    def _one(self, query: str, *values: object) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def plan(self) -> None:
        """From now on, what is known by heart is to be written by `write`."""
        self._planned, self.recent = self.recent, defaultdict(dict)
        for log, sender in self._planned:
            self._senders[log].append(sender)

    def write(self, logs: Iterable[int]) -> None:
        """Write the planned keys of these logs to the file, in the transaction that is open."""
        runs: list[Any] = []
        single: list[Any] = []
        for log in logs:
            for sender in self._senders.pop(log, ()):
                pair = (log, sender)
                keys = self._planned[pair]
                risen = self._greatest_risen(pair)
                rising = list(keys)
                if rising[0] > risen and len(rising) <= _RUN and rising == sorted(rising):
                    # All of them rise, as most senders' keys do.
                    self._risen[pair] = rising[-1]
                    runs += (log, sender, rising[-1], max(keys.values()), _PACK(keys))
                    continue
                rising = []
                for key in keys:
                    if key > risen:
                        risen = key
                        rising.append(key)
                    else:
                        single += (log, sender, key, keys[key])
                self._risen[pair] = risen
                for start in range(0, len(rising), _RUN):
                    run = {key: keys[key] for key in rising[start : start + _RUN]}
                    # A key that was free again has a later entry, so the last key need not have the
                    # latest.
                    runs += (log, sender, next(reversed(run)), max(run.values()), _PACK(run))
        self._has.update((("key_runs", log), True) for log in runs[:: _RUNS.columns])
        self._has.update((("keys", log), True) for log in single[:: _SINGLE.columns])
        _RUNS.insert(self._connection, runs)
        _SINGLE.insert(self._connection, single)

    def written(self) -> None:
        """What was planned is in the file."""
        self._planned = {}

    def remove(self, log: int, upto: int) -> None:
        """Remove the keys of the entries of a log up to seq `upto`, which are in the index and
        still there.

        A run goes when all its entries have gone.
        """
        execute = self._connection.execute
        if self._any("key_runs", log):
            execute("DELETE FROM key_runs WHERE log = ? AND last <= ?", (log, upto))
        if self._any("keys", log):
            # A later entry may have the key again.
            for row in execute(
                "SELECT p.log, e.sender, e.key, p.seq FROM places AS p JOIN entries AS e USING (place)"
                " WHERE p.log = ? AND p.seq <= ? AND e.key IS NOT NULL",
                (log, upto),
            ).fetchall():
                execute(
                    "DELETE FROM keys WHERE log = ? AND sender = ? AND key = ? AND seq = ?", row
                )
