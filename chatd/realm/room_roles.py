"""Roles of members, set by owners, their deputies and operators.

The owner can do everything in its room. Its deputies can do the same, except for deleting the room
and making owners and deputies.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.core.entries import ROLE
from chatd.core.errors import UnknownRole
from chatd.realm import changes
from chatd.realm.loaded_rooms import LoadedRooms
from chatd.realm.membership import MemberRecord
from chatd.realm.permissions import (
    check_not_deleted,
    check_set_role,
    check_set_role_by_operator,
)
from chatd.realm.room import OWNER, ROLES, Room
from chatd.realm.session import Session
from chatd.stores import Change, RequireSpace


class RoomRoles(LoadedRooms):
    """Giving members other roles."""

    async def set_role(self, session: Session, name: str, member: str, role: str) -> None:
        """Set the role of a member.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownMember`, `UnknownRole`.
        """
        _check_role(role)

        async def attempt(room: Room) -> tuple[list[Change], str]:
            requester_role = await self.role(session, room)

            def check(member_role: str) -> None:
                check_not_deleted(session.mailbox.deleted)
                check_set_role(room, requester_role, member, member_role, role)

            def more(shown: str) -> list[Change]:
                note = self._note(session, room, ROLE, f"{shown} {role}")
                space = RequireSpace(room.log, session.account)
                return [self._still_member(room, session), space, note]

            return await self._role_changes(room, member, role, check, more)

        await self._change(name, attempt)

    async def set_role_by_operator(self, name: str, member: str, role: str) -> tuple[Room, str]:
        """Set the role of a member of any room. Returns the room, and the member's name as first
        written.

        Raises `UnknownRoom`, `NotAllowed`, `UnknownMember`, `UnknownRole`.
        """
        _check_role(role)

        async def attempt(room: Room) -> tuple[list[Change], str]:
            def check(member_role: str) -> None:
                check_set_role_by_operator(room, room.permanent, member, member_role, role)

            def more(shown: str) -> list[Change]:
                return [self._note_of_operator(room, ROLE, f"{shown} {role}")]

            return await self._role_changes(room, member, role, check, more)

        return await self._change(name, attempt)

    async def _role_changes(
        self,
        room: Room,
        member: str,
        role: str,
        check: Callable[[str], None],
        more: Callable[[str], list[Change]],
    ) -> tuple[list[Change], str]:
        """The changes that give a member another role, if `check` permits it for the present one,
        and the member's name as first written; none if it has that role. `more` gives those to be
        made with them, for that name."""
        row = await self._documents.get(MemberRecord, member, room.scope)
        record = room.record
        member_role = "" if row is None else record.member_role(row.record.account)
        check(member_role)
        assert row is not None
        if member_role == role:
            return [], row.key
        if member_role == OWNER:
            raise UnknownRole(
                f"{row.key} owns {room.display_name}: make another member the owner first."
            )
        return [
            changes.update(room.stored, record.with_role(row.record.account, row.key, role)),
            changes.require(row),
            *more(row.key),
        ], row.key


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise UnknownRole(f"a role is {', '.join(ROLES[:-1])} or {ROLES[-1]}, not {role!r}")
