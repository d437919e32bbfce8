"""What a daemon must not keep when all clients are disconnected: in memory, and in its file."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from typing import Any

_CACHES = {
    "direct_logs",
    "_live_logs",
    "_blocking",
    "_rooms",
    "live_logs",
    "_attempts",
    "_token_buckets",
    "_ids",
}
"""tables that are meant to keep something, within a bound"""


def tables_in_memory(root: Any) -> Iterator[tuple[str, int]]:
    """The tables below an object of chatd that are not empty: where they are, and their sizes."""
    seen: set[int] = set()
    waiting: deque[tuple[str, Any]] = deque([("realm", root)])
    while waiting:
        path, item = waiting.popleft()
        if id(item) in seen:
            continue
        seen.add(id(item))
        for name, value in _attributes(item):
            here = f"{path}.{name}"
            if isinstance(value, dict | set | list | deque) and name not in _CACHES:
                if value:
                    yield here, len(value)
            elif type(value).__module__.startswith("chatd.realm"):
                waiting.append((here, value))


def _attributes(item: Any) -> Iterator[tuple[str, Any]]:
    yield from vars(item).items() if hasattr(item, "__dict__") else ()
    for kind in type(item).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(item, name):
                yield name, getattr(item, name)


def problems_in_file(path: str) -> Iterator[tuple[str, str]]:
    """What is wrong in the file of a daemon that has stopped: (kind, sentence)."""
    with closing(sqlite3.connect(path)) as connection:
        (check,) = connection.execute("PRAGMA integrity_check").fetchone()
        if check != "ok":
            yield "file:damaged", check
        for log, upto in connection.execute("SELECT log, upto FROM rubbish"):
            yield "file:garbage", f"log {log} up to {upto}"
        for (log,) in connection.execute(
            "SELECT DISTINCT log FROM entries WHERE log NOT IN (SELECT id FROM logs)"
        ):
            yield "file:entries-without-log", f"log {log}"
        accounts = "SELECT '@' || lower(key) FROM documents WHERE kind = 'account'"
        for kind, key in connection.execute(
            "SELECT kind, key FROM documents WHERE key LIKE '@%'"
            f" AND lower(key) NOT IN ({accounts})"
        ):
            yield f"file:{kind}-without-account", key
        for (name,) in connection.execute(
            f"SELECT name FROM logs WHERE name LIKE '@%' AND name != '@server'"
            f" AND name NOT IN ({accounts})"
        ):
            yield "file:mailbox-without-account", name
        rooms = "SELECT lower(key) FROM documents WHERE kind = 'room'"
        for (name,) in connection.execute(
            f"SELECT name FROM logs WHERE name LIKE '#%' AND name NOT IN ({rooms})"
        ):
            yield "file:history-without-room", name
