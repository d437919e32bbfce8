"""Online backup: a copy of the SQLite file while it is in use. Runs on a thread of its own.

SQLite's backup API (https://sqlite.org/backup.html) restarts whenever another connection has
written. Inside a read transaction it reads one snapshot of the write-ahead log instead, in any
number of steps, while the writer continues. ``VACUUM INTO`` would give a smaller file, but it
rebuilds every index and cannot be interrupted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress

from chatd.core.errors import BackupFailed
from chatd.stores.sqlite.write_ahead_log import mark_copy

_PAGES_PER_STEP = 1024


def copy(source: str, path: str, stopping: Callable[[], bool]) -> None:
    """Copy the store `source` to the new file `path`, readable by its owner only.

    The copy is written under the name `path` + ``.unfinished`` and gets its own name when it is
    complete and on the disk. Raises `BackupFailed`, also as soon as `stopping`, which is called
    after each step, returns true.
    """
    if "\0" in path:
        raise BackupFailed("a path has no null characters")
    unfinished = f"{path}.unfinished"

    def check_stopping(status: int, remaining: int, total: int) -> None:
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
                # The first read takes the snapshot.
                reading.execute("BEGIN")
                reading.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
                reading.backup(writing, pages=_PAGES_PER_STEP, progress=check_stopping)
                mark_copy(writing)
            _sync(unfinished)
            # Unlike a rename, a link never replaces a file that was created meanwhile.
            os.link(unfinished, path)
            _sync(os.path.dirname(os.path.abspath(path)))
        finally:
            for suffix in ("", "-journal", "-wal", "-shm"):
                with suppress(OSError):
                    os.unlink(unfinished + suffix)
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
