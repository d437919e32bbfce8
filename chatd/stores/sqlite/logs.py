"""The logs in the SQLite file: their numbers and heads, and what of them is garbage.

Runs on the writer's thread, in the transaction of a batch.
"""

from __future__ import annotations

import sqlite3

from chatd.stores.sqlite.recent_entries import RecentEntries

_CACHED = 200_000
"""logs whose numbers and heads are cached"""


class LogTable:
    """The tables `logs` and `rubbish`. The entries of a deleted or trimmed log are garbage, which
    maintenance removes (`chatd.stores.sqlite.maintenance`)."""

    def __init__(self, connection: sqlite3.Connection, recent: RecentEntries) -> None:
        self._execute = connection.execute
        self._recent = recent
        self.cache: dict[str, list[int]] = {}
        """[number, head, trimmed] of the logs that were used; to be cleared when a transaction is
        rolled back"""
        self.has_garbage = self._execute("SELECT 1 FROM rubbish LIMIT 1").fetchone() is not None
        """whether there may be garbage"""

    def limit_cache(self) -> None:
        """Bound the memory that the cache takes. Must be called between two transactions."""
        if len(self.cache) > _CACHED:
            self.clear_cache()

    def clear_cache(self) -> None:
        """Forget what is cached: it is read again when it is needed."""
        self.cache.clear()
        self._recent.bytes.full.clear()

    def find(self, name: str) -> list[int] | None:
        """[number, head, trimmed] of a log, None if it does not exist."""
        log = self.cache.get(name)
        if log is None:
            row = self._execute("SELECT id, trimmed FROM logs WHERE name = ?", (name,)).fetchone()
            if row is None:
                return None
            number, trimmed = row
            log = self.cache[name] = [number, max(trimmed, self._recent.head(number)), trimmed]
            self._recent.bytes.load(number, name)
        return log

    def number(self, name: str) -> int | None:
        """The number of a log, None if it does not exist."""
        log = self.find(name)
        return None if log is None else log[0]

    def create(self, name: str) -> None:
        """Create an empty log."""
        cursor = self._execute("INSERT INTO logs (name) VALUES (?)", (name,))
        assert cursor.lastrowid is not None
        self.cache[name] = [cursor.lastrowid, 0, 0]

    def trim(self, name: str, upto: int) -> None:
        """See `Store.trim`."""
        log = self.find(name)
        if log is not None:
            upto = min(upto, log[1])
            log[2] = max(log[2], upto)
            self._execute("UPDATE logs SET trimmed = max(trimmed, ?) WHERE id = ?", (upto, log[0]))
            self._mark_garbage(log[0], upto)

    def drop(self, name: str) -> None:
        """Delete a log, if it exists. Its positions are not found any more, either."""
        log = self.find(name)
        if log is not None:
            self._execute("DELETE FROM logs WHERE id = ?", (log[0],))
            self._mark_garbage(log[0], log[1])
            del self.cache[name]

    def rename(self, name: str, other: str) -> None:
        """Give a log that exists another name, which no log has."""
        log = self.find(name)
        assert log is not None
        self._execute("UPDATE logs SET name = ? WHERE id = ?", (other, log[0]))
        self.cache[other] = self.cache.pop(name)
        self._recent.bytes.load(log[0], other)

    def _mark_garbage(self, number: int, upto: int) -> None:
        """Have the entries of a log up to seq `upto` removed by maintenance."""
        self._execute(
            "INSERT INTO rubbish (log, upto) VALUES (?, ?)"
            " ON CONFLICT (log) DO UPDATE SET upto = max(upto, excluded.upto)",
            (number, upto),
        )
        self.has_garbage = True
