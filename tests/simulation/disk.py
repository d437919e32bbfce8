"""The simulated disk: the files of the SQLite store, with faults, and what a crash leaves of them.

SQLite runs unchanged, on files in memory: they are what the kernel shows to processes. Of each
file, the disk knows what it holds surely, and what was written to it since it was synced. When the
machine stops, any part of that may be lost: each sector of each write is on the disk, or is not, or
its beginning is. When only the daemon is killed, the next one finds everything, and it is still not
on the disk.

After a sync that failed, the kernel no longer writes what it has not written by then, and the next
sync succeeds without it, as on Linux (https://lwn.net/Articles/752063/).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from chatd.stores.sqlite.file import connect
from tests.simulation.leftovers import integrity
from tests.simulation.threads import Killed
from tests.simulation.vfs import NAME, OK, RECORDER

FULL, IO_ERROR = "database or disk is full", "disk I/O error"
NO_SYNC = "disk I/O error in fsync"
"""the errors of a disk; with the last one, writes succeed"""
_CODES = {
    FULL: sqlite3.SQLITE_FULL,
    IO_ERROR: sqlite3.SQLITE_IOERR_WRITE,
    NO_SYNC: sqlite3.SQLITE_IOERR_FSYNC,
}
SECTOR = 512
"""the bytes of which a disk writes a beginning at least, or nothing"""
_CHECKPOINT_PAGES = (4, 30, 4000)
"""after how many pages of the write-ahead log they are copied to the file: the daemon's 4,000 are
more than most histories write"""


class _File:
    """What the disk holds of one file; `content` is None if the file may be missing."""

    def __init__(self, content: bytes | None = None) -> None:
        self.content = content
        self.writes: list[tuple[int, bytes | None]] = []
        """since it was synced: (offset, bytes), or (size, None) if it was shortened"""
        self.deleted = False
        """whether it was removed, which is not on the disk either"""

    def sync(self) -> None:
        """Everything is on the disk."""
        content = bytearray(self.content or b"")
        for offset, data in self.writes:
            _apply(content, offset, data)
        self.content = bytes(content)
        self.writes.clear()

    def lose(self, random: Random) -> None:
        """Any part of what was written is on the disk; the rest never will be."""
        content = bytearray(self.content or b"")
        share = random.choice((0.0, 0.5, 0.9, 1.0))
        for offset, data in self.writes:
            for piece_offset, piece in _sectors(offset, data):
                if random.random() < share:
                    _apply(content, piece_offset, piece)
                elif piece and random.random() < 0.2:
                    _apply(content, piece_offset, piece[: random.randrange(len(piece))])
        if content or self.content is not None:
            self.content = bytes(content)
        self.writes.clear()

    def crash(self, random: Random) -> bytes | None:
        """What the disk holds after the machine has stopped, None if there is no such file."""
        if (self.content is None or self.deleted) and random.random() < 0.5:
            return None
        self.lose(random)
        return self.content


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _sectors(offset: int, data: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    """The parts of a write in each sector."""
    if data is None:
        yield offset, None
        return
    start = 0
    while start < len(data):
        end = min(len(data), start + SECTOR - (offset + start) % SECTOR)
        yield offset + start, data[start:end]
        start = end


class Disk:
    """A folder with the files of one daemon after another.

    `error` is what writing fails with, and `failures` how often (-1: always). `dies_in` is after
    how many writes and syncs the daemon is killed, None if not by the disk; `machine_stops` is
    whether the machine stops then. `damage` are the results of ``PRAGMA integrity_check`` for what
    a crash has left, if it was not in order.
    """

    def __init__(self, folder: str, random: Random) -> None:
        # SQLite knows files by their real paths.
        self._folder = Path(folder).resolve()
        self._random = random
        self._generation = 0
        self.error = ""
        self.failures = 0
        self.reads_fail = False
        self.dies_in: int | None = None
        self.machine_stops = False
        self.dead = False
        """whether the daemon has been killed by the disk: nothing changes any more"""
        self.damage: list[str] = []
        self.checkpoint_pages = random.choice(_CHECKPOINT_PAGES)
        self._files: dict[str, _File] = {}
        self.unsynced: set[str] = set()
        """the files whose last sync has failed"""
        self._connections: list[FaultyConnection] = []

    @property
    def path(self) -> str:
        """The file of the current daemon."""
        return str(self._folder / str(self._generation) / "chatd.db")

    @property
    def _here(self) -> Path:
        return self._folder / str(self._generation)

    def prepare(self) -> None:
        """Create the folder of the next daemon."""
        os.makedirs(self._here, exist_ok=True)
        RECORDER.storages[str(self._here)] = self

    def adopt(self) -> None:
        """The files were written by something else, and are on the disk."""
        self._files = {file.name: _File(file.read_bytes()) for file in self._here.iterdir()}

    def connect(self, path: str, *, writing: bool) -> sqlite3.Connection:
        """A connection that fails when the disk does."""
        try:
            connection = connect(path, writing=writing, factory=FaultyConnection)
        except sqlite3.Error:
            if self.dead:
                raise Killed() from None
            raise
        assert isinstance(connection, FaultyConnection)
        connection.disk = self
        self._connections.append(connection)
        if writing:
            connection.execute(f"PRAGMA wal_autocheckpoint = {self.checkpoint_pages}")
        return connection

    def die_in(self, operations: int, machine: bool) -> None:
        """Have the daemon killed, or the machine stopped, after so many writes and syncs."""
        self.dies_in, self.machine_stops = operations, machine

    def recover(self) -> None:
        """Nothing fails any more."""
        self.error = ""
        self.failures = 0
        self.dies_in = None

    def crash(self, machine: bool) -> None:
        """Go on with the files as they are; with `machine`, with what the disk itself holds."""
        old = self._here
        RECORDER.close(str(old))
        for connection in self._connections:
            connection.disk = None
        self._generation += 1
        self.prepare()
        random = Random(self._random.random())
        if machine:
            for name, lost in sorted(self._files.items()):
                content = lost.crash(random)
                if content is not None:
                    (self._here / name).write_bytes(content)
        else:
            for file in old.iterdir():
                if not file.name.endswith("-shm"):
                    shutil.copyfile(file, self._here / file.name)
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        shutil.rmtree(old)
        if machine:
            self.adopt()
            self._check()
        self.dead = False
        self.dies_in = None

    def _check(self) -> None:
        """Open a copy of what a crash has left, as SQLite recovers it."""
        copy = self._folder / "check"
        shutil.copytree(self._here, copy)
        with closing(sqlite3.connect(copy / "chatd.db")) as connection:
            result = integrity(connection)
        if result != "ok":
            self.damage.append(result)
        shutil.rmtree(copy)

    def stopped(self) -> None:
        """The daemon has stopped in order: the next one goes on with the same files."""
        if self.dead:
            # It was killed in its last turn.
            self.crash(self.machine_stops)
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def close(self) -> None:
        """Nothing uses the disk any more."""
        RECORDER.close(str(self._here))

    def restore(self, copy: str) -> None:
        """Go on with a copy of the file that a daemon has made."""
        RECORDER.close(str(self._here))
        self._generation += 1
        self.prepare()
        shutil.copyfile(copy, self.path)
        self.adopt()

    # What SQLite does. See `tests.simulation.vfs.Storage`.

    def write(self, name: str, offset: int, data: bytes) -> int:
        """Bytes are written."""
        return self._change(name, offset, data)

    def truncate(self, name: str, size: int) -> int:
        """A file is shortened."""
        return self._change(name, size, None)

    def _change(self, name: str, offset: int, data: bytes | None) -> int:
        code = self._operation(FULL, IO_ERROR)
        if code == OK:
            file = self._files.setdefault(name, _File())
            if file.deleted:
                # A file of the same name is a new one.
                file = self._files[name] = _File()
            file.writes.append((offset, data))
        return code

    def sync(self, name: str) -> int:
        """What was written to a file has to be on the disk."""
        code = self._operation(NO_SYNC)
        file = self._files.setdefault(name, _File())
        if code == OK:
            if file.content is None:
                # SQLite syncs the folder with a new file.
                self._sync_folder()
            file.sync()
            self.unsynced.discard(name)
        elif not self.dead:
            self.unsynced.add(name)
            file.lose(Random(self._random.random()))
        return code

    def delete(self, name: str, sync: bool) -> int:
        """A file is removed."""
        code = self._operation()
        if code == OK and name in self._files:
            self._files[name].deleted = True
            if sync:
                self._sync_folder()
        return code

    def _sync_folder(self) -> None:
        self._files = {name: file for name, file in self._files.items() if not file.deleted}

    def _operation(self, *errors: str) -> int:
        """Something is to be changed, which may fail with one of these errors."""
        self.count()
        if self.dead:
            return sqlite3.SQLITE_IOERR
        # A transaction may have been written in part when the disk fails.
        if self.error not in errors or not self.failures:
            return OK
        if self.error != NO_SYNC and self._random.random() < 0.3:
            return OK
        self.failures -= 1
        return _CODES[self.error]

    def count(self) -> None:
        """An operation takes place, before which the daemon may be killed."""
        if self.dies_in is not None:
            self.dies_in -= 1
            self.dead = self.dead or self.dies_in < 0


class FaultyConnection(sqlite3.Connection):
    """A connection to the store's file on a simulated disk."""

    disk: Disk | None = None

    def __init__(self, database: str, *args: Any, **settings: Any) -> None:
        settings["uri"] = True
        super().__init__(f"file:{quote(database)}?vfs={NAME}", *args, **settings)

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        """See sqlite3.Connection."""
        disk = self.disk
        if disk is None:
            return super().execute(sql, *arguments)
        if disk.reads_fail and disk.error and disk.failures and sql != "ROLLBACK":
            raise sqlite3.OperationalError(disk.error)
        try:
            cursor = super().execute(sql, *arguments)
            if sql == "COMMIT":
                disk.count()
        except sqlite3.Error:
            if disk.dead:
                raise Killed() from None
            raise
        if disk.dead:
            raise Killed()
        return cursor

    def executemany(self, sql: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        """See sqlite3.Connection."""
        cursor = self.cursor()
        for row in rows:
            cursor = self.execute(sql, row)
        return cursor
