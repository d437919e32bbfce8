"""A copy of the SQLite file while it is in use. Runs on a thread of its own.

SQLite's backup API (https://sqlite.org/backup.html) would begin again whenever another connection
has written; inside a read transaction it reads one snapshot of the write-ahead log however many
steps it takes. The writer goes on meanwhile. ``VACUUM INTO`` would give a smaller file, but would
build every index anew, and could not be told to stop.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress

from chatd.core.errors import BackupFailed

_PAGES_AT_ONCE = 1024


def copy(source: str, path: str, stopping: Callable[[], bool]) -> None:
    """Copy the store `source` to a new file, which only its owner can read. Raises `BackupFailed`,
    also when `stopping` says so, which is asked now and then.

    The copy gets its name when it is complete and on the disk.
    """
    if "\0" in path:
        raise BackupFailed("a path has no null characters")
    unfinished = f"{path}.unfinished"

    def copied(status: int, remaining: int, total: int) -> None:
        if stopping():
            raise BackupFailed("the daemon stops")

    try:
        if os.path.lexists(path):
            raise BackupFailed(f"{path} exists already")
        if os.path.lexists(unfinished):
            raise BackupFailed(
                f"{unfinished} exists: remove it, unless a copy is being written there"
            )
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            with (
                closing(sqlite3.connect(source, isolation_level=None, timeout=5)) as reading,
                closing(sqlite3.connect(unfinished, isolation_level=None)) as writing,
            ):
                reading.execute("PRAGMA query_only = ON")
                # The snapshot is taken by reading something.
                reading.execute("BEGIN")
                reading.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
                reading.backup(writing, pages=_PAGES_AT_ONCE, progress=copied)
            _sync(unfinished)
            # Unlike a rename, a link never replaces what somebody else has made meanwhile.
            os.link(unfinished, path)
            _sync(os.path.dirname(os.path.abspath(path)))
        finally:
            for end in ("", "-journal", "-wal", "-shm"):
                with suppress(OSError):
                    os.unlink(unfinished + end)
    except sqlite3.Error as error:
        raise BackupFailed(f"{path} cannot be written: {error}") from None
    except OSError as error:
        raise BackupFailed(
            f"{path} cannot be written: {(error.strerror or str(error)).lower()}"
        ) from None


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
