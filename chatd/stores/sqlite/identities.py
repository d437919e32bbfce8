"""From names to ids: what the third version of the file changes in documents, logs and keys.

In files of the second version, names identified accounts and rooms: logs, cursors, members and
blocks referred to them. `assign_ids` gives each account and room an id and makes everything refer
to it; members, invitations and positions become rows of their own. What belongs to an account or a
room that does not exist is removed.

The types here are the records of the second version, which never change. What is written has the
layout of the records in `chatd.realm`, which a test compares.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from chatd.stores.sqlite.key_owners import Identity, assign_keys

_ALL = 2**62
"""a seq that is greater than all others"""
_REPORTS = "@server"
"""the log of the reports to the operators, which belongs to no account"""
_LOBBY = "#lobby"
"""the room that exists without members"""


_encode = msgspec.msgpack.Encoder().encode


class Account(msgspec.Struct, array_like=True):
    """An account of the second version."""

    created: int
    password: str | None = None
    certificates: tuple[str, ...] = ()


class Room(msgspec.Struct, array_like=True):
    """A room of the second version; names are in lower case where they are keys, and in `owner`
    and `moderators`."""

    created: int
    owner: str
    topic: str = ""
    private: bool = False
    members: dict[str, str] = {}
    moderators: tuple[str, ...] = ()
    invited: dict[str, str] = {}


class Cursor(msgspec.Struct, array_like=True):
    """A cursor of the second version."""

    upto: int = 0
    ahead: tuple[tuple[int, int], ...] = ()


class RoomPosition(msgspec.Struct, array_like=True):
    """A position in a room in the second version; `since` is when the room was created."""

    since: int
    cursor: Cursor
    read: int


class ReadState(msgspec.Struct, array_like=True):
    """What an account had read in the second version; `positions` by the names of logs."""

    read: int = 0
    positions: dict[str, RoomPosition] = {}
    seen: int = 0


class Settings(msgspec.Struct, array_like=True):
    """Settings of the second version; `blocked` has names in lower case."""

    blocked: tuple[str, ...] = ()
    hidden: bool = False


R = TypeVar("R", Account, Room, Cursor, ReadState, Settings)


def assign_ids(connection: sqlite3.Connection) -> None:
    """Convert documents, logs and keys. Must be called in a transaction.

    May raise `sqlite3.Error` and `msgspec.DecodeError`.
    """
    _Conversion(connection).run()


class _Conversion:
    """One conversion; accounts and rooms are known by their names in lower case."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._newest_id: int = connection.execute("SELECT newest_id FROM progress").fetchone()[0]
        self._accounts: dict[str, Identity] = {}
        self._rooms: dict[str, Identity] = {}
        # The numbers of the logs by their new names.
        self._logs: dict[str, int] = {}
        self._new_documents: list[tuple[str, str, str, bytes]] = []
        # (account, log) -> (cursor, read marker, seen)
        self._positions: dict[tuple[int, str], tuple[Cursor, int, int]] = {}

    def run(self) -> None:
        """Do all of it."""
        self._convert_accounts()
        rooms = self._convert_rooms()
        self._rename_logs()
        self._convert_settings()
        self._convert_mailbox_cursors()
        self._convert_read_states(rooms)
        self._write()
        assign_keys(self._connection, self._accounts.values())

    def _documents(self, kind: str, type: type[R]) -> Iterator[tuple[int, str, R]]:
        """(row, key, record) of the documents of a kind, in order of creation."""
        decoder = msgspec.msgpack.Decoder(type)
        rows = self._connection.execute(
            "SELECT id, key, body FROM documents WHERE kind = ? ORDER BY id", (kind,)
        ).fetchall()
        for row, key, body in rows:
            yield row, key, decoder.decode(body)

    def _new_id(self) -> int:
        self._newest_id += 1
        return self._newest_id

    def _update(self, bodies: list[tuple[bytes, int]]) -> None:
        self._connection.executemany("UPDATE documents SET body = ? WHERE id = ?", bodies)

    def _delete(self, rows: list[tuple[int]]) -> None:
        self._connection.executemany("DELETE FROM documents WHERE id = ?", rows)

    def _convert_accounts(self) -> None:
        bodies = []
        for row, name, account in self._documents("account", Account):
            identity = Identity(self._new_id(), name, account.created)
            self._accounts[name.lower()] = identity
            record = (account.created, account.password, account.certificates, identity.id)
            bodies.append((_encode(record), row))
        self._update(bodies)

    def _convert_rooms(self) -> dict[str, Room]:
        """Convert rooms, members and invitations; the rooms of the second version that remain.

        A room without any member that exists is removed, but for the lobby.
        """
        remaining: dict[str, Room] = {}
        bodies = []
        removed = []
        for row, name, room in self._documents("room", Room):
            members = [key for key in room.members if key in self._accounts]
            if not members and name.lower() != _LOBBY:
                removed.append((row,))
                continue
            identity = Identity(self._new_id(), name, room.created)
            self._rooms[name.lower()] = identity
            remaining[name.lower()] = room
            self._add_members(identity, members)
            self._add_invitations(identity, [key for key in room.invited if key not in members])
            bodies.append((_encode(self._room_record(identity, room, members)), row))
        self._update(bodies)
        self._delete(removed)
        return remaining

    def _room_record(self, identity: Identity, room: Room, members: list[str]) -> tuple[Any, ...]:
        moderators = [key for key in room.moderators if key in members]
        owner = room.owner
        if owner and owner not in members:
            # As when the owner leaves: the moderator who joined first, or else the member who did.
            owner = next((key for key in members if key in moderators), next(iter(members), ""))
        owner_id, owner_name, _ = self._accounts[owner] if owner else Identity(0, "", 0)
        return (
            room.created,
            identity.id,
            room.topic,
            room.private,
            owner_id,
            owner_name,
            {
                self._accounts[key].id: self._accounts[key].name
                for key in moderators
                if key != owner
            },
        )

    def _add_members(self, room: Identity, members: list[str]) -> None:
        for place, key in enumerate(members):
            account = self._accounts[key]
            # The order in which they joined is known, the time is not.
            self._add("member", room.id, account.name, (account.id, room.created + place))
            self._add("membership", account.id, str(room.id), (room.name, room.created))

    def _add_invitations(self, room: Identity, invited: list[str]) -> None:
        for key in invited:
            account = self._accounts.get(key)
            if account is not None:
                self._add("invitation", room.id, account.name, (account.id,))
                self._add("invited", account.id, str(room.id), (room.name,))

    def _add(self, kind: str, scope: int, key: str, record: tuple[Any, ...]) -> None:
        self._new_documents.append((kind, str(scope), key, _encode(record)))

    def _rename_logs(self) -> None:
        """Name logs by ids, create those that are missing, and drop those without an owner."""
        execute = self._connection.execute
        names = {f"@{name}": f"@{identity.id}" for name, identity in self._accounts.items()}
        names |= {name: f"#{identity.id}" for name, identity in self._rooms.items()}
        names[_REPORTS] = _REPORTS
        rows = execute("SELECT id, name, trimmed FROM logs").fetchall()
        # Some names may be the new names of other logs: an account may be called 17.
        execute("DELETE FROM logs")
        self._connection.executemany(
            "INSERT INTO logs (id, name, trimmed) VALUES (?, ?, ?)",
            [(number, names[name], trimmed) for number, name, trimmed in rows if name in names],
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO rubbish (log, upto) VALUES (?, ?)",
            [(number, _ALL) for number, name, _ in rows if name not in names],
        )
        existing = {name for _, name, _ in rows}
        self._connection.executemany(
            "INSERT INTO logs (name) VALUES (?)",
            [(new,) for old, new in names.items() if old not in existing and old != _REPORTS],
        )
        self._logs = dict(execute("SELECT name, id FROM logs"))

    def _owner(self, mailbox: str) -> Identity | None:
        """The account of a mailbox, given by the old name of its log."""
        return self._accounts.get(mailbox.removeprefix("@"))

    def _convert_settings(self) -> None:
        converted = []
        removed = []
        for row, log, settings in self._documents("settings", Settings):
            owner = self._owner(log)
            if owner is None:
                removed.append((row,))
                continue
            accounts = [self._accounts[key] for key in settings.blocked if key in self._accounts]
            blocked = {account.id: account.name for account in accounts}
            converted.append((row, f"@{owner.id}", _encode((blocked, settings.hidden))))
        # Some keys may be the new keys of others.
        self._delete(removed)
        self._connection.executemany(
            "UPDATE documents SET scope = 'old' WHERE id = ?", [(row,) for row, _, _ in converted]
        )
        self._connection.executemany(
            "UPDATE documents SET scope = '', key = ?, body = ? WHERE id = ?",
            [(key, body, row) for row, key, body in converted],
        )

    def _convert_mailbox_cursors(self) -> None:
        """Convert cursors. A claim is dropped: what was claimed and is not in the cursor waits."""
        for _, log, cursor in self._documents("cursor", Cursor):
            owner = self._owner(log)
            if owner is not None:
                self._positions[owner.id, f"@{owner.id}"] = (cursor, 0, 0)

    def _convert_read_states(self, rooms: dict[str, Room]) -> None:
        in_rooms: dict[tuple[str, str], RoomPosition] = {}
        for _, log, state in self._documents("reading", ReadState):
            owner = self._owner(log)
            if owner is None:
                continue
            place = (owner.id, f"@{owner.id}")
            cursor = self._positions[place][0] if place in self._positions else Cursor()
            self._positions[place] = (cursor, state.read, state.seen)
            for room_log, position in state.positions.items():
                in_rooms[room_log, owner.name.lower()] = position
        for name, room in rooms.items():
            log = f"#{self._rooms[name].id}"
            head: int | None = None
            for key in room.members:
                if key not in self._accounts:
                    continue
                known = in_rooms.get((name, key))
                if known is not None and known.since == room.created:
                    place = (self._accounts[key].id, log)
                    self._positions[place] = (known.cursor, known.read, 0)
                    continue
                # The account's position was lost: it begins where one that joins now begins.
                if head is None:
                    head = self._head(self._logs[log])
                self._positions[self._accounts[key].id, log] = (Cursor(head), head, 0)

    def _head(self, log: int) -> int:
        """The last seq of a log, given by its number."""
        (head,) = self._connection.execute(
            "SELECT max(trimmed, ifnull((SELECT max(seq) FROM places WHERE log = ?1), 0), ifnull("
            "(SELECT max(seq) FROM entries WHERE place > placed AND log = ?1), 0))"
            " FROM logs, progress WHERE id = ?1",
            (log,),
        ).fetchone()
        return int(head)

    def _write(self) -> None:
        """Write new documents, positions, counters, and the newest id."""
        execute, executemany = self._connection.execute, self._connection.executemany
        execute("DELETE FROM documents WHERE kind IN ('claim', 'cursor', 'reading')")
        executemany(
            "INSERT INTO documents (kind, scope, key, version, body) VALUES (?, ?, ?, 1, ?)",
            sorted(self._new_documents),  # which the indexes take at their ends
        )
        executemany(
            "INSERT INTO positions (account, log, upto, ahead, read, seen)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    account,
                    self._logs[log],
                    cursor.upto,
                    _encode(cursor.ahead) if cursor.ahead else None,
                    read,
                    seen,
                )
                for (account, log), (cursor, read, seen) in sorted(
                    self._positions.items(), key=lambda item: item[0]
                )
            ],
        )
        execute("DELETE FROM counters")
        execute("INSERT INTO counters SELECT kind, scope, count(*) FROM documents GROUP BY 1, 2")
        execute("UPDATE progress SET newest_id = ?", (self._newest_id,))
