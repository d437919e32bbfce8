"""What the tests of the SQLite store's writer share: the writer without its thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import Append
from chatd.stores.batches import Call
from chatd.stores.sqlite import recent_entries as sqlite_tail
from chatd.stores.sqlite import writer as sqlite_writer
from chatd.stores.sqlite.file import connect, migrate, migrations
from chatd.stores.sqlite.store import SQLiteStore
from chatd.stores.sqlite.writer import Writer
from tests.doubles.folders import folder
from tests.doubles.sqlite_file import PumpedReactor

LATER = 1_000_000


class SteppedStore(SQLiteStore):
    """The store without threads: it commits when it is told to, and does its chores one by one."""

    def __init__(self, path: str) -> None:
        super().__init__(PumpedReactor(), path)

    def start(self) -> None:
        """See `Store.start`; nothing is claimed."""
        connection = connect(self.path, writing=True)
        migrate(connection, self.path, migrations())
        self.writer = Writer(connection)

    def flush(self) -> None:
        """Wait for `commit`."""

    def commit(self) -> None:
        """Commit and answer what is waiting."""
        batch = self._take_open()
        self.writer.commit(batch)
        self._answer(batch)


class WithWriter(SynchronousTestCase):
    """A store whose writer does its chores when it is told to."""

    def setUp(self) -> None:
        self.path = os.path.join(folder(self), "chatd.db")
        self.patch(sqlite_writer, "INDEX_AT", LATER)
        self.writer = self.open()

    def tearDown(self) -> None:
        self.writer.connection.close()

    def open(self) -> Writer:
        """A writer on the file."""
        connection = connect(self.path, writing=True)
        migrate(connection, self.path, migrations())
        return Writer(connection)

    def reopen(self) -> None:
        """What a kill and a restart do."""
        self.writer.connection.close()
        self.writer = self.open()

    def commit(self, *items: Append | Call[Any]) -> None:
        """One batch, which succeeds."""
        self.assertIsNone(self.writer.commit(list(items)))

    def say(self, *appends: Append) -> list[tuple[int, bool]]:
        """(seq, resent) of each."""
        self.commit(*appends)
        self.assertEqual([append.refusal for append in appends], [None] * len(appends))
        return [(append.seq, append.resent) for append in appends]

    def ask(self, run: Callable[[Writer], Any]) -> Any:
        """What a call gives."""
        call = Call(run)
        self.commit(call)
        return call.outcome

    def seqs(self, log: str, after: int = 0, limit: int = 100) -> list[int]:
        """Those that a page has."""
        return [entry.seq for entry in self.ask(lambda writer: writer.read(log, after, limit))]

    def index(self) -> None:
        """Write all of the tail to the index."""
        self.patch(sqlite_writer, "INDEX_AT", 1)
        while self.writer.chores:
            self.writer.tidy()
        self.patch(sqlite_writer, "INDEX_AT", LATER)

    def begin_index(self) -> None:
        """Write the first log of the tail to the index, and no other."""
        self.patch(sqlite_writer, "INDEX_AT", 1)
        self.patch(sqlite_tail, "_STEP", 1)
        self.writer.tidy()
        self.patch(sqlite_writer, "INDEX_AT", LATER)
        self.assertTrue(self.writer._tail.indexing)
