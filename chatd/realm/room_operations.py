"""What operators may ask about rooms; a part of `chatd.realm.operations`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from chatd.core.errors import UnknownRoom
from chatd.realm.page import Page
from chatd.realm.realm import Realm


class RoomInfo(msgspec.Struct, frozen=True):
    """A room: `owner` is empty if it has none, `members` is their number."""

    room: str
    created: int
    topic: str
    private: bool
    owner: str
    members: int


class RoomOperations:
    """Listing, changing and deleting any room. What members see of it has the sender `SERVER`
    (`chatd.core.names`)."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._rooms = realm.rooms

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

    async def delete_room(self, room: str) -> str:
        """Delete a room with its history. Returns its name as first written. Raises
        `UnknownRoom`, `NotAllowed` for the lobby."""
        with _room_named(room):
            name = (await self._rooms.room(room)).display_name
            await self._rooms.delete_by_operator(name)
        return name


@contextmanager
def _room_named(room: str) -> Iterator[None]:
    """Have the sentence of `UnknownRoom` name the room: to operators all rooms are visible."""
    try:
        yield
    except UnknownRoom:
        raise UnknownRoom(f"There is no room {room}.") from None
