"""The writer's side of the SQLite store: one transaction for each batch. Runs on the writer's
thread."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

from twisted.python.failure import Failure

from chatd.core.entries import TEXT, Entry
from chatd.core.errors import Refused, StoreUnavailable
from chatd.stores import PAGE_BYTES, Append
from chatd.stores.batches import Batch, Call, resend
from chatd.stores.sqlite.bulk_insert import BulkInsert
from chatd.stores.sqlite.recent_entries import INDEX_AT, RecentEntries

# Texts are by far the most; their statement binds only what differs.
_TEXTS = BulkInsert("INSERT INTO entries (place, log, seq, id, time, sender, body, key)", 8)
_OTHERS = BulkInsert(
    "INSERT INTO entries (place, log, seq, id, time, sender, body, key, kind, about)", 10
)
_CACHED_LOGS = 200_000
_RUBBISH_AT_ONCE = 500
_COMMITS_BETWEEN_CHORES = 32


class Writer:
    """Owns the writing connection; knows the number and the head of the logs it has lately met."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._logs: dict[str, list[int]] = {}
        self._tail = RecentEntries(connection)
        self._tail_is_stale = False
        self._untidy = False
        self._commits = 0
        self.rubbish = connection.execute("SELECT 1 FROM rubbish LIMIT 1").fetchone() is not None

    def commit(self, batch: Batch) -> str | None:
        """Make a batch durable and fill in its answers; or refuse all of it, and say why not."""
        connection = self.connection
        try:
            if self._tail_is_stale:
                self._tail.read()
                self._tail_is_stale = False
            connection.execute("BEGIN IMMEDIATE")
            self._write(batch)
            connection.execute("COMMIT")
        except (
            Exception
        ) as error:  # Whatever it is: it must not end this thread, on which all wait.
            self._logs.clear()
            self._tail_is_stale = True
            reason = f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error as again:
                reason += f"; and then: {again}"
            refusal = StoreUnavailable(f"the store cannot write at the moment: {error}")
            for item in batch:
                if isinstance(item, Append):
                    item.seq = 0
                    item.resent = False
                    item.refusal = refusal
                else:
                    self._run_alone(item)
            return reason
        self._untidy = False
        self._commits += 1
        if len(self._logs) > _CACHED_LOGS:
            self._logs.clear()
        self._tail.keys.bound()
        return None

    def _run_alone(self, call: Call[Any]) -> None:
        """A second chance for a call whose batch failed: what only reads need not suffer from a
        full disk."""
        try:
            if self._tail_is_stale:
                self._tail.read()
                self._tail_is_stale = False
            self.connection.execute("BEGIN")
            call.outcome = call.run(self)
            self.connection.execute("COMMIT")
        except Exception as error:
            self._logs.clear()
            if self.connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
            refused = (
                error
                if isinstance(error, Refused)
                else StoreUnavailable(f"the store fails: {error}")
            )
            call.outcome = Failure(refused)

    def _write(self, batch: Batch) -> None:
        logs = self._logs
        tail = self._tail
        places = tail.places
        first = tail.first
        recent = tail.keys.recent
        greatest = tail.keys.greatest
        place = tail.last
        texts: list[Any] = []
        for item in batch:
            if isinstance(item, Append):
                name = item.log
                log = logs.get(name)
                if log is None:
                    log = self._open_log(name)
                number = log[0]
                key = item.key
                if key is not None:
                    sender = item.sender
                    pair = (number, sender)
                    # No key has been greater than the greatest.
                    if pair not in greatest or key <= greatest[pair]:
                        found = tail.keys.seq(number, sender, key)
                        if found > log[2]:
                            # What it is compared with may be of this very batch.
                            _TEXTS.insert(self.connection, texts)
                            texts = []
                            resend(item, next(tail.entries(number, found - 1, 1)))
                            continue
                    recent[pair][key] = log[1] + 1
                    if key > greatest[pair]:
                        greatest[pair] = key
                seq = item.seq = log[1] = log[1] + 1
                place += 1
                if number not in first:
                    first[number] = seq
                places[number].append(place)
                columns = (place, number, seq, item.id, item.time, item.sender, item.body, key)
                if item.kind is TEXT and not item.about:
                    texts += columns
                else:
                    self.connection.execute(_OTHERS.one, (*columns, item.kind, item.about))
            else:
                _TEXTS.insert(self.connection, texts)
                texts = []
                tail.last = place
                try:
                    item.outcome = item.run(self)
                except Refused:
                    item.outcome = Failure()
        _TEXTS.insert(self.connection, texts)
        tail.last = place

    def _open_log(self, name: str) -> list[int]:
        """[number, head, trimmed] of a log, which begins now if there is none."""
        found = self._find_log(name)
        if found is None:
            cursor = self.connection.execute("INSERT INTO logs (name) VALUES (?)", (name,))
            assert cursor.lastrowid is not None
            found = self._logs[name] = [cursor.lastrowid, 0, 0]
        return found

    def _find_log(self, name: str) -> list[int] | None:
        known = self._logs.get(name)
        if known is None:
            row = self.connection.execute(
                "SELECT id, trimmed FROM logs WHERE name = ?", (name,)
            ).fetchone()
            if row is None:
                return None
            number, trimmed = row
            known = self._logs[name] = [number, max(trimmed, self._tail.head(number)), trimmed]
        return known

    def read(self, name: str, after: int, limit: int) -> list[Entry]:
        """See `Store.read`."""
        row = self.connection.execute(
            "SELECT id, trimmed FROM logs WHERE name = ?", (name,)
        ).fetchone()
        page: list[Entry] = []
        if row is not None:
            size = 0
            for entry in self._tail.entries(row[0], max(after, row[1]), limit):
                size += len(entry.body)
                if page and size > PAGE_BYTES:
                    break
                page.append(entry)
        return page

    def head(self, name: str) -> int:
        """See `Store.head`."""
        log = self._find_log(name)
        return log[1] if log else 0

    def trim(self, name: str, upto: int) -> None:
        """See `Store.trim`."""
        log = self._find_log(name)
        if log is not None:
            upto = min(upto, log[1])
            log[2] = max(log[2], upto)
            self.connection.execute(
                "UPDATE logs SET trimmed = max(trimmed, ?) WHERE id = ?", (upto, log[0])
            )
            self._discard(log[0], upto)

    def drop(self, name: str) -> None:
        """See `Store.drop`."""
        self.connection.execute("DELETE FROM documents WHERE key = ?", (name,))
        log = self._find_log(name)
        if log is not None:
            self.connection.execute("DELETE FROM logs WHERE id = ?", (log[0],))
            self._discard(log[0], log[1])
            del self._logs[name]

    def _discard(self, log: int, upto: int) -> None:
        self.connection.execute(
            "INSERT INTO rubbish (log, upto) VALUES (?, ?)"
            " ON CONFLICT (log) DO UPDATE SET upto = max(upto, excluded.upto)",
            (log, upto),
        )
        self.rubbish = True

    @property
    def chores(self) -> bool:
        """Whether `tidy` has something to do."""
        # A stale tail has entries that were taken back.
        if self._untidy or self._tail_is_stale:
            return False
        return self.rubbish or self._tail.indexing or len(self._tail) >= INDEX_AT

    @property
    def overdue(self) -> bool:
        """Whether it should no longer wait for an idle moment."""
        return self.chores and (
            self._commits >= _COMMITS_BETWEEN_CHORES or len(self._tail) >= 2 * INDEX_AT
        )

    def tidy(self) -> None:
        """Write some of the tail to the index, or remove a few entries that nobody can read any
        more."""
        self._commits = 0
        try:
            if self._tail.indexing or len(self._tail) >= INDEX_AT:
                self._tail.index()
            else:
                self._sweep()
        except sqlite3.Error:
            # The next commit runs into the same trouble and reports it; the first that does not
            # clears this.
            self._untidy = self._tail_is_stale = True
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def _sweep(self) -> None:
        execute = self.connection.execute
        in_tail = False
        execute("BEGIN IMMEDIATE")
        row = execute("SELECT log, upto FROM rubbish LIMIT 1").fetchone()
        if row is not None:
            log, upto = row
            indexed = min(upto, self._tail.first.get(log, upto + 1) - 1)
            old = execute(
                "SELECT seq FROM places WHERE log = ? AND seq <= ? ORDER BY seq LIMIT ?",
                (log, indexed, _RUBBISH_AT_ONCE),
            ).fetchall()
            if old:
                last = old[-1][0]
                self._tail.keys.remove(log, last)
                some = "places WHERE log = ? AND seq <= ?"
                execute(
                    f"DELETE FROM entries WHERE place IN (SELECT place FROM {some})", (log, last)
                )
                execute(f"DELETE FROM {some}", (log, last))
            if len(old) < _RUBBISH_AT_ONCE:
                in_tail = indexed < upto
                if not in_tail:
                    execute("DELETE FROM rubbish WHERE log = ?", (log,))
        execute("COMMIT")
        self.rubbish = row is not None
        if in_tail:
            self._tail.index()
