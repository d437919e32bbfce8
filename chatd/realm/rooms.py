"""Rooms: creating, joining, leaving, inviting, kicking, roles, topic and access.

The room's document decides who is a member. The account's own record of its position in the room
(`chatd.realm.read_state.RoomPosition`) says from where it continues to read. It is stored before
the membership, so that no member lacks a position.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import msgspec

from chatd.core.entries import ACCESS, INVITE, JOIN, KICK, LEAVE, ROLE, TOPIC, Cursor
from chatd.core.errors import (
    Exists,
    RoomTaken,
    TopicTooLong,
    UnknownRole,
    UnknownRoom,
)
from chatd.core.names import LOBBY, check_room_name, room_log
from chatd.realm.ack_session import AckSession
from chatd.realm.context import Context
from chatd.realm.documents import Stored
from chatd.realm.permissions import (
    check_invitation_count,
    check_invite,
    check_join,
    check_kick,
    check_list_members,
    check_member,
    check_moderator,
    check_owner,
    check_room_count,
    check_set_role,
    is_moderator,
    may_see_room,
)
from chatd.realm.read_state import RoomPosition
from chatd.realm.room import MEMBER, MODERATOR, OWNER, Room, RoomFacts, RoomRecord
from chatd.realm.room_updates import update_room
from chatd.realm.tasks import gather

_CACHED = 10_000
"""rooms that may stay in memory although no session follows them"""


class Rooms:
    """All rooms. What a method changes has been stored when it returns."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store
        self._documents = context.documents
        self._limits = context.limits
        self._rooms: dict[str, Room] = {}

    async def start(self) -> None:
        """Create the lobby unless there is one."""
        try:
            await self._documents.create(LOBBY, RoomRecord(self._context.now(), ""))
        except Exists:
            return

    # Loading

    async def load(self, names: Iterable[str]) -> list[Room | None]:
        """Return the rooms of these names, None where there is none."""
        logs = [room_log(name) for name in names]
        missing = [log for log in dict.fromkeys(logs) if log not in self._rooms]
        if missing:
            answers = await gather(
                *(
                    answer
                    for log in missing
                    for answer in (self._documents.get(RoomRecord, log), self._store.head(log))
                )
            )
            for stored, head in zip(answers[::2], answers[1::2], strict=True):
                if stored is not None:
                    self._add(stored, head)
        return [self._rooms.get(log) for log in logs]

    def _add(self, stored: Stored[RoomRecord], head: int) -> None:
        log = room_log(stored.key)
        # Another caller may have loaded it meanwhile.
        if log not in self._rooms:
            if len(self._rooms) >= _CACHED:
                for other in list(self._rooms.values()):
                    if not other.subscriptions and not other.pending_joins:
                        self._evict(other.log)
            self._rooms[log] = room = Room(self._store, stored, head)
            self._context.add_live_log(room)

    def _evict(self, log: str) -> None:
        self._rooms.pop(log, None)
        self._context.remove_live_log(log)

    def loaded(self, log: str) -> Room | None:
        """Return a room if it is in memory; it is if a session follows it."""
        return self._rooms.get(log)

    async def room(self, name: str) -> Room:
        """Return the room of that name. Raises `UnknownRoom`."""
        (room,) = await self.load((name,))
        if room is None:
            raise UnknownRoom()
        return room

    async def _update(
        self,
        room: Room,
        check: Callable[[RoomFacts], object],
        change: Callable[[RoomRecord], RoomRecord],
    ) -> None:
        await update_room(self._store, room, check, change)

    # Members

    async def create(self, session: AckSession, name: str, topic: str, private: bool) -> Room:
        """Create a room whose owner is the account of `session`.

        Raises `IllegalRoom`, `RoomTaken`, `TopicTooLong`, `LimitReached`.
        """
        check_room_name(name)
        self._check_topic_length(topic)
        check_room_count(len(session.mailbox.read_state.positions), self._limits)
        if await self._documents.get(RoomRecord, name) is not None:
            raise RoomTaken()
        key = session.name.lower()
        record = RoomRecord(self._context.now(), key, topic, private, {key: session.name})
        position = RoomPosition(record.created, Cursor(), 0)
        try:
            await self._become_member(
                session, room_log(name), position, lambda: self._documents.create(name, record)
            )
        except Exists:
            raise RoomTaken() from None
        room = await self.room(name)
        self._subscribe(room, session)
        self._context.note(room.log, session.name, JOIN, "")
        return room

    async def join(self, session: AckSession, name: str) -> Room:
        """Make the account of `session` a member of a room, unless it is one.

        Raises `UnknownRoom`, `LimitReached`.
        """
        room = await self.room(name)
        check_join(room, session.name, self._limits)
        positions = session.mailbox.read_state.positions
        if session.name.lower() in room.record.members and room.log in positions:
            return room
        check_room_count(len(positions), self._limits)
        position = RoomPosition(room.record.created, Cursor(room.head), room.head)
        room.pending_joins += 1
        try:
            await self._become_member(
                session,
                room.log,
                position,
                lambda: self._update(
                    room,
                    lambda facts: check_join(facts, session.name, self._limits),
                    lambda record: record.with_member(session.name),
                ),
            )
        finally:
            room.pending_joins -= 1
        self._subscribe(room, session)
        self._context.note(room.log, session.name, JOIN, "")
        return room

    async def _become_member(
        self,
        session: AckSession,
        log: str,
        position: RoomPosition,
        store_membership: Callable[[], Awaitable[object]],
    ) -> None:
        """Store the account's position in a room and then its membership; neither if one fails."""
        mailbox = session.mailbox
        former = mailbox.read_state.positions.get(log)
        mailbox.read_state.positions[log] = position
        try:
            await mailbox.saved_state.saved()
            await store_membership()
        except BaseException:
            if former is None:
                mailbox.read_state.positions.pop(log, None)
            else:
                mailbox.read_state.positions[log] = former
            mailbox.saved_state.save_soon()
            raise
        # A login meanwhile may have removed it, as the position of a former membership.
        mailbox.read_state.positions.setdefault(log, position)
        mailbox.saved_state.save_soon()

    def _subscribe(self, room: Room, session: AckSession) -> None:
        """Have all sessions of an account, which has joined with `session`, follow a room."""
        for other in self._context.sessions.ack_sessions(session.name):
            other.subscribe(room)
            if other is not session:
                other.peer.joined(room.log)

    async def leave(self, name: str, room_name: str) -> None:
        """Leave a room. Raises `UnknownRoom`, `NotAMember`."""
        room = await self.room(room_name)

        def check(facts: RoomFacts) -> None:
            check_member(facts, name)

        check(room)
        await self._remove_member(room, name, check, "left", LEAVE, name, "")

    async def kick(self, name: str, room_name: str, other: str) -> None:
        """Remove a member from a room, or withdraw an invitation.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownMember`.
        """
        room = await self.room(room_name)

        def check(facts: RoomFacts) -> None:
            check_kick(facts, name, other)

        check(room)
        member = room.record.members.get(other.lower())
        if member is None:
            await self._update(room, check, lambda record: record.without(other))
        else:
            await self._remove_member(room, other, check, "kicked", KICK, name, member)

    async def _remove_member(
        self,
        room: Room,
        name: str,
        check: Callable[[RoomFacts], object],
        reason: str,
        kind: str,
        sender: str,
        body: str,
    ) -> None:
        """Remove a member, notify its sessions of the `reason`, and append an entry."""
        if not room.permanent and list(room.record.members) == [name.lower()]:
            await self._delete(room, reason)
            return
        await self._update(room, check, lambda record: record.without(name))
        self._unsubscribe(room, name, reason)
        self._context.note(room.log, sender, kind, body)

    def _unsubscribe(self, room: Room, name: str, reason: str) -> None:
        """Have all sessions of an account, which is no longer a member, stop following a room."""
        for session in self._context.sessions.ack_sessions(name):
            session.mailbox.read_state.positions.pop(room.log, None)
            session.mailbox.saved_state.save_soon()
            session.unsubscribe(room.log)
            session.peer.left(room.name, reason)

    async def delete(self, name: str, room_name: str) -> None:
        """Delete a room with its history. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`."""
        room = await self.room(room_name)
        check_owner(room, name)
        await self._delete(room, "deleted")

    async def delete_by_operator(self, room_name: str) -> None:
        """Delete any room with its history. Raises `UnknownRoom`."""
        await self._delete(await self.room(room_name), "deleted")

    async def _delete(self, room: Room, reason: str) -> None:
        # The key of the room's document is the log's name, so the store deletes it with the log.
        await self._store.drop(room.log)
        self._evict(room.log)
        for member in list(room.record.members):
            self._unsubscribe(room, member, reason)
        if room.permanent:
            await self.start()

    # The room's record

    def _check_topic_length(self, topic: str) -> None:
        if len(topic) > self._limits.topic:
            raise TopicTooLong(
                f"topic too long: {len(topic)} characters, the limit is {self._limits.topic}"
            )

    async def set_topic(self, name: str, room_name: str, topic: str) -> None:
        """Set the topic. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `TopicTooLong`."""
        room = await self.room(room_name)
        check_moderator(room, name)
        self._check_topic_length(topic)
        await self._update(
            room,
            lambda facts: check_moderator(facts, name),
            lambda record: msgspec.structs.replace(record, topic=topic),
        )
        self._context.note(room.log, name, TOPIC, topic)

    async def set_private(self, name: str, room_name: str, private: bool) -> None:
        """Make a room private or public. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`."""
        room = await self.room(room_name)
        await self._update(
            room,
            lambda facts: check_owner(facts, name),
            lambda record: msgspec.structs.replace(record, private=private),
        )
        self._context.note(room.log, name, ACCESS, "private" if private else "public")

    async def invite(self, session: AckSession, room_name: str, name: str) -> None:
        """Invite an account to a room and notify it, unless it is a member.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownAccount`, `Blocked`,
        `LimitReached`.
        """
        log = await self._context.accounts.reachable_log(name, session.name)
        room = await self.room(room_name)
        check_invite(room, session.name)
        name = await self._context.accounts.display_name(name)
        key = name.lower()
        if key in room.record.members:
            return
        check_invitation_count(room, self._limits)
        if key not in room.record.invited:
            await self._update(
                room,
                lambda facts: check_invite(facts, session.name),
                lambda record: record.with_invitation(name),
            )
        self._context.note(log, session.name, INVITE, room.name)

    async def set_role(self, name: str, room_name: str, member: str, role: str) -> None:
        """Set the role of a member.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownMember`, `UnknownRole`.
        """
        if role not in (OWNER, MODERATOR, MEMBER):
            raise UnknownRole(f"a role is {OWNER}, {MODERATOR} or {MEMBER}, not {role!r}")
        room = await self.room(room_name)
        check_set_role(room, name, member)
        if room.record.owner == member.lower():
            if role != OWNER:
                raise UnknownRole(f"You own {room.name}: make another member the owner first.")
            return
        await self._update(
            room,
            lambda facts: check_set_role(facts, name, member),
            lambda record: record.with_role(member, role),
        )
        self._context.note(room.log, name, ROLE, f"{room.record.members[member.lower()]} {role}")

    # Finding

    async def find(
        self, name: str | None, pattern: str, after: str, limit: int
    ) -> tuple[list[Room], bool, str]:
        """Return the rooms whose names match a glob and are greater than `after`.

        They are in alphabetical order, and those that the account `name` may see, all of them for
        None. Also returns whether there may be more, and the name to continue after. Raises
        `PatternTooLong`.
        """
        self._context.accounts.check_pattern(pattern)
        names = await self._documents.page(RoomRecord, pattern, after, limit)
        rooms = [
            room
            for room in await self.load(names)
            if room is not None and (name is None or may_see_room(room, name))
        ]
        return rooms, len(names) == limit, names[-1] if names else after

    async def members(
        self, name: str, room_name: str, after: str, limit: int
    ) -> tuple[list[tuple[str, str]], bool]:
        """Return (name, role) of the members, and for moderators also of the invited accounts.

        They are in alphabetical order; also returns whether there are more. Raises `UnknownRoom`,
        `NotAMember`.
        """
        room = await self.room(room_name)
        check_list_members(room, name)
        record = room.record
        names = dict(record.members)
        if is_moderator(room, name):
            names.update(record.invited)
        keys = sorted(key for key in names if key > after.lower())
        return [(names[key], record.role(key)) for key in keys[:limit]], len(keys) > limit
