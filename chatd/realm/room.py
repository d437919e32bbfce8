"""A room: its stored record, and the room as this daemon holds it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import ClassVar, Protocol

import msgspec

from chatd.core.names import LOBBY, room_log, room_name
from chatd.realm import changes
from chatd.realm.documents import Stored
from chatd.realm.live_log import LiveLog
from chatd.realm.restrictions import BanRecord, RestrictionRecord
from chatd.realm.slow_mode import SlowMode
from chatd.stores import Change, CreateLog, Store

OWNER, DEPUTY, MODERATOR = "owner", "deputy", "moderator"
MEMBER, INVITED = "member", "invited"
ROLES = (OWNER, DEPUTY, MODERATOR, MEMBER)
"""the roles that members can have"""
MEMBERS, MODERATORS = "members", "moderators"
"""who may invite to a room"""
ALL, JOINED = "all", "joined"
"""what a new member can read of a room's history: all of it, or what is sent after it joined"""
RANKS = {INVITED: 0, "": 0, MEMBER: 1, MODERATOR: 2, DEPUTY: 3, OWNER: 4}
"""roles by rank: each one allows what lower ones allow"""

_EPHEMERAL_HISTORY = 4_096
"""the number of latest entries of a room that an ephemeral store retains"""


class RoomRecord(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a room beside its log and its members, under its name.

    `created` is milliseconds since 1970 (UTC). `id` is never given to another room: whatever else
    is stored of the room refers to it. `owner` is the id of an account (0: none) and `owner_name`
    its name; `deputies` and `moderators` are the ids and names of accounts. `history` is ``all`` or
    ``joined``; empty in rooms of older versions of chatd. `slow` is how many seconds a member waits
    between two texts (0: none), `read_only` whether only moderators send. `banned_until` and
    `silenced_until` are when the last ban or silence of the room ends at the latest (milliseconds
    since 1970, UTC; 0: there is none). `inviters` is who may invite: ``members`` or
    ``moderators``; empty: members to a public room, moderators to a private one. `unlisted` is
    whether listings have the room for its members and invited accounts only.
    """

    document_kind: ClassVar[str] = "room"

    created: int
    id: int
    topic: str = ""
    private: bool = False
    owner: int = 0
    owner_name: str = ""
    moderators: dict[int, str] = {}
    history: str = ""
    slow: int = 0
    read_only: bool = False
    deputies: dict[int, str] = {}
    banned_until: int = 0
    silenced_until: int = 0
    inviters: str = ""
    unlisted: bool = False

    @property
    def shown_history(self) -> str:
        """What a new member can read of the history: ``all`` or ``joined``."""
        return self.history or (JOINED if self.private else ALL)

    @property
    def limits_sending(self) -> bool:
        """Whether some members may not send at all times (`chatd.realm.room_speech`)."""
        return self.slow > 0 or self.read_only or self.silenced_until > 0

    def restricting(self, restriction: RestrictionRecord) -> RoomRecord:
        """This record with one more ban or silence."""
        if isinstance(restriction, BanRecord):
            until = max(self.banned_until, restriction.until)
            return msgspec.structs.replace(self, banned_until=until)
        until = max(self.silenced_until, restriction.until)
        return msgspec.structs.replace(self, silenced_until=until)

    def unrestricted(self, kind: type[RestrictionRecord]) -> RoomRecord:
        """This record without any restriction of a kind."""
        if kind is BanRecord:
            return msgspec.structs.replace(self, banned_until=0)
        return msgspec.structs.replace(self, silenced_until=0)

    def member_role(self, account: int) -> str:
        """The role of a member."""
        if account == self.owner:
            return OWNER
        if account in self.deputies:
            return DEPUTY
        return MODERATOR if account in self.moderators else MEMBER

    def without(self, account: int, successor: int = 0, name: str = "") -> RoomRecord:
        """This record without the role of an account. If that is the owner, its successor is given
        by its id and name; 0: there is none."""
        removed = {account}
        owner, owner_name = self.owner, self.owner_name
        if account == owner:
            removed.add(successor)
            owner, owner_name = successor, name
        return msgspec.structs.replace(
            self,
            owner=owner,
            owner_name=owner_name,
            deputies=_others(self.deputies, removed),
            moderators=_others(self.moderators, removed),
        )

    def with_role(self, account: int, name: str, role: str) -> RoomRecord:
        """This record with another role for a member; the former owner becomes a moderator."""
        deputies = _others(self.deputies, (account,))
        moderators = _others(self.moderators, (account,))
        owner, owner_name = self.owner, self.owner_name
        if role == OWNER:
            if owner and owner != account:
                moderators[owner] = owner_name
            owner, owner_name = account, name
        elif role == DEPUTY:
            deputies[account] = name
        elif role == MODERATOR:
            moderators[account] = name
        return msgspec.structs.replace(
            self, owner=owner, owner_name=owner_name, deputies=deputies, moderators=moderators
        )


def _others(accounts: Mapping[int, str], removed: Container[int]) -> dict[int, str]:
    """These accounts without some of them."""
    return {account: name for account, name in accounts.items() if account not in removed}


class RoomFacts(Protocol):
    """What permissions in a room are decided by (`chatd.realm.permissions`)."""

    @property
    def name(self) -> str:
        """The room's name as clients know it."""

    @property
    def display_name(self) -> str:
        """The room's name as first written."""

    @property
    def record(self) -> RoomRecord:
        """What is stored of the room."""


class Room(LiveLog):
    """A room with its subscribers. `display_name` is its name as first written, `id` its id."""

    __slots__ = ("_stored", "display_name", "id", "members", "slow_mode", "users")

    def __init__(self, store: Store, stored: Stored[RoomRecord], head: int, members: int) -> None:
        super().__init__(store, room_log(stored.record.id), room_name(stored.key))
        self.id = stored.record.id
        self.display_name = stored.key
        self.slow_mode = SlowMode()
        self.stored = stored
        self.head = head
        self.members = members
        """the number of members, as far as this daemon knows"""
        self.users = 0
        """requests under way that need the room to stay in memory"""

    @property
    def stored(self) -> Stored[RoomRecord]:
        """The room's record with its version, as far as this daemon knows."""
        return self._stored

    @stored.setter
    def stored(self, stored: Stored[RoomRecord]) -> None:
        self._stored = stored
        self.limits_sending = stored.record.limits_sending

    @property
    def record(self) -> RoomRecord:
        """The room's record, as far as this daemon knows."""
        return self._stored.record

    @property
    def scope(self) -> str:
        """The scope of the rows of its members and invitations."""
        return str(self.id)

    @property
    def permanent(self) -> bool:
        """Whether the room stays when its last member leaves."""
        return self.name == LOBBY

    @property
    def consumed(self) -> int:
        """See `LiveLog`."""
        return self.head - _EPHEMERAL_HISTORY


def new_lobby(created: int, id: int) -> list[Change]:
    """Return the changes that create the lobby: its record and its log, and no members."""
    return [changes.create(LOBBY, RoomRecord(created, id)), CreateLog(room_log(id))]
