"""Files that hold what only the daemon's user may read: whether others can, and what mends that."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Sequence

_SUFFIXES = ("", "-wal", "-shm")
"""those of the files of an SQLite store"""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def store_files(path: str) -> list[str]:
    """The files that an SQLite store may consist of."""
    return [path + suffix for suffix in _SUFFIXES]


def exposed(paths: Iterable[str]) -> list[tuple[str, int]]:
    """Those of the files, with their modes, that other users than the owner may read, write or
    execute. A file that does not exist is none of them."""
    found = []
    for path in paths:
        try:
            mode = stat.S_IMODE(os.stat(path).st_mode)
        except OSError:
            continue
        if mode & _OTHERS:
            found.append((path, mode))
    return found


def warning(files: Sequence[tuple[str, int]]) -> str:
    """The warning to the operator about such files, with the command that mends it."""
    shown = ", ".join(f"{path} (mode {mode:04o})" for path, mode in files)
    paths = " ".join(shlex.quote(path) for path, _ in files)
    return (
        f"Other users of this machine may read what is stored, or more: {shown}. "
        f"To mend that: chmod go= {paths}"
    )
