"""The simulated disk: the file of the SQLite store, with faults, and what a crash leaves of it.

SQLite runs unchanged. A fault is an error of its connection; a crash is a copy of its files, as
they are at that moment or as a disk may hold them after the machine has stopped. With
``synchronous=FULL`` a commit is on the disk when it returns, so what a stop of the machine may take
away is the transaction that was being committed, or a part of a checkpoint. A commit that fails in
fsync has written its transaction, which a crash may bring back as long as nothing is written over
it: it is done once more on a copy of the files, to know what they hold then.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from chatd.stores.sqlite.file import connect
from tests.simulation.threads import Killed

FULL, IO_ERROR = "database or disk is full", "disk I/O error"
NO_SYNC = "disk I/O error in fsync"
"""the errors of a disk; with the last one, what a transaction has written may be on the disk"""
_PAGE = 4096


class Disk:
    """A folder with the file of one daemon after another.

    `error` is what writing transactions fail with, and `failures` how many of them (-1: all) do.
    `kill` is where in a transaction the process dies next: ``before``, ``during`` or ``after`` its
    commit, None if nowhere.
    """

    def __init__(self, folder: str, random: Random) -> None:
        self._folder = Path(folder)
        self._random = random
        self._generation = 0
        self.error = ""
        self.failures = 0
        self.reads_fail = False
        self.kill: str | None = None
        self.dies_in_commit = False
        self._connections: list[FaultyConnection] = []
        self._wal_size = 0
        self._before_checkpoint: tuple[bytes, bytes] | None = None
        self._not_synced: tuple[bytes, bytes] | None = None

    @property
    def path(self) -> str:
        """The file of the current daemon."""
        return str(self._folder / str(self._generation) / "chatd.db")

    def prepare(self) -> None:
        """Create the folder of the first daemon."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)

    def connect(self, path: str, *, writing: bool) -> sqlite3.Connection:
        """A connection that fails when the disk does."""
        connection = connect(path, writing=writing, factory=FaultyConnection)
        assert isinstance(connection, FaultyConnection)
        connection.disk = self
        self._connections.append(connection)
        return connection

    def crash(self, machine: bool) -> None:
        """Go on with what is left of the file; with `machine`, what the disk itself holds."""
        old = Path(self.path)
        self._generation += 1
        new = Path(self.path)
        new.parent.mkdir()
        files = {suffix: old.with_name(old.name + suffix) for suffix in ("", "-wal")}
        for suffix, file in files.items():
            if file.exists():
                shutil.copyfile(file, new.with_name(new.name + suffix))
        wal = new.with_name(new.name + "-wal")
        if self._not_synced is not None and (not machine or self._random.random() < 0.5):
            # The next daemon finds a complete transaction in the write-ahead log.
            new.write_bytes(self._not_synced[0])
            wal.write_bytes(self._not_synced[1])
        elif self.dies_in_commit and wal.exists():
            self._tear(wal)
        self._not_synced = None
        if self._before_checkpoint is not None:
            self._tear_checkpoint(new, wal)
        self.kill = None
        self.dies_in_commit = False
        for connection in self._connections:
            connection.disk = None
            connection.close()
        self._connections.clear()
        shutil.rmtree(old.parent)

    def stopped(self) -> None:
        """The daemon has stopped in order: the next one goes on with the same file."""
        self._not_synced = None
        self._connections.clear()

    def restore(self, copy: str) -> None:
        """Go on with a copy of the file that a daemon has made."""
        self._generation += 1
        self.prepare()
        shutil.copyfile(copy, self.path)

    def sync_fails(self, statements: Sequence[tuple[str, Any]]) -> None:
        """A transaction has been written and not synced: note what the file and its log hold.

        SQLite forgets such a transaction, and writes the next one over it.
        """
        folder = self._folder / "not synced"
        folder.mkdir()
        copy = folder / "chatd.db"
        shutil.copyfile(self.path, copy)
        wal = Path(self.path + "-wal")
        if wal.exists():
            shutil.copyfile(wal, str(copy) + "-wal")
        connection = connect(str(copy), writing=True)
        for sql, arguments in (("BEGIN", ()), *statements, ("COMMIT", ())):
            connection.execute(sql, *arguments)
        # Closing it would empty the log.
        self._not_synced = copy.read_bytes(), Path(str(copy) + "-wal").read_bytes()
        connection.close()
        shutil.rmtree(folder)

    def committing(self) -> None:
        """Note what is on the disk before a commit."""
        self._not_synced = None
        wal = Path(self.path + "-wal")
        self._wal_size = wal.stat().st_size if wal.exists() else 0

    def checkpointing(self) -> None:
        """Note what is on the disk before a checkpoint."""
        wal = Path(self.path + "-wal")
        if wal.exists():
            self._before_checkpoint = Path(self.path).read_bytes(), wal.read_bytes()

    def checkpointed(self) -> None:
        """The checkpoint is on the disk."""
        self._before_checkpoint = None

    def _tear(self, wal: Path) -> None:
        """Keep a part of what the last commit has written to the write-ahead log."""
        data = wal.read_bytes()
        if len(data) > self._wal_size:
            keep = self._random.randrange(self._wal_size, len(data))
            wal.write_bytes(data[:keep])

    def _tear_checkpoint(self, file: Path, wal: Path) -> None:
        """Keep some of the pages that the checkpoint has written; the log is still complete."""
        assert self._before_checkpoint is not None
        before, log = self._before_checkpoint
        after = file.read_bytes()
        pages = [
            source[at : at + _PAGE]
            for at in range(0, len(after), _PAGE)
            for source in [self._random.choice((before.ljust(len(after), b"\0"), after))]
        ]
        file.write_bytes(b"".join(pages))
        wal.write_bytes(log)
        self._before_checkpoint = None


class FaultyConnection(sqlite3.Connection):
    """A connection to the store's file on a simulated disk."""

    disk: Disk | None = None
    _changes = 0
    _statements: list[tuple[str, Any]] | None = None

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        """See sqlite3.Connection."""
        disk = self.disk
        if disk is None:
            return super().execute(sql, *arguments)
        if sql.startswith("BEGIN"):
            self._changes = self.total_changes
            self._statements = [] if disk.error == NO_SYNC else None
        elif sql == "COMMIT" and self.total_changes != self._changes:
            return self._commit(disk)
        elif sql.startswith("PRAGMA wal_checkpoint"):
            return self._checkpoint(disk, sql)
        if disk.reads_fail and disk.error and disk.failures and sql != "ROLLBACK":
            raise sqlite3.OperationalError(disk.error)
        if self._statements is not None and not sql.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            self._statements.append((sql, arguments))
        return super().execute(sql, *arguments)

    def _checkpoint(self, disk: Disk, sql: str) -> sqlite3.Cursor:
        disk.checkpointing()
        cursor = super().execute(sql)
        if disk.kill is not None:
            raise Killed()
        disk.checkpointed()
        return cursor

    def _commit(self, disk: Disk) -> sqlite3.Cursor:
        if disk.kill == "before":
            raise Killed()
        if disk.error and disk.failures:
            disk.failures -= 1
            if disk.error == NO_SYNC and self._statements is not None:
                disk.sync_fails(self._statements)
            raise sqlite3.OperationalError(disk.error)
        disk.committing()
        cursor = super().execute("COMMIT")
        if disk.kill is not None:
            disk.dies_in_commit = disk.kill == "during"
            raise Killed()
        return cursor
