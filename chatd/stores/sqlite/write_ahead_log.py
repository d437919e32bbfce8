"""Which write-ahead log is that of a file: a store knows its own.

SQLite applies a log (``-wal``) to whatever file has the name before the suffix. A file that is
restored beside the log of its predecessor would be silently undone, or damaged.

The header of a log has a salt, a random number to which SQLite adds 1 whenever it begins the log
anew, and how often it has done so. The difference is that of the log as long as it exists. When the
daemon starts, it stores that in the file as its schema cookie, which is called its *mark* here: a
number in the header of the file that only has to differ from its former value when the schema
changes, when SQLite adds 1 to it. Formats: https://sqlite.org/fileformat2.html, sections 1.3 and
4.1.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from struct import Struct
from typing import NamedTuple

from chatd.core.errors import StoreUnusable

_NUMBERS = 1 << 32
_HEADER = Struct(">8I")
_FRAME = Struct(">4I")
_FRAME_HEADER = 24
_MAGIC = 0x377F0682
"""the first number of a log, but for its last bit"""
_UNMARKED = 10_000
"""the schema cookie of a file without a mark, which counts changes of the schema, is less"""
_CHANGES = 1 << 16
"""changes of the schema, fewer than that, that a file may have seen since it was marked"""


class _Log(NamedTuple):
    """A log with a valid header: the salt with which it was begun first, and whether it can have
    nothing but the writing of the mark (`mark`), because all of its frames are the first page."""

    first_salt: int
    only_marks: bool


def check_log(path: str, header: bytes) -> None:
    """Check that the log at `path`, if there is one, is that of the file with this header.

    Raises `StoreUnusable`.
    """
    log = _read(path)
    if log is not None and not (_is_of(log, header) or log.only_marks):
        path = os.path.realpath(path)
        raise StoreUnusable(
            f"{path}-wal is not the write-ahead log of the store {path}, which has been replaced, "
            f"perhaps by a backup: move {path}-wal and {path}-shm to another folder"
        )


def remove_marks(path: str, header: bytes) -> None:
    """Remove a log of another file that has nothing but its mark: that daemon was killed while it
    started."""
    log = _read(path)
    if log is not None and not _is_of(log, header):
        os.unlink(_path_of_log(path))


def is_there(path: str) -> bool:
    """Whether there is a log that SQLite would apply to the file at `path`."""
    return _read(path) is not None


def mark(connection: sqlite3.Connection, path: str, descriptor: int) -> None:
    """Have the file, which is open as `descriptor`, too, know its log. Call this before anything
    else is written.

    Raises `StoreUnusable` if another program reads the file all the time, `sqlite3.Error`.
    """
    log = _read(path)
    if log is not None and _is_marked(log, _cookie_of(os.pread(descriptor, 100, 0))):
        # The mark may have been written and never synced, if the disk failed meanwhile.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        return
    # The first write begins a log, whose salt is not known before. If that fails, the next one does
    # so again, with another salt.
    while log is None or not _is_marked(log, _cookie(connection)):
        _set_cookie(connection, _cookie(connection) if log is None else log.first_salt)
        log = _read(path)
        if log is None:
            # SQLite writes none on some file systems.
            return
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreUnusable(f"the store {path} is in use by another program")


def mark_copy(connection: sqlite3.Connection) -> None:
    """Have a copy, which has no log, know that the log of its original is not its own."""
    _set_cookie(connection, (_cookie(connection) + _NUMBERS // 2) % _NUMBERS)


def _cookie(connection: sqlite3.Connection) -> int:
    (cookie,) = connection.execute("PRAGMA schema_version").fetchone()
    return int(cookie) % _NUMBERS


def _set_cookie(connection: sqlite3.Connection, cookie: int) -> None:
    signed = cookie - _NUMBERS if cookie >= _NUMBERS // 2 else cookie
    connection.execute(f"PRAGMA schema_version = {signed}")


def _cookie_of(header: bytes) -> int:
    """The schema cookie in the header of a file, without what is in its log."""
    return int.from_bytes(header[40:44])


def _is_of(log: _Log, header: bytes) -> bool:
    """Whether a log is that of the file with this header; if the file has no mark, it is."""
    cookie = _cookie_of(header)
    return cookie < _UNMARKED or _is_marked(log, cookie)


def _is_marked(log: _Log, cookie: int) -> bool:
    return (cookie - log.first_salt) % _NUMBERS < _CHANGES


def _path_of_log(path: str) -> str:
    """The path of the log of a file, which is beside the file itself if `path` is a link to it."""
    return os.path.realpath(path) + "-wal"


def _read(path: str) -> _Log | None:
    """The log of the file at `path`; None if there is none, or none that SQLite would apply: one
    without a valid header, or without a frame."""
    with suppress(FileNotFoundError), open(_path_of_log(path), "rb") as file:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return None
        magic, _, page_size, beginnings, salt, other_salt, *checksum = _HEADER.unpack(header)
        if magic & ~1 != _MAGIC or _checksum(header[:24], magic & 1) != checksum:
            return None
        pages = []
        while len(frame := file.read(_FRAME_HEADER + page_size)) == _FRAME_HEADER + page_size:
            page, _, *salts = _FRAME.unpack_from(frame)
            if salts != [salt, other_salt]:
                break
            pages.append(page)
            if beginnings or page != 1:
                break
        # In a log that has been begun anew there is more than the mark.
        first_salt = (salt - beginnings) % _NUMBERS
        return _Log(first_salt, not beginnings and pages[-1] == 1) if pages else None
    return None


def _checksum(data: bytes, big_endian: int) -> list[int]:
    """The checksum of a header."""
    first = second = 0
    numbers = Struct(f"{'>' if big_endian else '<'}{len(data) // 4}I").unpack(data)
    for even, odd in zip(numbers[::2], numbers[1::2], strict=True):
        first = (first + even + second) % _NUMBERS
        second = (second + odd + first) % _NUMBERS
    return [first, second]
