"""The store in one SQLite file: what the reactor's thread sees of it.

Three threads: the reactor's collects appends and calls into the open batch; the writer's commits
one batch at a time, in one transaction each, while the next one collects, so that load makes
batches larger by itself; the lister's answers listings from a connection of its own, so that nobody
waits for them. Besides, each backup has one, with a connection of its own.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.core.entries import Entry
from chatd.core.errors import BackupFailed, Conflict, Exists, StoreUnavailable, StoreUnusable
from chatd.core.glob import matcher
from chatd.stores import Document
from chatd.stores.batches import Batch, Batches
from chatd.stores.sqlite.backup import copy
from chatd.stores.sqlite.file import claim, connect, migrate, migrations
from chatd.stores.sqlite.writer import Writer

T = TypeVar("T")

_MANY = 8
"""entries in a batch that tell of load"""
_PATIENCE = 0.002
"""seconds that, under load, the next batch collects after one was written"""


class SQLiteStore(Batches):
    """`Store` in the file at `path`. `reactor` must take calls from threads
    (IReactorFromThreads)."""

    ephemeral = False

    logger = Logger(namespace="chatd")

    def __init__(self, reactor: Any, path: str) -> None:
        super().__init__()
        self._from_thread: Callable[..., Any] = IReactorFromThreads(reactor).callFromThread
        self._later = IReactorTime(reactor).callLater
        self.path = path
        self._claimed = -1
        self._flush_due = False
        self._writing = False
        self._failing = False
        self._stopped: Deferred[None] | None = None
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._listings: SimpleQueue[Callable[[sqlite3.Connection], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._copying: list[threading.Thread] = []
        self._stopping = threading.Event()

    def start(self) -> None:
        """Take the file and open it, making or migrating it as needed. Raises `StoreUnusable`."""
        self._claimed = claim(self.path)
        try:
            writing = connect(self.path, writing=True)
            migrate(writing, self.path, migrations())
            writer = Writer(writing)
            reading = connect(self.path, writing=False)
        except sqlite3.Error as error:
            os.close(self._claimed)
            raise StoreUnusable(f"the store {self.path} cannot be opened: {error}") from None
        except StoreUnusable:
            os.close(self._claimed)
            raise
        self._threads = [
            threading.Thread(
                target=self._write_on, args=(writer,), name="chatd-writer", daemon=True
            ),
            threading.Thread(
                target=self._list_on, args=(reading,), name="chatd-lister", daemon=True
            ),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> Deferred[None]:
        """Commit what is waiting, then close the file; fires when it is closed."""
        if self._stopped is None:
            self._stopped = Deferred()
            self._stopping.set()
            self._submit()
            if not self._writing:
                self._close()
        return self._stopped

    def flush(self) -> None:
        """Commit soon: after this turn of the reactor, so that all it brings share one
        transaction."""
        if not self._writing and not self._flush_due and self._stopped is None:
            self._flush_due = True
            self._later(0, self._submit)

    def _submit(self) -> None:
        self._flush_due = False
        if self._open and not self._writing:
            self._writing = True
            self._batches.put(self._take_open())

    def _written(self, batch: Batch, trouble: str | None) -> None:
        """Back on the reactor's thread: let the next batch go first, then tell of this one."""
        self._writing = False
        self._committing = 0
        if trouble and not self._failing:
            self.logger.error(
                "The store {path} cannot write: {trouble}", path=self.path, trouble=trouble
            )
        elif self._failing and not trouble:
            self.logger.info("The store {path} can write again", path=self.path)
        self._failing = trouble is not None
        if len(batch) >= _MANY and len(self._open) < len(batch) and self._stopped is None:
            # Under load a moment's patience makes fewer and larger batches, which are cheaper for
            # everyone.
            self._flush_due = True
            self._later(_PATIENCE, self._submit)
        else:
            self._submit()
        self._answer(batch)
        if self._stopped is not None:
            self._submit()
            if not self._writing:
                self._close()

    def _close(self) -> None:
        self._batches.put(None)
        self._listings.put(None)

    def _closed(self) -> None:
        for thread in self._threads:
            thread.join()
        os.close(self._claimed)
        assert self._stopped is not None
        self._stopped.callback(None)

    def _write_on(self, writer: Writer) -> None:
        """The writer's thread."""
        while True:
            if writer.overdue or (writer.chores and self._batches.empty()):
                writer.tidy()
                continue
            batch = self._batches.get()
            if batch is None:
                break
            trouble = writer.commit(batch)
            self._from_thread(self._written, batch, trouble)
        for thread in tuple(self._copying):
            thread.join()
        with suppress(
            sqlite3.Error
        ):  # Failing that, the write-ahead log is read at the next start.
            writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.connection.close()
        self._from_thread(self._closed)

    def _list_on(self, connection: sqlite3.Connection) -> None:
        """The lister's thread."""
        while (listing := self._listings.get()) is not None:
            listing(connection)
        connection.close()

    def read(self, log: str, after: int, limit: int) -> Deferred[list[Entry]]:
        """See `Store.read`."""
        return self._call(lambda writer: writer.read(log, after, limit))

    def head(self, log: str) -> Deferred[int]:
        """See `Store.head`."""
        return self._call(lambda writer: writer.head(log))

    def trim(self, log: str, upto: int) -> Deferred[None]:
        """See `Store.trim`."""
        return self._call(lambda writer: writer.trim(log, upto))

    def drop(self, log: str) -> Deferred[None]:
        """See `Store.drop`."""
        return self._call(lambda writer: writer.drop(log))

    def backup(self, path: str) -> Deferred[None]:
        """See `Store.backup`."""
        answer: Deferred[None] = Deferred()

        def copying() -> None:
            outcome: Failure | None = None
            try:
                copy(self.path, path, self._stopping.is_set)
            except Exception as error:  # Whatever it is, somebody waits for the answer.
                outcome = Failure(
                    error if isinstance(error, BackupFailed) else BackupFailed(str(error))
                )
            self._from_thread(copied, outcome)

        def copied(outcome: Failure | None) -> None:
            self._copying.remove(thread)
            answer.callback(outcome)

        thread = threading.Thread(target=copying, name="chatd-backup", daemon=True)
        self._copying.append(thread)
        thread.start()
        return answer

    def create(self, kind: str, key: str, body: bytes) -> Deferred[int]:
        """See `Store.create`."""

        def run(writer: Writer) -> int:
            made = writer.connection.execute(
                "INSERT INTO documents (kind, key, version, body) VALUES (?, ?, 1, ?)"
                " ON CONFLICT (key, kind) DO NOTHING",
                (kind, key, body),
            )
            if not made.rowcount:
                raise Exists()
            return 1

        return self._call(run)

    def get(self, kind: str, key: str) -> Deferred[Document | None]:
        """See `Store.get`."""

        def run(writer: Writer) -> Document | None:
            row = writer.connection.execute(
                "SELECT key, version, body FROM documents WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
            return Document(*row) if row else None

        return self._call(run)

    def update(self, kind: str, key: str, version: int, body: bytes) -> Deferred[int]:
        """See `Store.update`."""

        def run(writer: Writer) -> int:
            changed = writer.connection.execute(
                "UPDATE documents SET version = version + 1, body = ?"
                " WHERE kind = ? AND key = ? AND version = ?",
                (body, kind, key, version),
            )
            if not changed.rowcount:
                raise Conflict()
            return version + 1

        return self._call(run)

    def delete(self, kind: str, key: str, version: int) -> Deferred[None]:
        """See `Store.delete`."""

        def run(writer: Writer) -> None:
            gone = writer.connection.execute(
                "DELETE FROM documents WHERE kind = ? AND key = ? AND version = ?",
                (kind, key, version),
            )
            if not gone.rowcount:
                raise Conflict()

        return self._call(run)

    def page(self, kind: str, pattern: str, after: str, limit: int) -> Deferred[list[str]]:
        """See `Store.page`."""
        return self._list("WHERE kind = ? AND key > ? ORDER BY key", (kind, after), pattern, limit)

    def _list(
        self, condition: str, values: tuple[str, ...], pattern: str, limit: int | None
    ) -> Deferred[list[str]]:
        answer: Deferred[list[str]] = Deferred()

        def listing(connection: sqlite3.Connection) -> None:
            try:
                # Each row gives the interpreter's lock to whoever wants it, so the reactor never
                # waits long.
                rows = connection.execute(f"SELECT key FROM documents {condition}", values)
                matches = matcher(pattern)
                keys: list[str] = []
                for (key,) in rows:
                    if len(keys) == limit:
                        break
                    if matches(key):
                        keys.append(key)
                rows.close()
            except sqlite3.Error as error:
                refusal = StoreUnavailable(f"the store cannot be read at the moment: {error}")
                self._from_thread(answer.errback, Failure(refusal))
            else:
                self._from_thread(answer.callback, keys)

        self._listings.put(listing)
        return answer

    def list(self, kind: str, pattern: str = "*", limit: int | None = None) -> Deferred[list[str]]:
        """See `Store.list`."""
        return self._list("WHERE kind = ? ORDER BY id", (kind,), pattern, limit)
