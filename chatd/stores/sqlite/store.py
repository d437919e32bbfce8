"""The store in one SQLite file: the part that runs on the reactor's thread.

Three threads work together. The reactor's thread collects appends and calls into the open batch.
The writer's thread commits one batch at a time, in one transaction, while the next one collects:
the higher the load, the larger the batches. The lister's thread answers listings on a connection of
its own, so that they do not delay the writer. Each backup has a thread and a connection of its own.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.core.entries import Entry
from chatd.core.errors import BackupFailed, StoreUnavailable, StoreUnusable
from chatd.stores import SCAN_LIMIT, Change, Document, Position, Quota
from chatd.stores.batches import Batch, Batches
from chatd.stores.sqlite.backup import copy
from chatd.stores.sqlite.file import connect, lock, migrate, migrations
from chatd.stores.sqlite.listings import ListerWorker, Listing
from chatd.stores.sqlite.workers import StartWorker, WorkerThread, start_thread
from chatd.stores.sqlite.write_ahead_log import mark, remove_marks
from chatd.stores.sqlite.writer import Writer

logger = Logger(namespace="chatd")

T = TypeVar("T")

LOADED_BATCH = 8
"""the number of items of a batch from which on the store counts as loaded"""
GROUP_COMMIT_DELAY = 0.002
"""under load, the seconds in which the next batch grows after a commit"""


class SQLiteStore(Batches):
    """`Store` and `OnlineBackup` in the file at `path`.

    `reactor` must provide IReactorFromThreads and IReactorTime. `start_worker` starts the threads;
    `connect` opens a connection (`chatd.stores.sqlite.file.connect`).
    """

    ephemeral = False
    newest = (0, 0)

    def __init__(
        self,
        reactor: Any,
        path: str,
        start_worker: StartWorker = start_thread,
        connect: Callable[..., sqlite3.Connection] = connect,
        quota: Quota = Quota(),  # noqa: B008  # It is immutable.
    ) -> None:
        super().__init__()
        self._quota = quota
        self._call_from_thread: Callable[..., Any] = IReactorFromThreads(reactor).callFromThread
        self._call_later = IReactorTime(reactor).callLater
        self._seconds = IReactorTime(reactor).seconds
        # When the batch that is being committed was handed over.
        self._submitted = 0.0
        self._start_worker = start_worker
        self._connect = connect
        self.path = path
        self._lock = -1
        self._flush_due = False
        self._writing = False
        self._failing = False
        self._stopped: Deferred[None] | None = None
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._listings: SimpleQueue[Listing | None] = SimpleQueue()
        self._threads: list[WorkerThread] = []
        self._backups: list[WorkerThread] = []
        self._stopping = threading.Event()

    def start(self) -> None:
        """Lock and open the file; create it or migrate its schema if needed.

        Raises `StoreUnusable`.
        """
        self._lock = lock(self.path)
        try:
            remove_marks(self.path, os.pread(self._lock, 100, 0))
            writing = self._connect(self.path, writing=True)
            mark_log = self._mark(writing)
            migrate(writing, self.path, migrations())
            writer = Writer(writing, mark_log, self._quota)
            self.newest = writer.newest()
            reading = self._connect(self.path, writing=False)
        except sqlite3.Error as error:
            os.close(self._lock)
            raise StoreUnusable(f"the store {self.path} cannot be opened: {error}") from None
        except StoreUnusable:
            os.close(self._lock)
            raise
        self._threads = [
            self._start_worker(_WriterWorker(self, writer), "chatd-writer"),
            self._start_worker(ListerWorker(self._listings, reading), "chatd-lister"),
        ]

    def _mark(self, writing: sqlite3.Connection) -> Callable[[], None] | None:
        """Have the file know its log; return what has to be done before the first commit, None if
        that is done. Raises `StoreUnusable`, `sqlite3.Error`."""
        mark_log = partial(mark, writing, self.path, self._lock)
        try:
            mark_log()
        except sqlite3.OperationalError as error:
            # A daemon whose disk is full starts nevertheless: mail can be read.
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            return mark_log
        return None

    def stop(self) -> Deferred[None]:
        """Commit and answer the queue, then close the file; fires when it is closed.

        Listings that are not complete are refused, and so are later ones.
        """
        if self._stopped is None:
            self._stopped = Deferred()
            self._stopping.set()
            self._listings.put(None)
            self._submit()
            if not self._writing:
                self._close()
        return self._stopped

    def flush(self) -> None:
        """Commit after this turn of the reactor, so that one transaction takes all its appends."""
        if not self._writing and not self._flush_due and self._stopped is None:
            self._flush_due = True
            self._call_later(0, self._submit)

    def _submit(self) -> None:
        """Give the open batch to the writer, unless the writer has one."""
        self._flush_due = False
        if self._open and not self._writing:
            self._writing = True
            self._submitted = self._seconds()
            self._batches.put(self._take_open())

    def _batch_written(self, batch: Batch, reason: str | None) -> None:
        """Submit the next batch, then answer this one; `reason` says why it failed, if it did."""
        self._writing = False
        self.counts.committed(self._seconds() - self._submitted)
        self.counts.characters += self._committing
        self._committing = 0
        if reason and not self._failing:
            logger.error("The store {path} cannot write: {reason}", path=self.path, reason=reason)
        elif self._failing and not reason:
            logger.info("The store {path} can write again", path=self.path)
        self._failing = reason is not None
        if len(batch) >= LOADED_BATCH and len(self._open) < len(batch) and self._stopped is None:
            # Under load, fewer and larger batches cost less processor time.
            self._flush_due = True
            self._call_later(GROUP_COMMIT_DELAY, self._submit)
        else:
            self._submit()
        self._answer(batch)
        if self._stopped is not None:
            self._submit()
            if not self._writing:
                self._close()

    def _close(self) -> None:
        """End the writer's thread; `_closed` is called when it has closed the file."""
        self._batches.put(None)

    def _closed(self) -> None:
        for thread in self._threads:
            thread.join()
        os.close(self._lock)
        assert self._stopped is not None
        self._stopped.callback(None)

    def read(self, log: str, after: int, limit: int) -> Deferred[list[Entry]]:
        """See `Store.read`."""
        return self._call(lambda writer: writer.read(log, after, limit))

    def head(self, log: str) -> Deferred[int]:
        """See `Store.head`."""
        return self._call(lambda writer: writer.head(log))

    def has_key(self, log: str, author: int, key: str) -> Deferred[bool]:
        """See `Store.has_key`."""
        return self._call(lambda writer: writer.has_key(log, author, key))

    def trim(self, log: str, upto: int) -> Deferred[None]:
        """See `Store.trim`."""
        return self._call(lambda writer: writer.logs.trim(log, upto))

    def backup(self, path: str) -> Deferred[None]:
        """See `OnlineBackup.backup`."""
        answer: Deferred[None] = Deferred()

        def run() -> None:
            outcome: Failure | None = None
            try:
                copy(self.path, path, self._stopping.is_set)
            except Exception as error:  # Every error has to reach the caller.
                outcome = Failure(
                    error if isinstance(error, BackupFailed) else BackupFailed(str(error))
                )
            self._call_from_thread(finish, outcome)

        def finish(outcome: Failure | None) -> None:
            self._backups.remove(thread)
            answer.callback(outcome)

        thread = self._start_worker(_BackupWorker(run), "chatd-backup")
        self._backups.append(thread)
        return answer

    def write(self, changes: Sequence[Change]) -> Deferred[list[int]]:
        """See `Store.write`."""
        return self._call_write(changes, Writer.write)

    def get(self, kind: str, key: str, scope: str = "") -> Deferred[Document | None]:
        """See `Store.get`."""
        return self._call(lambda writer: writer.documents.get(kind, key, scope))

    def scan(
        self, kind: str, scope: str = "", after: str = "", limit: int = SCAN_LIMIT
    ) -> Deferred[list[Document]]:
        """See `Store.scan`."""
        return self._call(lambda writer: writer.documents.scan(kind, scope, after, limit))

    def count(self, kind: str, scope: str = "") -> Deferred[int]:
        """See `Store.count`."""
        return self._call(lambda writer: writer.documents.count(kind, scope))

    def save(self, positions: Sequence[Position]) -> Deferred[None]:
        """See `Store.save`."""
        return self._call(lambda writer: writer.positions.save(positions))

    def positions(self, account: int, log: str | None = None) -> Deferred[Sequence[Position]]:
        """See `Store.positions`."""
        if log is None:
            return self._call(lambda writer: writer.positions.of(account))
        return self._call(lambda writer: writer.positions.of_log(account, log))

    def page(
        self, kind: str, pattern: str, after: str, limit: int, scope: str = ""
    ) -> Deferred[list[str]]:
        """See `Store.page`."""
        return self._list("key", kind, scope, pattern, after, limit)

    def _list(
        self,
        column: Literal["id", "key"],
        kind: str,
        scope: str,
        pattern: str,
        after: int | str,
        limit: int | None,
    ) -> Deferred[list[str]]:
        """Queue a listing for the lister's thread. See `Listing`."""
        deferred: Deferred[list[str]] = Deferred()

        def answer(result: list[str] | StoreUnavailable) -> None:
            if isinstance(result, StoreUnavailable):
                self._call_from_thread(deferred.errback, Failure(result))
            else:
                self._call_from_thread(deferred.callback, result)

        if self._stopped is None:
            self._listings.put(Listing(column, kind, scope, pattern, after, limit, answer))
        else:
            deferred.errback(Failure(StoreUnavailable("the daemon stops")))
        return deferred

    def list(
        self, kind: str, pattern: str = "*", limit: int | None = None, scope: str = ""
    ) -> Deferred[list[str]]:
        """See `Store.list`."""
        return self._list("id", kind, scope, pattern, 0, limit)


class _WriterWorker:
    """Commits the store's batches; between them, does maintenance."""

    def __init__(self, store: SQLiteStore, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    def ready(self) -> bool:
        """See `Worker`."""
        return self._writer.maintenance.needed or not self._store._batches.empty()

    def step(self) -> bool:
        """See `Worker`. Commits one batch, or does one step of maintenance."""
        store, writer, maintenance = self._store, self._writer, self._writer.maintenance
        if maintenance.overdue or (maintenance.needed and store._batches.empty()):
            maintenance.run()
            return True
        batch = store._batches.get()
        if batch is not None:
            reason = writer.commit(batch)
            store._call_from_thread(store._batch_written, batch, reason)
            return True
        for thread in tuple(store._backups):
            thread.join()
        # If the checkpoint fails, the write-ahead log is read at the next start.
        with suppress(sqlite3.Error):
            writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.connection.close()
        store._call_from_thread(store._closed)
        return False


class _BackupWorker:
    """Makes one copy of the store."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run

    def ready(self) -> bool:
        """See `Worker`."""
        return True

    def step(self) -> bool:
        """See `Worker`. Makes the copy."""
        self._run()
        return False
