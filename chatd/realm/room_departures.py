"""Leaving rooms, removing members, and deleting rooms, also those of a deleted account.

A room is deleted with its last member, by the write that removes it. What is kept of it for a time
is in `chatd.realm.deleted_rooms`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from chatd.core.entries import KICK, LEAVE
from chatd.core.errors import Conflict
from chatd.core.names import SERVER
from chatd.realm import changes
from chatd.realm.deleted_rooms import DeletedRooms
from chatd.realm.documents import Stored
from chatd.realm.membership import InvitationRecord, InvitedRecord, MemberRecord, MembershipRecord
from chatd.realm.permissions import (
    check_delete_room_by_operator,
    check_kick,
    check_member,
    check_not_deleted,
    check_owner,
)
from chatd.realm.room import INVITED, MEMBER, Room
from chatd.realm.session import Session
from chatd.realm.tasks import gather
from chatd.stores import Change, Forget

_ATTEMPTS = 16
_AT_ONCE = 250
"""members of a deleted room that are notified before other work goes on"""


class Removal(NamedTuple):
    """A member that is removed from a room, and whether the room is deleted with that."""

    member: Stored[MemberRecord]
    deleted: bool


class Leaving(NamedTuple):
    """A room that a deleted account leaves, and whether the room is deleted with that."""

    room: Room
    deleted: bool


class RoomDepartures(DeletedRooms):
    """The ways in which accounts stop being members of rooms."""

    async def leave(self, session: Session, name: str) -> None:
        """Leave a room. Raises `UnknownRoom`, `NotAMember`."""

        async def attempt(room: Room) -> tuple[list[Change], bool]:
            check_member(room, await self.role(session, room))
            member = await self._member(room, session.account, session.name)
            steps, deleted = await self.leaving(room, member)
            if not deleted:
                steps.append(self._note(session, room, LEAVE, ""))
            return steps, deleted

        with self._context.sessions.reserved(session.mailbox):
            room, deleted = await self._change(name, attempt)
            self.left(room, session.account, deleted, "left")

    async def _member(self, room: Room, account: int, name: str) -> Stored[MemberRecord]:
        """The row of a member, given by its id and name. Raises `Conflict` if it has none."""
        member = await self._documents.get(MemberRecord, name, room.scope)
        if member is None or member.record.account != account:
            raise Conflict()
        return member

    async def leaving(
        self, room: Room, member: Stored[MemberRecord], account_deleted: bool = False
    ) -> tuple[list[Change], bool]:
        """Return the changes that remove a member, and whether they delete the room, because it
        would have no member. With `account_deleted`, the member cannot be one of the room if that
        is restored.

        They withdraw an invitation of the member as well: one that was stored while the account
        joined would let it return to a private room that it was kicked from.
        """
        account = member.record.account
        # Another change may be stored while this one is considered.
        stored = room.stored
        steps: list[Change] = [changes.require(stored)]
        members = await self._documents.count(MemberRecord, room.scope)
        if members == 1 and not room.permanent:
            steps += [changes.delete(member), changes.require_none(MemberRecord, room.scope)]
            if account_deleted:
                steps.append(Forget(account, room.log))
            else:
                steps.append(changes.create(member.key, member.record, room.scope))
            return [*steps, *self._deletion(room, member.key)], True
        steps += self.removing(room, member)
        if not room.permanent:
            steps.append(changes.require_some(MemberRecord, room.scope))
        record = stored.record
        if record.member_role(account) != MEMBER:
            successor = await self._successor(room, account)
            id, name = (0, "") if successor is None else (successor.record.account, successor.key)
            steps[0] = changes.update(stored, record.without(account, id, name))
            if successor is not None and account == record.owner:
                steps.append(changes.require(successor))
        return steps, False

    def removing(self, room: Room, member: Stored[MemberRecord]) -> list[Change]:
        """The changes of the rows by which an account is a member of a room, or invited to it."""
        account = member.record.account
        key = str(account)
        return [
            changes.delete(member),
            changes.delete_any(MembershipRecord, room.scope, key),
            changes.delete_any(InvitationRecord, member.key, room.scope),
            changes.delete_any(InvitedRecord, room.scope, key),
            Forget(account, room.log),
        ]

    async def leaving_all(self, account: int, name: str) -> tuple[list[Change], list[Leaving]]:
        """Return the changes that remove an account from all its rooms, and those rooms.

        Raises `Conflict` if the account has left one of them meanwhile.
        """
        scope, after = str(account), ""
        steps: list[Change] = []
        rooms: list[Leaving] = []
        while rows := await self._documents.scan(MembershipRecord, scope, after):
            for row in rows:
                steps.append(changes.delete_any(MembershipRecord, row.key, scope))
                room = await self._current(row.record.room)
                # A room that was deleted meanwhile has no member to remove.
                if room is not None and room.scope == row.key:
                    member = await self._member(room, account, name)
                    leaving, deleted = await self.leaving(room, member, account_deleted=True)
                    steps += leaving
                    rooms.append(Leaving(room, deleted))
            after = rows[-1].key
        # A room that is joined meanwhile would have a member without an account.
        return [*steps, changes.require_none(MembershipRecord, scope)], rooms

    async def withdrawing_all(self, account: int, name: str) -> list[Change]:
        """The changes that withdraw all invitations of an account."""
        scope = str(account)
        steps: list[Change] = []
        after = ""
        while rows := await self._documents.scan(InvitedRecord, scope, after):
            for row in rows:
                steps.append(changes.delete_any(InvitationRecord, name, row.key))
                steps.append(changes.delete_any(InvitedRecord, row.key, scope))
            after = rows[-1].key
        # An invitation that is added meanwhile would stay in its room.
        return [*steps, changes.require_none(InvitedRecord, scope)]

    async def _successor(self, room: Room, account: int) -> Stored[MemberRecord] | None:
        """The member that would be the owner without `account`: the deputy who joined first, or
        else the moderator or the member who did; None if there is none."""
        documents, scope = self._documents, room.scope
        record = room.record
        candidates = [
            [name for id, name in accounts.items() if id != account]
            for accounts in (record.deputies, record.moderators)
        ]
        for _ in range(_ATTEMPTS):
            # A listing may have members whose removal is committed while they are read.
            names = next(filter(None, candidates), None) or await documents.list(
                MemberRecord, scope=scope, limit=2
            )
            rows = await gather(*(documents.get(MemberRecord, name, scope) for name in names))
            others = [row for row in rows if row is not None and row.record.account != account]
            if others:
                first: Stored[MemberRecord] = min(others, key=lambda row: row.record.joined)
                return first
            candidates = []
        return None

    def left(
        self,
        room: Room,
        account: int,
        deleted: bool,
        reason: str,
        note: str = "",
        until: int = 0,
    ) -> None:
        """An account is no longer a member of a room, which may be deleted with that. `note` and
        `until` are the reason and the end of a ban (`chatd.realm.peer.Peer.left`)."""
        room = self._held(room)
        room.members -= 1
        mailbox = self._context.sessions.mailbox(account)
        if mailbox is not None:
            membership = mailbox.memberships.get(room.name)
            if membership is not None and membership.room == room.id:
                mailbox.remove_membership(room.name)
                self._context.positions.discard(membership.state)
            for session in mailbox.all_sessions:
                subscription = session.following(room.name)
                if subscription is not None and subscription.live_log.log == room.log:
                    session.unsubscribe(room.name)
                    session.peer.left(room.display_name, reason, note, until)
        if deleted:
            self._evict(room)

    async def kick(self, session: Session, name: str, other: str) -> None:
        """Remove a member from a room, or withdraw an invitation.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownMember`.
        """

        async def attempt(
            room: Room,
        ) -> tuple[list[Change], tuple[Stored[MemberRecord], bool] | None]:
            role = await self.role(session, room)
            member, invitation = await gather(
                self._documents.get(MemberRecord, other, room.scope),
                self._documents.get(InvitationRecord, other, room.scope),
            )
            other_role = "" if invitation is None else INVITED
            if member is not None:
                other_role = room.record.member_role(member.record.account)
            check_not_deleted(session.mailbox.deleted)
            check_kick(room, role, other, other_role)
            if member is None:
                return [
                    changes.require(room.stored),
                    changes.delete_any(InvitationRecord, other, room.scope),
                    changes.delete_any(InvitedRecord, room.scope, str(invitation.record.account)),
                ], None
            steps, deleted = await self.leaving(room, member)
            if not deleted:
                steps.append(self._note(session, room, KICK, member.key))
            return [*steps, self._still_member(room, session)], Removal(member, deleted)

        room, removal = await self._change(name, attempt)
        if removal is not None:
            member, deleted = removal
            self.left(room, member.record.account, deleted, "kicked")

    async def delete(self, session: Session, name: str) -> None:
        """Delete a room with its history; operators can restore it for a time.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`.
        """

        async def attempt(room: Room) -> tuple[list[Change], None]:
            check_owner(room, await self.role(session, room))
            return [changes.require(room.stored), *self._deletion(room, session.name)], None

        await self._delete(name, attempt)

    async def delete_by_operator(self, name: str, at_once: bool = False) -> None:
        """Delete any room but the lobby, with its history; `at_once`: it cannot be restored.

        Raises `UnknownRoom`, `NotAllowed`.
        """

        async def attempt(room: Room) -> tuple[list[Change], None]:
            check_delete_room_by_operator(room, room.permanent)
            return [changes.require(room.stored), *self._deletion(room, SERVER, at_once)], None

        await self._delete(name, attempt)

    async def _delete(
        self, name: str, attempt: Callable[[Room], Awaitable[tuple[list[Change], None]]]
    ) -> None:
        room, _ = await self._change(name, attempt)
        self._evict(room)
        members = self._context.sessions.members(room)
        self._being_left.add(room.id)
        try:
            for start in range(0, len(members), _AT_ONCE):
                if start:
                    await self._tasks.sleep(0)
                for account in members[start : start + _AT_ONCE]:
                    self.left(room, account, True, "deleted")
        finally:
            self._being_left.remove(room.id)
