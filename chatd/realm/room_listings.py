"""Finding rooms, and listing the members of a room, page by page."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.core.glob import first_place, is_past, matcher
from chatd.realm.loaded_rooms import LoadedRooms
from chatd.realm.membership import InvitationRecord, InvitedRecord, MemberRecord
from chatd.realm.permissions import (
    check_list_members,
    check_not_deleted,
    is_moderator,
    may_list_room,
)
from chatd.realm.requester import OPERATOR, examine
from chatd.realm.room import INVITED, Room, RoomRecord
from chatd.realm.session import Session
from chatd.realm.tasks import gather
from chatd.stores import SCAN_LIMIT

_FOUND_AT_ONCE = 200
"""rooms that are looked at together while a page is filled up"""
_HIDDEN_PER_COMMAND = 10
"""rooms that are looked at and not shown that count as one command"""


class RoomListings(LoadedRooms):
    """What accounts can find: rooms, and their members."""

    async def find(
        self, session: Session | None, pattern: str, after: str, limit: int
    ) -> tuple[list[tuple[Room, str]], bool, str]:
        """Return the rooms whose names match a glob and are greater than `after`, and the role of
        the account of `session` in each of them.

        They are in alphabetical order, and those that the account may see, all of them for None.
        Also returns whether there may be more, and the name to continue after. Neither depends on
        rooms that the account may not see. The names that are compared with the glob count against
        the rate of the session. Raises `PatternTooLong`, `Disconnected`.
        """
        self._context.accounts.check_pattern(pattern)
        matches = matcher(pattern)
        requester = OPERATOR if session is None else session
        found: list[tuple[Room, str]] = []
        at, size = first_place(pattern, after), limit
        while len(found) < limit:
            names = await self._documents.page(RoomRecord, "*", at, size)
            examine(requester, len(names))
            matching = list(filter(matches, names))
            rooms = [room for room in await self.load(matching) if room is not None]
            visible = await self._visible(session, rooms)
            found += visible
            if len(names) < size or is_past(pattern, names[-1]):
                break
            at, size = names[-1], _FOUND_AT_ONCE
        del found[limit:]
        return found, len(found) == limit, found[-1][0].display_name if found else after

    async def _visible(
        self, session: Session | None, rooms: Sequence[Room]
    ) -> list[tuple[Room, str]]:
        """Those of `rooms` that listings have for the account of a session, with its roles; all for
        None. The others count against the rate of the session."""
        if session is None or not rooms:
            return [(room, "") for room in rooms]
        roles = await self._roles(session, rooms)
        visible = [
            (room, role)
            for room, role in zip(rooms, roles, strict=True)
            if may_list_room(room, role)
        ]
        session.charge((len(rooms) - len(visible)) / _HIDDEN_PER_COMMAND)
        return visible

    async def members(
        self, session: Session, name: str, after: str, limit: int
    ) -> tuple[list[tuple[str, str]], bool]:
        """Return (name, role) of the members, and for moderators also of the invited accounts.

        They are in alphabetical order; also returns whether there are more. Raises `UnknownRoom`,
        `NotAMember`.
        """
        room = await self.room(name)
        role = await self.role(session, room)
        check_list_members(room, role)
        members, invitations = await gather(
            self._documents.scan(MemberRecord, room.scope, after, limit + 1),
            self._documents.scan(
                InvitationRecord, room.scope, after, limit + 1 if is_moderator(role) else 0
            ),
        )
        listed = [(row.key, room.record.member_role(row.record.account)) for row in members]
        listed += [(row.key, INVITED) for row in invitations]
        listed.sort(key=lambda item: item[0].lower())
        return listed[:limit], len(listed) > limit

    async def _roles(self, session: Session, rooms: Sequence[Room]) -> list[str]:
        """The roles of an account in several rooms, as `role` gives them, by one question to the
        store; by one for each room if the account has very many invitations."""
        account = str(session.account)
        rows = await self._documents.scan(InvitedRecord, account)
        invited = {row.key for row in rows}
        if len(rows) == SCAN_LIMIT:
            answers = await gather(
                *(self._documents.get(InvitedRecord, room.scope, account) for room in rooms)
            )
            invited = {row.key for row in answers if row is not None}
        check_not_deleted(session.mailbox.deleted)
        return [
            self._own_role(session, room) or (INVITED if room.scope in invited else "")
            for room in rooms
        ]
