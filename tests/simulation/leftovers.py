"""What a daemon must not keep when all clients are disconnected: in memory, and in its file."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec

from chatd.core.names import (
    AUDIT,
    LOBBY,
    REPORTS,
    deleted_room_log,
    is_mailbox,
    is_room,
    log_id,
    mailbox_log,
    room_log,
)
from chatd.realm.room import RoomRecord

_CACHES = {
    "direct_logs",
    "_live_logs",
    "_blocking",
    "_rooms",
    "live_logs",
    "_attempts",
    "_token_buckets",
    "_ids",
    # Counters, by codes of refusals, names of bounds and names of queues.
    "refusals",
    "quotas_met",
    "_lengths",
    # What was made in the last hour, by address or account.
    "_made",
    # The listeners of the ports, and what has expired.
    "on_banned",
    "_bans",
}
"""tables that are meant to keep something, within a bound"""
_OF_ROOMS = ("member", "invitation")
"""kinds of documents whose scope is a room, and which name an account"""
_OF_ACCOUNTS = {"membership": "member", "invited": "invitation"}
"""kinds of documents whose scope is an account and whose key is a room, and their counterparts"""


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
        check = integrity(connection)
        if check != "ok":
            yield "file:damaged", check
            return
        for log, upto in connection.execute("SELECT log, upto FROM rubbish"):
            yield "file:garbage", f"log {log} up to {upto}"
        for kind, scope, key in connection.execute(
            "SELECT kind, scope, key FROM deleted_documents"
        ):
            yield "file:garbage", f"{kind} in {scope} with {key}"
        for table in ("entries", "place_runs", "keys", "key_runs", "positions", "stored_bytes"):
            for (log,) in connection.execute(
                f"SELECT DISTINCT log FROM {table} WHERE log NOT IN (SELECT id FROM logs)"
            ):
                yield f"file:{table}-without-log", f"log {log}"
        for row in connection.execute(
            "SELECT kind, scope, ifnull(n, 0), ifnull(documents, 0) FROM counters FULL JOIN"
            " (SELECT kind, scope, count(*) AS n FROM documents GROUP BY 1, 2) USING (kind, scope)"
            " WHERE n IS NOT documents"
        ):
            yield "file:count", f"{row}"
        yield from _owners(connection)


def integrity(connection: sqlite3.Connection) -> str:
    """``ok``, or the first thing that is wrong with a file."""
    try:
        (check,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return str(check)


def _owners(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Whether everything in the file belongs to an account or a room that exists."""
    rows = connection.execute("SELECT kind, scope, key, body FROM documents ORDER BY id")
    documents = [
        (kind, scope, key, msgspec.msgpack.decode(body)) for kind, scope, key, body in rows
    ]
    accounts = {body[3] for kind, _, _, body in documents if kind == "account"}
    rooms = {body[1] for kind, _, _, body in documents if kind == "room"}
    logs = {name for (name,) in connection.execute("SELECT name FROM logs")}
    # Deleted rooms that can be restored.
    deleted = {body[3][1] for kind, _, _, body in documents if kind == "deleted-room"}
    for room in sorted(deleted & rooms):
        yield "file:room-deleted-and-not", f"{room}"
    owned = {mailbox_log(account) for account in accounts} | {room_log(room) for room in rooms}
    owned |= {deleted_room_log(room) for room in deleted}
    for log in sorted(owned - logs):
        yield "file:owner-without-log", log
    for log in sorted(logs - owned - {REPORTS, AUDIT}):
        kind = "mailbox-without-account" if is_mailbox(log) else "history-without-room"
        yield f"file:{kind}", log
    rows_of_rooms, rows_of_accounts = set[tuple[str, int, int]](), set[tuple[str, int, int]]()
    for kind, scope, key, body in documents:
        shown = f"{scope} {key}"
        if kind == "settings" and key not in owned:
            yield "file:settings-without-account", key
        elif kind == "member" and int(scope) in deleted:
            continue
        elif kind in ("deleted", "reactions") and scope not in owned | set(map(room_log, deleted)):
            yield f"file:{kind}-without-log", shown
        elif kind == "created-room":
            # A deleted room that can be restored counts as made.
            if int(scope) not in accounts or int(key) not in rooms | deleted:
                yield "file:created-room-without-owner", shown
        elif kind in ("ban", "silence"):
            # The account of a pattern is 0.
            if int(scope) not in rooms | deleted or body[0] not in accounts | {0}:
                yield f"file:{kind}-without-owner", shown
        elif kind in _OF_ROOMS:
            rows_of_rooms.add((kind, int(scope), body[0]))
            if int(scope) not in rooms or body[0] not in accounts:
                yield f"file:{kind}-without-owner", shown
        elif kind in _OF_ACCOUNTS:
            rows_of_accounts.add((_OF_ACCOUNTS[kind], int(key), int(scope)))
            if int(key) not in rooms or int(scope) not in accounts:
                yield f"file:{kind}-without-owner", shown
    for kind, room, account in sorted(rows_of_rooms ^ rows_of_accounts):
        yield f"file:{kind}-on-one-side", f"room {room}, account {account}"
    yield from _of_room_records(documents, accounts, rows_of_rooms)
    for account, log in connection.execute(
        "SELECT account, name FROM positions JOIN logs ON logs.id = positions.log"
    ):
        if log_id(log) in deleted and log == deleted_room_log(log_id(log)):
            continue
        member = is_room(log) and ("member", log_id(log), account) in rows_of_rooms
        if not (member or log == mailbox_log(account)):
            yield "file:position-without-member", f"account {account} in {log}"


def _of_room_records(
    documents: Sequence[tuple[str, str, str, Any]],
    accounts: set[int],
    rows: set[tuple[str, int, int]],
) -> Iterator[tuple[str, str]]:
    """Whether owners and moderators of rooms are members, and rooms have members and an owner."""
    for kind, _, name, body in documents:
        if kind != "room":
            continue
        record = msgspec.convert(body, RoomRecord, strict=False)
        members = {account for kind, room, account in rows if (kind, room) == ("member", record.id)}
        if name.lower() != LOBBY and not members:
            yield "file:room-without-members", name
        for account in {record.owner, *record.deputies, *record.moderators} - {0}:
            if account not in members:
                yield "file:role-without-member", f"account {account} in {name}"
        if not record.owner and members and name.lower() != LOBBY:
            yield "file:room-without-owner", name
