"""Checks that the rows of a store in memory belong together, whatever happened before."""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.core.names import (
    AUDIT,
    LOBBY,
    REPORTS,
    deleted_room_log,
    mailbox_log,
    room_log,
    room_name,
)
from chatd.realm.accounts import Account
from chatd.realm.deleted_rooms import DeletedRoomRecord
from chatd.realm.membership import (
    InvitationRecord,
    InvitedRecord,
    MemberRecord,
    MembershipRecord,
)
from chatd.realm.read_state import Settings
from chatd.realm.restrictions import BanRecord, SilenceRecord
from chatd.realm.room import RoomRecord
from chatd.stores.memory import MemoryStore


def _rows(store: MemoryStore, kind: Any) -> dict[tuple[str, str], Any]:
    """The records of a kind by (scope, key)."""
    return {
        (scope, document.key): msgspec.msgpack.decode(document.body, type=kind)
        for (name, scope), found in store.documents.scopes.items()
        if name == kind.document_kind
        for _, document in found.documents.values()
    }


def check_rows(store: MemoryStore) -> None:
    """Check that every log, row and setting is of an account and a room that exist, that
    memberships and invitations have both of their rows, and that each room but the lobby has a
    member, and an owner who is one. A deleted room has members and a log under its other name."""
    accounts = {str(account.id): name for (_, name), account in _rows(store, Account).items()}
    rooms = {str(room.id): (name, room) for (_, name), room in _rows(store, RoomRecord).items()}
    deleted = {str(row.record.id) for row in _rows(store, DeletedRoomRecord).values()}
    assert not deleted & set(rooms), "a room is deleted and is not"
    members = {
        place: row for place, row in _rows(store, MemberRecord).items() if place[0] not in deleted
    }
    _check_pairs(accounts, rooms, members, _rows(store, MembershipRecord))
    _check_pairs(accounts, rooms, _rows(store, InvitationRecord), _rows(store, InvitedRecord))
    for id, (name, room) in rooms.items():
        ids = {row.account for (scope, _), row in members.items() if scope == id}
        if room_name(name) != LOBBY:
            assert room.owner in ids, f"the owner of {name} is no member"
        roles = [*room.moderators, *room.deputies, *([room.owner] if room.owner else [])]
        assert set(roles) <= ids, f"a moderator or deputy of {name} is no member"
        assert len(set(roles)) == len(roles), f"a member of {name} has two roles"
    restrictions = _rows(store, BanRecord) | _rows(store, SilenceRecord)
    for (scope, name), restriction in restrictions.items():
        assert scope in rooms or scope in deleted, f"a restriction of a room that is gone: {name}"
        if restriction.account:
            owner = accounts.get(str(restriction.account))
            assert owner == name, f"a restriction of an account that is gone: {name}"
    logs = {mailbox_log(int(id)) for id in accounts} | {room_log(int(id)) for id in rooms}
    logs |= {deleted_room_log(int(id)) for id in deleted}
    assert set(store._logs) - {REPORTS, AUDIT} == logs, (set(store._logs), logs)
    for _, log in _rows(store, Settings):
        assert log[1:] in accounts, f"settings of {log}"
    for account, positions in store._positions.items():
        assert set(positions) <= logs, f"a position of {account} in a log that is gone"


def _check_pairs(
    accounts: dict[str, str],
    rooms: dict[str, tuple[str, RoomRecord]],
    of_rooms: dict[tuple[str, str], Any],
    of_accounts: dict[tuple[str, str], Any],
) -> None:
    """Check that each row of a room has its counterpart of an account, and both exist."""
    pairs = {(scope, str(row.account)) for (scope, _), row in of_rooms.items()}
    assert pairs == {(key, scope) for scope, key in of_accounts}, (of_rooms, of_accounts)
    for (room, name), row in of_rooms.items():
        assert room in rooms, f"a row of a room that is gone: {row}"
        assert accounts.get(str(row.account)) == name, f"a row of an account that is gone: {row}"
    for (_, room), row in of_accounts.items():
        assert row.room == rooms[room][0]
