"""A copy of the SQLite file while it is in use. Runs on a thread of its own.

One step of SQLite's backup API (https://sqlite.org/backup.html) reads one snapshot of the write-ahead log:
the writer goes on meanwhile, and nothing is copied twice because of it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress

from chatd.errors import BackupFailed


def copy(source: str, path: str) -> None:
    """Copy the store `source` to a new file, which only its owner can read. Raises `BackupFailed`.

    The copy gets its name when it is complete and on the disk.
    """
    unfinished = f"{path}.unfinished"
    try:
        if os.path.lexists(path):
            raise BackupFailed(f"{path} exists already")
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            with (
                closing(sqlite3.connect(source, isolation_level=None, timeout=5)) as reading,
                closing(sqlite3.connect(unfinished, isolation_level=None)) as writing,
            ):
                reading.execute("PRAGMA query_only = ON")
                reading.backup(writing)
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
        raise BackupFailed(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from None


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
