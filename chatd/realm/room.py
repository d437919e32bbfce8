"""Rooms: the rule for their names, what the store keeps of one, and one as this daemon holds it."""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.core.names import room_log
from chatd.realm.live_log import LiveLog
from chatd.stores import Document, Store

ROOM = "room"
"""the kind of document that holds a room; its key is the room's name"""

OWNER, MODERATOR, MEMBER, INVITED = "owner", "moderator", "member", "invited"
RANKS = {INVITED: 0, "": 0, MEMBER: 1, MODERATOR: 2, OWNER: 3}
"""what a role is worth beside others"""

_VOLATILE_HISTORY = 4_096


class RoomRecord(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a room beside its log. Names are in lower case where they are keys, and in
    `owner` and `moderators`; `members` stand in order of joining. `created` is milliseconds since
    1970."""

    created: int
    owner: str
    topic: str = ""
    private: bool = False
    members: dict[str, str] = {}
    moderators: tuple[str, ...] = ()
    invited: dict[str, str] = {}

    def role(self, name: str) -> str:
        """What an account is here; empty: nothing."""
        key = name.lower()
        if key in self.members:
            return OWNER if key == self.owner else MODERATOR if key in self.moderators else MEMBER
        return INVITED if key in self.invited else ""

    def with_member(self, name: str) -> RoomRecord:
        """This room with one member more."""
        key = name.lower()
        invited = {other: shown for other, shown in self.invited.items() if other != key}
        return msgspec.structs.replace(self, members={**self.members, key: name}, invited=invited)

    def without(self, name: str) -> RoomRecord:
        """This room without a member, or without an invitation. An owner's place goes to the
        moderator who came first, else to the member who did."""
        key = name.lower()
        members = {other: shown for other, shown in self.members.items() if other != key}
        owner = self.owner
        if owner == key:
            owner = next(
                (other for other in members if other in self.moderators), next(iter(members), "")
            )
        return msgspec.structs.replace(
            self,
            owner=owner,
            members=members,
            moderators=tuple(other for other in self.moderators if other not in (key, owner)),
            invited={other: shown for other, shown in self.invited.items() if other != key},
        )

    def with_role(self, name: str, role: str) -> RoomRecord:
        """This room with another role for a member; a new owner makes the old one a moderator."""
        key = name.lower()
        moderators = [other for other in self.moderators if other != key]
        owner = self.owner
        if role == OWNER:
            if owner and owner != key:
                moderators.append(owner)
            owner = key
        elif role == MODERATOR:
            moderators.append(key)
        return msgspec.structs.replace(self, owner=owner, moderators=tuple(moderators))


class Room(LiveLog):
    """A room with those who read it now. `name` is as it was first written; while it is `pinned` it
    must not be given up although nobody reads it."""

    __slots__ = ("changes", "changing", "name", "pinned", "record", "version")

    def __init__(self, store: Store, document: Document, head: int) -> None:
        super().__init__(store, room_log(document.key))
        self.name = document.key
        self.pinned = 0
        self.changes: list[Any] = []
        """what is to be stored next (`chatd.realm.room_updates`)"""
        self.changing = False
        self.head = head
        self.update(document.version, msgspec.msgpack.decode(document.body, type=RoomRecord))

    def update(self, version: int, record: RoomRecord) -> None:
        """It has been changed."""
        self.version = version
        self.record = record

    @property
    def consumed(self) -> int:
        """See `LiveLog`."""
        return self.head - _VOLATILE_HISTORY
