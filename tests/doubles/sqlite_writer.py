"""The writer of the SQLite store without its thread: each step runs when the test calls it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import Append, CreateLog, DropLog
from chatd.stores.batches import Call
from chatd.stores.sqlite import maintenance as maintenance_module
from chatd.stores.sqlite import recent_entries as recent_module
from chatd.stores.sqlite.file import connect, migrate, migrations
from chatd.stores.sqlite.place_runs import unpack
from chatd.stores.sqlite.store import SQLiteStore
from chatd.stores.sqlite.writer import Writer
from tests.doubles.folders import folder
from tests.doubles.sqlite_file import PumpedReactor

NEVER = 1_000_000


class SteppedStore(SQLiteStore):
    """The store without threads: it commits in `commit`; tests run the writer's maintenance."""

    def __init__(self, path: str) -> None:
        super().__init__(PumpedReactor(), path)

    def start(self) -> None:
        """See `Store.start`; the file is not locked."""
        connection = connect(self.path, writing=True)
        migrate(connection, self.path, migrations())
        self.writer = Writer(connection)

    def flush(self) -> None:
        """See `Store.flush`; does nothing until `commit`."""

    def commit(self) -> None:
        """Commit and answer the queue."""
        batch = self._take_open()
        self.writer.commit(batch)
        self._answer(batch)


def indexed_places(connection: sqlite3.Connection) -> list[tuple[int, int, int]]:
    """(log, seq, place) of all entries in the index, but for those that have been removed."""
    places = {place for (place,) in connection.execute("SELECT place FROM entries")}
    return [
        (log, seq, place)
        for log, first, packed in connection.execute("SELECT log, first, places FROM place_runs")
        for seq, place in enumerate(unpack(packed), first)
        if place in places
    ]


class WithWriter(SynchronousTestCase):
    """Base of tests of a writer whose maintenance is run by the test."""

    def setUp(self) -> None:
        self.path = os.path.join(folder(self), "chatd.db")
        self.patch(maintenance_module, "INDEX_AT", NEVER)
        self.writer = self.open()

    def tearDown(self) -> None:
        self.writer.connection.close()

    def open(self) -> Writer:
        """A writer on the file."""
        connection = connect(self.path, writing=True)
        migrate(connection, self.path, migrations())
        return Writer(connection)

    def reopen(self) -> None:
        """Open the file again, as after a kill."""
        self.writer.connection.close()
        self.writer = self.open()

    def commit(self, *items: Append | Call[Any]) -> None:
        """Commit one batch, successfully, after the creation of the logs that its appends need."""
        for item in items:
            if isinstance(item, Append) and not self.has_log(item.log):
                self.create_log(item.log)
        self.assertIsNone(self.writer.commit(list(items)))

    def has_log(self, log: str) -> bool:
        """Whether the file has a log."""
        query = "SELECT 1 FROM logs WHERE name = ?"
        return self.writer.connection.execute(query, (log,)).fetchone() is not None

    def create_log(self, log: str) -> None:
        """Create a log."""
        call = Call(lambda writer: writer.write([CreateLog(log)]))
        self.assertIsNone(self.writer.commit([call]))

    def drop(self, log: str) -> None:
        """Drop a log."""
        self.call(lambda writer: writer.write([DropLog(log)]))

    def append(self, *appends: Append) -> list[tuple[int, bool]]:
        """Commit these appends; (seq, resent) of each."""
        self.commit(*appends)
        self.assertEqual([append.refusal for append in appends], [None] * len(appends))
        return [(append.seq, append.resent) for append in appends]

    def call(self, run: Callable[[Writer], Any]) -> Any:
        """The result of a call."""
        call = Call(run)
        self.commit(call)
        return call.outcome

    def seqs(self, log: str, after: int = 0, limit: int = 100) -> list[int]:
        """The seqs of a page."""
        return [entry.seq for entry in self.call(lambda writer: writer.read(log, after, limit))]

    def index(self) -> None:
        """Do all maintenance, with every recent entry indexed."""
        self.patch(maintenance_module, "INDEX_AT", 1)
        while self.writer.maintenance.needed:
            self.writer.maintenance.run()
        self.patch(maintenance_module, "INDEX_AT", NEVER)

    def begin_index(self) -> None:
        """Write the recent entries of the first log to the index, and no others."""
        self.patch(maintenance_module, "INDEX_AT", 1)
        self.patch(recent_module, "_INDEX_STEP", 1)
        self.writer.maintenance.run()
        self.patch(maintenance_module, "INDEX_AT", NEVER)
        self.assertTrue(self.writer._recent.indexing)
