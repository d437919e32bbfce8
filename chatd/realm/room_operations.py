"""What operators may ask about rooms; a part of `chatd.realm.operations`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from chatd.core.errors import UnknownRoom
from chatd.realm.membership import MemberRecord
from chatd.realm.page import Page
from chatd.realm.realm import Realm
from chatd.realm.tasks import gather


class RoomInfo(msgspec.Struct, frozen=True):
    """A room: `owner` is empty if it has none, `members` is their number."""

    room: str
    created: int
    topic: str
    private: bool
    owner: str
    members: int


class DeletedRoomInfo(msgspec.Struct, frozen=True):
    """A deleted room that can be restored until a time, with its `id`; `by` is the account that
    deleted it, or left it as the last member, or `SERVER` for an operator. `members` is the number
    of members that it had."""

    room: str
    id: str
    deleted: int
    by: str
    until: int
    private: bool
    owner: str
    members: int


class RoomOperations:
    """Listing, changing and deleting any room. What members see of it has the sender `SERVER`
    (`chatd.core.names`)."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._rooms = realm.rooms
        self._documents = realm.documents

    async def rooms(self, pattern: str, after: str, limit: int) -> Page[RoomInfo, str]:
        """Rooms, private ones as well, whose names match a glob, in alphabetical order. Raises
        `PatternTooLong`."""
        rooms, more, last = await self._rooms.find(None, pattern, after, limit)
        items = [
            RoomInfo(
                room=room.display_name,
                created=room.record.created,
                topic=room.record.topic,
                private=room.record.private,
                owner=room.record.owner_name,
                members=room.members,
            )
            for room, _ in rooms
        ]
        return Page(items, more, last)

    async def set_room_role(self, room: str, member: str, role: str) -> tuple[str, str]:
        """Give a member of any room another role. Returns the names of the room and the member as
        first written.

        Raises `UnknownRoom`, `UnknownMember`, `UnknownRole`, `NotAllowed` for an owner or a deputy
        of the lobby.
        """
        with _room_named(room):
            changed, name = await self._rooms.set_role_by_operator(room, member, role)
        self._realm.flush()
        return changed.display_name, name

    async def set_room_topic(self, room: str, topic: str) -> str:
        """Set the topic of any room, or remove it (empty). Returns the room's name as first
        written. Raises `UnknownRoom`, `TopicTooLong`."""
        with _room_named(room):
            changed = await self._rooms.set_topic_by_operator(room, topic)
        self._realm.flush()
        return changed.display_name

    async def delete_room(self, room: str, now: bool = False) -> str:
        """Delete a room with its history. Returns its name as first written.

        It can be restored for `Limits.deleted_room_time`, unless it is deleted `now`; then what is
        left of deleted rooms of its name is removed as well, also if there is none of that name by
        now. Raises `UnknownRoom`, `NotAllowed` for the lobby.
        """
        removed = await self._rooms.remove_deleted(room) if now else 0
        try:
            with _room_named(room):
                name = (await self._rooms.room(room)).display_name
                await self._rooms.delete_by_operator(name, now)
        except UnknownRoom:
            if not removed:
                raise
            name = room
        return name

    async def deleted_rooms(self, after: str, limit: int) -> Page[DeletedRoomInfo, str]:
        """The rooms that can be restored, in the order of their deletion."""
        rows = await self._rooms.deleted(after, limit)
        members = await gather(
            *(self._documents.count(MemberRecord, str(row.record.record.id)) for row in rows)
        )
        kept = self._realm.limits.deleted_room_time * 1000
        items = [
            DeletedRoomInfo(
                room=row.record.name,
                id=str(row.record.record.id),
                deleted=row.record.deleted,
                by=row.record.by,
                until=row.record.deleted + kept,
                private=row.record.record.private,
                owner=row.record.record.owner_name,
                members=count,
            )
            for row, count in zip(rows, members, strict=True)
        ]
        return Page(items, len(rows) == limit, rows[-1].key if rows else after)

    async def restore_room(
        self, room: str, id: int = 0, new_name: str = "", owner: str = ""
    ) -> tuple[str, int]:
        """Restore a deleted room: the one of this name that was deleted last, or the one with an
        id. Returns its name as first written and the number of its members.

        `new_name` is its name from now on (empty: as before), `owner` an account that becomes its
        owner (empty: the former one or its successor). Raises `UnknownRoom`, `IllegalRoom`,
        `RoomTaken`, `UnknownAccount`, `UnknownMember` if it would have no member, `Busy`.
        """
        restored = await self._rooms.restore(room, id, new_name, owner)
        self._realm.flush()
        return restored.display_name, restored.members


@contextmanager
def _room_named(room: str) -> Iterator[None]:
    """Have the sentence of `UnknownRoom` name the room: to operators all rooms are visible."""
    try:
        yield
    except UnknownRoom:
        raise UnknownRoom(f"There is no room {room}.") from None
