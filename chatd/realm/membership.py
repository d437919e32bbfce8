"""Membership: a row for each member of a room, and for each room of an account.

Both rows are written together. Those of a room are listed by the members' names, those of an
account are read when it logs in; neither costs more in a room with more members. The same holds
for invitations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from chatd.core.entries import Cursor
from chatd.core.names import room_log, room_name
from chatd.realm.read_state import ReadState

if TYPE_CHECKING:
    from chatd.realm.mailbox import Mailbox


class MemberRecord(msgspec.Struct, frozen=True, array_like=True):
    """A member of a room; the scope is the room's id, the key the account's name.

    `account` is the account's id, `joined` when it joined, in milliseconds since 1970 (UTC). `seq`
    is the seq of the room's last entry then, for a room that is restored after its deletion; None
    if the account joined by an older version of chatd.
    """

    document_kind: ClassVar[str] = "member"

    account: int
    joined: int
    seq: int | None = None


class MembershipRecord(msgspec.Struct, frozen=True, array_like=True):
    """A room of an account; the scope is the account's id, the key the room's id.

    `room` is the room's name as first written, `since` when it was created, in milliseconds since
    1970 (UTC). `joined` is the seq of the room's last entry when the account joined; 0 if it
    joined by an older version of chatd.
    """

    document_kind: ClassVar[str] = "membership"

    room: str
    since: int
    joined: int = 0


class InvitationRecord(msgspec.Struct, frozen=True, array_like=True):
    """An account invited to a room; the scope is the room's id, the key the account's name.
    `account` is the account's id."""

    document_kind: ClassVar[str] = "invitation"

    account: int


class InvitedRecord(msgspec.Struct, frozen=True, array_like=True):
    """A room that an account is invited to; the scope is the account's id, the key the room's id.
    `room` is the room's name as first written."""

    document_kind: ClassVar[str] = "invited"

    room: str


class CreatedRoomRecord(msgspec.Struct, frozen=True, array_like=True):
    """A room that an account has created; the scope is the account's id, the key the room's id.
    `room` is the room's name as first written."""

    document_kind: ClassVar[str] = "created-room"

    room: str


class Membership:
    """A room of the account of `mailbox`, as this daemon knows it."""

    __slots__ = ("joined", "name", "room", "since", "state")

    def __init__(self, mailbox: Mailbox, room: int, record: MembershipRecord) -> None:
        self.room = room
        """the id of the room"""
        self.name = room_name(record.room)
        """the name by which clients know the room's log"""
        self.since = record.since
        self.joined = record.joined
        """the seq of the room's last entry when the account joined"""
        self.state = ReadState(mailbox, room_log(room), Cursor())
        """what the account has acknowledged and read in the room"""
