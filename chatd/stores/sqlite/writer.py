"""The writer of the SQLite store: one transaction for each batch. Runs on the writer's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.python.failure import Failure

from chatd.core.entries import TEXT, Entry
from chatd.core.errors import Conflict, Exists, Refused, StoreUnavailable, UnknownLog
from chatd.core.names import log_id
from chatd.stores import (
    ENTRY_BYTES,
    LIMITED_KINDS,
    PAGE_BYTES,
    Append,
    Create,
    CreateLog,
    Delete,
    DeleteKey,
    DeleteScope,
    DropLog,
    Erase,
    Forget,
    Quota,
    RenameLog,
    Require,
    RequireLog,
    RequireNone,
    RequireSome,
    RequireSpace,
    Save,
    StateChange,
    Update,
)
from chatd.stores.batches import Batch, Call, full, resend
from chatd.stores.sqlite.bulk_insert import BulkInsert
from chatd.stores.sqlite.documents import DocumentTable
from chatd.stores.sqlite.logs import LogTable
from chatd.stores.sqlite.maintenance import Maintenance
from chatd.stores.sqlite.positions import PositionTable
from chatd.stores.sqlite.recent_entries import RecentEntries

# Most entries are texts; their statement leaves out the columns that have default values then.
_TEXTS = BulkInsert("INSERT INTO entries (place, log, seq, id, time, sender, body, key, author)", 9)
_OTHERS = BulkInsert(
    "INSERT INTO entries (place, log, seq, id, time, sender, body, key, author, kind, about)", 11
)


class Writer:
    """Commits batches on the writing connection, which it owns."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        mark_log: Callable[[], None] | None = None,
        quota: Quota = Quota(),  # noqa: B008  # It is immutable.
    ) -> None:
        """Nothing is written before `mark_log` has been called without an error."""
        self.connection = connection
        self._mark_log = mark_log
        if mark_log is not None:
            connection.execute("PRAGMA query_only = ON")
        (self._schema,) = connection.execute("PRAGMA user_version").fetchone()
        self._quota = quota
        self._recent = RecentEntries(connection, quota)
        self.logs = LogTable(connection, self._recent)
        """the logs"""
        self.documents = DocumentTable(connection)
        """the documents"""
        self.positions = PositionTable(connection, self.logs.number)
        """the positions"""
        self.maintenance = Maintenance(
            connection, self._recent, self.logs, self.positions, self.documents
        )
        """what is to be done between batches"""

    def commit(self, batch: Batch) -> str | None:
        """Commit a batch and fill in its answers.

        If the transaction fails, all appends are refused, but for those of calls; each call runs in
        a transaction of its own, and the reason is returned, for the log.
        """
        connection = self.connection
        committing = False
        try:
            self._recent.refresh()
            if self._mark_log is not None:
                self._try_to_mark(self._mark_log)
            connection.execute("BEGIN IMMEDIATE")
            self._write(batch)
            committing = True
            connection.execute("COMMIT")
        except Exception as error:  # No error may end the thread.
            self.logs.clear_cache()
            self._recent.is_stale = True
            reason = f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error as rollback_error:
                reason += f"; and then: {rollback_error}"
            if committing:
                self._write_over()
            refusal = StoreUnavailable(f"the store cannot write at the moment: {error}")
            _refuse([item for item in batch if isinstance(item, Append)], refusal)
            for item in batch:
                if isinstance(item, Call):
                    self._run_alone(item)
            return reason
        self.maintenance.batch_committed()
        self.logs.limit_cache()
        self._recent.keys.limit_caches()
        return None

    def _try_to_mark(self, mark_log: Callable[[], None]) -> None:
        """Mark the log, which failed before; until then the connection can only read."""
        self.connection.execute("PRAGMA query_only = OFF")
        try:
            mark_log()
        except Exception:
            self.connection.execute("PRAGMA query_only = ON")
            raise
        self._mark_log = None

    def _write_over(self) -> None:
        """Write another transaction over one whose COMMIT has failed.

        If it failed in fsync, its frames may be on the disk, and a crash would bring back what has
        been refused. SQLite writes the next transaction in their place
        (https://sqlite.org/fileformat2.html#walformat), so one is made at once. If that fails as
        well, the next commit that succeeds does it.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            # An UPDATE that changes nothing writes nothing; this writes the first page.
            self.connection.execute(f"PRAGMA user_version = {self._schema}")
            self.connection.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def _run_alone(self, call: Call[Any]) -> None:
        """Run a call of a failed batch, with its entries, in a transaction of its own.

        Calls that only read succeed though the disk is full.
        """
        committing = False
        try:
            self._recent.refresh()
            self.connection.execute("BEGIN")
            call.outcome = call.run(self)
            if call.entries:
                for entry in call.entries:
                    entry.refusal = None
                self._write([*call.entries])
            committing = True
            self.connection.execute("COMMIT")
        except Exception as error:
            self.logs.clear_cache()
            if call.entries:
                self._recent.is_stale = True
            if self.connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
            if committing:
                self._write_over()
            refusal = (
                error
                if isinstance(error, Refused)
                else StoreUnavailable(f"the store fails: {error}")
            )
            call.outcome = Failure(refusal)
            _refuse(call.entries, refusal)

    def _write(self, batch: Batch) -> None:
        logs = self.logs.cache
        recent = self._recent
        places = recent.places
        first = recent.first
        recent_keys = recent.keys.recent
        greatest = recent.keys.greatest
        full_logs = recent.bytes.full
        place = recent.last
        texts: list[Any] = []
        # The last appends that are to one log and from one author: what their texts take, and the
        # place before the first of them.
        run_log: list[int] | None = None
        run_author = size = before = 0
        for item in batch:
            if isinstance(item, Append):
                name = item.log
                log = logs.get(name) or self.logs.find(name)
                if log is None:
                    item.refusal = UnknownLog()
                    continue
                number = log[0]
                key = item.key
                author = item.author
                if key is not None:
                    sender = author or item.sender
                    pair = (number, sender)
                    # A key greater than all others is new without a lookup.
                    if pair not in greatest or key <= greatest[pair]:
                        first_seq = recent.keys.seq(number, sender, key)
                        if first_seq > log[2]:
                            # The entry with this key may be in this batch.
                            _TEXTS.insert(self.connection, texts)
                            texts = []
                            resend(item, next(recent.entries(number, first_seq - 1, 1)))
                            continue
                    if full_logs and self._refuse_if_full(item, number):
                        continue
                    recent_keys[pair][key] = log[1] + 1
                    if key > greatest[pair]:
                        greatest[pair] = key
                elif full_logs and self._refuse_if_full(item, number):
                    continue
                seq = item.seq = log[1] = log[1] + 1
                body = item.body
                if log is not run_log or author is not run_author:
                    if run_log is not None:
                        recent.count(run_log[0], run_author, size + ENTRY_BYTES * (place - before))
                    run_log, run_author, size, before = log, author, 0, place
                size += len(body) if body.isascii() else len(body.encode())
                place += 1
                if number not in first:
                    first[number] = seq
                places[number].append(place)
                columns = (
                    place,
                    number,
                    seq,
                    item.id,
                    item.time,
                    item.sender,
                    body,
                    key,
                    author,
                )
                if item.kind is TEXT and not item.about:
                    texts += columns
                else:
                    self.connection.execute(_OTHERS.one, (*columns, item.kind, item.about))
            else:
                _TEXTS.insert(self.connection, texts)
                texts = []
                recent.last = place
                try:
                    item.outcome = item.run(self)
                except Refused:
                    item.outcome = Failure()
        _TEXTS.insert(self.connection, texts)
        recent.last = place
        if run_log is not None:
            recent.count(run_log[0], run_author, size + ENTRY_BYTES * (place - before))

    def _refuse_if_full(self, item: Append, number: int) -> bool:
        """Refuse an append to the log of this number if a quota is met; whether it is."""
        met = self._recent.bytes.quota_met(number, item.author)
        if not met or item.kind not in LIMITED_KINDS:
            return False
        item.refusal = full(item.log, met, self._quota)
        return True

    def read(self, name: str, after: int, limit: int) -> list[Entry]:
        """See `Store.read`."""
        row = self.connection.execute(
            "SELECT id, trimmed FROM logs WHERE name = ?", (name,)
        ).fetchone()
        page: list[Entry] = []
        if row is not None:
            size = 0
            for entry in self._recent.entries(row[0], max(after, row[1]), limit):
                size += len(entry.body)
                if page and size > PAGE_BYTES:
                    break
                page.append(entry)
        return page

    def head(self, name: str) -> int:
        """See `Store.head`."""
        log = self.logs.find(name)
        return log[1] if log else 0

    def has_key(self, name: str, author: int, key: str) -> bool:
        """See `Store.has_key`."""
        log = self.logs.find(name)
        return log is not None and self._recent.keys.seq(log[0], author, key) > log[2]

    def write(self, changes: Sequence[StateChange]) -> list[int]:
        """See `Store.write`."""
        if len(changes) == 1:
            # A change that is refused has changed nothing.
            return [self._change(changes[0])]
        execute = self.connection.execute
        execute("SAVEPOINT write")
        try:
            versions = [self._change(change) for change in changes]
        except Refused:
            execute("ROLLBACK TO write")
            execute("RELEASE write")
            # What is cached of these logs is undone.
            for change in changes:
                if isinstance(change, CreateLog | DropLog | RenameLog):
                    self.logs.cache.pop(change.log, None)
                if isinstance(change, RenameLog):
                    self.logs.cache.pop(change.name, None)
            raise
        execute("RELEASE write")
        return versions

    def _change(self, change: StateChange) -> int:
        """Make one change; the new version, 0 if there is none. Raises `Exists`, `Conflict`,
        `MailboxFull`, `RoomFull`."""
        documents = self.documents
        match change:
            case Create(kind, key, body, scope):
                return documents.create(kind, key, body, scope)
            case Update(kind, key, version, body, scope):
                return documents.update(kind, key, version, body, scope)
            case Delete(kind, key, version, scope):
                documents.delete(kind, key, version, scope)
            case DeleteScope(kind, scope):
                documents.delete_scope(kind, scope)
            case Require(kind, key, version, scope):
                documents.require(kind, key, version, scope)
            case RequireNone(kind, scope):
                documents.require_none(kind, scope)
            case CreateLog(log):
                if self.logs.find(log) is not None:
                    raise Exists()
                self.logs.create(log)
                self.connection.execute(
                    "UPDATE progress SET newest_id = max(newest_id, ?)", (log_id(log),)
                )
            case DropLog(log):
                self.logs.drop(log)
            case RenameLog(log, name):
                if self.logs.find(name) is not None:
                    raise Exists()
                if self.logs.find(log) is None:
                    raise Conflict()
                self.logs.rename(log, name)
            case DeleteKey(kind, key):
                documents.delete_key(kind, key)
            case RequireSome(kind, scope):
                documents.require_some(kind, scope)
            case RequireLog(log):
                if self.logs.find(log) is None:
                    raise Conflict()
            case RequireSpace(log, author):
                found = self.logs.find(log)
                met = "" if found is None else self._recent.bytes.quota_met(found[0], author)
                if met:
                    raise full(log, met, self._quota)
            case Erase(log, seq):
                self._erase(log, seq)
            case Save(position):
                self.positions.save((position,))
            case Forget(account, log):
                number = self.logs.number(log)
                if number is not None:
                    self.positions.forget(account, number)
        return 0

    def _erase(self, name: str, seq: int) -> None:
        """Take the text from an entry, also from the free parts of the file's pages."""
        log = self.logs.find(name)
        if log is None or not log[2] < seq <= log[1]:
            return
        execute = self.connection.execute
        (former,) = execute("PRAGMA secure_delete").fetchone()
        execute("PRAGMA secure_delete = ON").fetchone()
        try:
            self._recent.erase(log[0], seq)
        finally:
            execute(f"PRAGMA secure_delete = {('OFF', 'ON', 'FAST')[former]}").fetchone()

    def newest(self) -> tuple[int, int]:
        """See `Store.newest`."""
        return self._recent.newest()


def _refuse(appends: Sequence[Append], refusal: Refused) -> None:
    for append in appends:
        append.seq = 0
        append.resent = False
        append.refusal = refusal
