"""Maintenance of the SQLite file between batches, a bounded amount at a time.

It writes recent entries to the index, and removes garbage: the rows of entries, positions and
documents that are deleted. What is left to do is in the file, so a restart forgets nothing. Runs on
the writer's thread.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from chatd.stores.sqlite.documents import DocumentTable
from chatd.stores.sqlite.logs import LogTable
from chatd.stores.sqlite.positions import PositionTable
from chatd.stores.sqlite.recent_entries import INDEX_AT, RecentEntries

_PURGE_STEP = 500
"""entries or positions that one step removes"""
_DOCUMENTS_STEP = 200
"""documents that one step removes, each of them from three indexes, too"""
_COMMITS_BETWEEN_STEPS = 32
"""commits after which a step no longer waits for an idle moment"""


class Maintenance:
    """The steps of maintenance, each of which is a transaction or two on the writer's connection.

    The writer reports each batch that it has committed.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        recent: RecentEntries,
        logs: LogTable,
        positions: PositionTable,
        documents: DocumentTable,
    ) -> None:
        self._connection = connection
        self._recent = recent
        self._logs = logs
        self._positions = positions
        self._documents = documents
        self._commits = 0
        self._failed = False

    def batch_committed(self) -> None:
        """A batch was committed: the file can be written."""
        self._failed = False
        self._commits += 1

    @property
    def needed(self) -> bool:
        """Whether `run` has something to do and may do it."""
        if self._failed or self._recent.is_stale:
            return False
        garbage = self._logs.has_garbage or self._documents.has_garbage
        return garbage or self._recent.indexing or self._index_due

    @property
    def _index_due(self) -> bool:
        """Whether there are enough recent entries to write them to the index."""
        recent = self._recent
        return len(recent) >= INDEX_AT or recent.uncounted >= recent.bytes.count_at

    @property
    def overdue(self) -> bool:
        """Whether maintenance should no longer wait for an idle moment."""
        return self.needed and (
            self._commits >= _COMMITS_BETWEEN_STEPS
            or len(self._recent) >= 2 * INDEX_AT
            or self._recent.uncounted >= self._recent.bytes.count_at
        )

    def run(self) -> None:
        """Do one step."""
        self._commits = 0
        try:
            if self._recent.indexing or self._index_due:
                self._recent.index()
            elif self._logs.has_garbage:
                self._purge_log()
            else:
                self._connection.execute("BEGIN IMMEDIATE")
                self._documents.purge(_DOCUMENTS_STEP)
                self._connection.execute("COMMIT")
        except sqlite3.Error:
            # The next commit meets the same error and reports it; the first commit that succeeds
            # permits maintenance again.
            self._failed = self._recent.is_stale = True
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _purge_log(self) -> None:
        """Remove some entries of one trimmed or dropped log, with their index rows and keys, or
        some of the positions in a dropped log."""
        execute = self._connection.execute
        needs_index = False
        execute("BEGIN IMMEDIATE")
        row = execute("SELECT log, upto FROM rubbish LIMIT 1").fetchone()
        if row is not None:
            log, upto = row
            # The recent entries can be removed once they are in the index.
            indexed = min(upto, self._recent.first.get(log, upto + 1) - 1)
            if self._purge_entries(log, indexed):
                needs_index = indexed < upto
                exists = execute("SELECT 1 FROM logs WHERE id = ?", (log,)).fetchone() is not None
                if not needs_index and (exists or self._positions.purge(log, _PURGE_STEP)):
                    execute("DELETE FROM rubbish WHERE log = ?", (log,))
        execute("COMMIT")
        self._logs.has_garbage = row is not None
        if needs_index:
            self._recent.index()

    def _purge_entries(self, log: int, upto: int) -> bool:
        """Remove some of the entries of a log with seqs up to `upto`; whether that was all."""
        recent = self._recent
        places: list[int] = []
        last = 0
        complete = True
        for first, run in recent.runs.places(log, 0, upto):
            if len(places) >= _PURGE_STEP:
                complete = False
                break
            places += run
            last = first + len(run) - 1
        if places:
            recent.keys.remove(log, last, places)
            recent.bytes.remove(log, places)
            self._connection.executemany(
                "DELETE FROM entries WHERE place = ?", [(place,) for place in places]
            )
            recent.runs.remove_upto(log, last)
        return complete
