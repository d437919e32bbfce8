"""The SQLite file: lock it, check that it is a store of chatd, open it, and migrate its schema.

References: the database file format (https://sqlite.org/fileformat2.html, sections 1.3 "The
Database Header") and the pragmas (https://sqlite.org/pragma.html).
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from importlib import resources
from pathlib import Path

import msgspec
from twisted.logger import Logger

from chatd.core.errors import StoreUnusable
from chatd.stores.sqlite import write_ahead_log
from chatd.stores.sqlite.identities import assign_ids
from chatd.stores.sqlite.place_runs import convert_places

logger = Logger(namespace="chatd")

APPLICATION_ID = int.from_bytes(b"chat")
CONVERSIONS: dict[int, Callable[[sqlite3.Connection], None]] = {3: assign_ids, 4: convert_places}
"""what is done after the nth script, where SQL does not do"""
_MAGIC = b"SQLite format 3\0"
_CHECK_SECONDS = 0.3


def migrations() -> list[str]:
    """The scripts in `schema/`, in order; the nth migrates version n - 1 to version n."""
    folder = resources.files("chatd.stores.sqlite.schema")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(folder / name).read_text() for name in names]


def check(path: str) -> None:
    """Check, without changing anything on the disk, that the store can be opened at `path`.

    Raises `StoreUnusable`, with a sentence for the operator, if the file is locked by another
    daemon, not a store of chatd, beside a write-ahead log that is not its own, from a newer
    version, damaged, or not writable. The check for damage ends after a fraction of a second; of a
    large file it covers a part only.
    """
    if not os.path.exists(path):
        _check_folder(path)
        return
    descriptor = lock(path)
    try:
        if os.fstat(descriptor).st_size:
            _check_damage(path)
    finally:
        os.close(descriptor)


def lock(path: str) -> int:
    """Lock the file at `path` for this process, and return the descriptor that holds the lock.

    Creates an empty file if there is none. Closing the descriptor releases the lock. Raises
    `StoreUnusable`.
    """
    _check_folder(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except IsADirectoryError:
        raise StoreUnusable(f"the store {path} is a folder, not a file") from None
    except OSError as error:
        raise StoreUnusable(f"the store {path} cannot be written: {_reason(error)}") from None
    try:
        # flock(2) locks the whole file; SQLite itself uses locks of another kind, fcntl(2).
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _check_header(path, os.pread(descriptor, 100, 0))
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise StoreUnusable(f"the store {path} is in use by another daemon") from None
        raise StoreUnusable(f"the store {path} cannot be locked: {_reason(error)}") from None
    except StoreUnusable:
        os.close(descriptor)
        raise
    return descriptor


def connect(
    path: str, *, writing: bool, factory: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    """A connection with the settings that chatd relies on, an instance of `factory`; any one thread
    may use it. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=5, factory=factory
    )
    if writing:
        # A file without a log gets one by a transaction with a rollback journal, whose removal is
        # synced by EXTRA only. As the first statement the next one would not raise its errors.
        connection.execute("PRAGMA synchronous = EXTRA")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            connection.close()
            raise sqlite3.OperationalError("its write-ahead log cannot be begun")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -32768")
        # Fewer checkpoints copy pages that change often, such as those of the indexes, less often.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        if write_ahead_log.is_there(path):
            _write_log_anew(connection)
    else:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _write_log_anew(connection: sqlite3.Connection) -> None:
    """Write what the write-ahead log holds to the file, and begin the log anew.

    After a kill, SQLite reads transactions from the log that were written and never synced. If a
    sync of them has failed, later syncs do not bring them to the disk, and what is written behind
    them would be lost with them if the machine stops.
    """
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        # A daemon whose disk is full starts nevertheless: mail can be read.
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise


def migrate(connection: sqlite3.Connection, path: str, scripts: list[str]) -> None:
    """Run the scripts that are missing, each in one transaction with its conversion.

    Of a file that is not new, the log has each step. Raises `StoreUnusable`.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    _check_version(path, version, len(scripts))
    for number, script in enumerate(scripts[version:], version + 1):
        if version:
            logger.info(
                "The store {path} is brought to schema version {number} of {newest}",
                path=path,
                number=number,
                newest=len(scripts),
            )
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}")
            if number in CONVERSIONS:
                CONVERSIONS[number](connection)
            connection.execute("COMMIT")
        except (sqlite3.Error, msgspec.DecodeError) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise StoreUnusable(
                f"the store {path} could not be brought to schema version {number}: {error}"
            ) from None


def _check_folder(path: str) -> None:
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise StoreUnusable(f"the store {path} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreUnusable(
            f"the store {path} cannot be written: the folder {folder} is not writable"
        )


def _check_header(path: str, header: bytes) -> None:
    if not header:
        return
    if not header.startswith(_MAGIC) or len(header) < 100:
        raise StoreUnusable(
            f"{path} is not a store of chatd (no SQLite database, or a damaged one)"
        )
    # First: from here on SQLite may apply the log.
    write_ahead_log.check_log(path, header)
    version = int.from_bytes(header[60:64])
    application = int.from_bytes(header[68:72])
    if application != APPLICATION_ID:
        # A daemon that was killed right after creating the file left its content in the
        # write-ahead log; only the header is in the file.
        application, version = _read_identity(path)
        if application != APPLICATION_ID:
            raise StoreUnusable(f"{path} is a database, but not a store of chatd")
    _check_version(path, version, len(migrations()))


def _read_identity(path: str) -> tuple[int, int]:
    """(application id, schema version) as SQLite reads them; an empty database counts as ours."""
    with closing(_connect_read_only(path)) as connection:
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError:
            return 0, 0
    return (APPLICATION_ID if not tables and not application else application), version


def _connect_read_only(path: str) -> sqlite3.Connection:
    """A connection that changes nothing on the disk.

    An immutable connection creates no files, but does not read a write-ahead log. There is such a
    log only after a crash, or while another program has the file open.
    """
    immutable = "" if os.path.exists(path + "-wal") else "&immutable=1"
    return sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro{immutable}", uri=True)


def _check_version(path: str, version: int, newest: int) -> None:
    if version > newest:
        raise StoreUnusable(
            f"the store {path} was written by a newer chatd"
            f" (schema {version}; this version reads schemas up to {newest})"
        )


def _check_damage(path: str) -> None:
    deadline = time.monotonic() + _CHECK_SECONDS
    connection = _connect_read_only(path)
    try:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 1000)
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return
        raise StoreUnusable(f"the store {path} cannot be read: {error}") from None
    except sqlite3.DatabaseError as error:
        raise StoreUnusable(f"the store {path} is damaged: {error}") from None
    finally:
        connection.close()
    if problems != ["ok"]:
        raise StoreUnusable(f"the store {path} is damaged: {problems[0].splitlines()[-1]}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
