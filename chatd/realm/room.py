"""A room: its stored record, and the room as this daemon holds it."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import msgspec

from chatd.core.names import LOBBY, room_log
from chatd.realm.documents import Stored
from chatd.realm.live_log import LiveLog
from chatd.stores import Store

OWNER, MODERATOR, MEMBER, INVITED = "owner", "moderator", "member", "invited"
RANKS = {INVITED: 0, "": 0, MEMBER: 1, MODERATOR: 2, OWNER: 3}
"""roles by rank: each one allows what lower ones allow"""

_EPHEMERAL_HISTORY = 4_096
"""the number of latest entries of a room that an ephemeral store retains"""


class RoomRecord(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a room beside its log, under its name.

    Names are in lower case where they are keys, and in `owner` and `moderators`. `members` are in
    the order in which they joined. `created` is milliseconds since 1970 (UTC).
    """

    document_kind: ClassVar[str] = "room"

    created: int
    owner: str
    topic: str = ""
    private: bool = False
    members: dict[str, str] = {}
    moderators: tuple[str, ...] = ()
    invited: dict[str, str] = {}

    def role(self, name: str) -> str:
        """The role of an account in this room, empty if it has none."""
        key = name.lower()
        if key in self.members:
            return OWNER if key == self.owner else MODERATOR if key in self.moderators else MEMBER
        return INVITED if key in self.invited else ""

    def with_member(self, name: str) -> RoomRecord:
        """This record with another member."""
        key = name.lower()
        invited = {other: shown for other, shown in self.invited.items() if other != key}
        return msgspec.structs.replace(self, members={**self.members, key: name}, invited=invited)

    def without(self, name: str) -> RoomRecord:
        """This record without a member or an invitation.

        If the owner leaves, the moderator who joined first becomes the owner, or else the member
        who did.
        """
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

    def with_invitation(self, name: str) -> RoomRecord:
        """This record with another account invited."""
        return msgspec.structs.replace(self, invited={**self.invited, name.lower(): name})

    def with_role(self, name: str, role: str) -> RoomRecord:
        """This record with another role for a member; the former owner becomes a moderator."""
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


class RoomFacts(Protocol):
    """What permissions in a room are decided by (`chatd.realm.permissions`)."""

    @property
    def name(self) -> str:
        """The room's name as first written."""

    @property
    def record(self) -> RoomRecord:
        """What is stored of the room."""


class RoomSnapshot(msgspec.Struct, frozen=True):
    """A room with a record that may be stored next; see `RoomFacts`."""

    name: str
    record: RoomRecord


class Room(LiveLog):
    """A room with its subscribers. `name` is as it was first written."""

    __slots__ = ("name", "pending_joins", "stored", "updates", "updating")

    def __init__(self, store: Store, stored: Stored[RoomRecord], head: int) -> None:
        super().__init__(store, room_log(stored.key))
        self.name = stored.key
        self.stored = stored
        self.head = head
        self.pending_joins = 0
        """accounts that are about to join; while there are any, the room must stay in memory"""
        self.updates: list[Any] = []
        """changes to be stored next (`chatd.realm.room_updates`)"""
        self.updating = False
        """whether changes are being stored"""

    @property
    def record(self) -> RoomRecord:
        """The room's record, as far as this daemon knows."""
        return self.stored.record

    @property
    def permanent(self) -> bool:
        """Whether the room stays when its last member leaves."""
        return self.log == LOBBY

    @property
    def consumed(self) -> int:
        """See `LiveLog`."""
        return self.head - _EPHEMERAL_HISTORY
