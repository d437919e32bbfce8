"""Who is in which room: making rooms, joining, leaving, inviting, and all that changes one.

The room's document decides who is a member; the account's own note of its places
(`chatd.realm.mailbox.ReadState`) says where it goes on reading, and is written first, so that it
never lacks a room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from chatd.core.entries import ACCESS, JOIN, KICK, LEAVE, ROLE, TOPIC, Cursor
from chatd.core.errors import (
    Conflict,
    Exists,
    LimitReached,
    RoomTaken,
    TopicTooLong,
    UnknownRole,
    UnknownRoom,
)
from chatd.core.names import LOBBY, check_room_name, room_log
from chatd.realm.ack_session import AckSession
from chatd.realm.context import Context
from chatd.realm.mailbox import Mailbox, RoomPosition
from chatd.realm.permissions import (
    check_invite,
    check_join,
    check_kick,
    check_owner,
    check_role,
    check_seen,
    check_topic,
    is_eternal,
    may_see,
)
from chatd.realm.room import MEMBER, MODERATOR, OWNER, ROOM, Room, RoomRecord
from chatd.realm.room_updates import change
from chatd.realm.tasks import gather
from chatd.stores import Document

_ATTEMPTS = 16
_CACHED = 10_000


class Rooms:
    """All rooms. Every method that changes one has been stored when it returns."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store
        self._limits = context.limits
        self._rooms: dict[str, Room] = {}

    async def start(self) -> None:
        """See to it that there is a lobby."""
        try:
            await self._store.create(
                ROOM, LOBBY, msgspec.msgpack.encode(RoomRecord(self._context.now(), ""))
            )
        except Exists:
            return

    async def load(self, names: Iterable[str]) -> list[Room | None]:
        """The rooms of these names, None where there is none."""
        logs = [room_log(name) for name in names]
        missing = [log for log in dict.fromkeys(logs) if log not in self._rooms]
        if missing:
            questions = [
                answer
                for log in missing
                for answer in (self._store.get(ROOM, log), self._store.head(log))
            ]
            answers = await gather(*questions)
            for document, head in zip(answers[::2], answers[1::2], strict=True):
                if document is not None:
                    self._keep(document, head)
        return [self._rooms.get(log) for log in logs]

    def _keep(self, document: Document, head: int) -> None:
        log = room_log(document.key)
        # Whoever else asked may have been quicker.
        if log not in self._rooms:
            if len(self._rooms) >= _CACHED:
                for other in list(self._rooms.values()):
                    if not other.subscriptions and not other.pinned:
                        self._forget(other.log)
            self._rooms[log] = room = Room(self._store, document, head)
            self._context.add_live_log(room)

    def _forget(self, log: str) -> None:
        self._rooms.pop(log, None)
        self._context.remove_live_log(log)

    def loaded(self, log: str) -> Room | None:
        """A room that is known already: that of anyone's reading is."""
        return self._rooms.get(log)

    async def room(self, name: str) -> Room:
        """The room of that name. Raises `UnknownRoom`."""
        (room,) = await self.load((name,))
        if room is None:
            raise UnknownRoom()
        return room

    # In and out

    async def create(self, session: AckSession, name: str, topic: str, private: bool) -> Room:
        """Make a room, with its maker as the owner. Raises `IllegalRoom`, `RoomTaken`,
        `TopicTooLong`, `LimitReached`."""
        check_room_name(name)
        self._check_topic(topic)
        mailbox = session.mailbox
        self._check_places(mailbox)
        key = session.name.lower()
        record = RoomRecord(self._context.now(), key, topic, private, {key: session.name})
        log = room_log(name)
        if await self._store.get(ROOM, name) is not None:
            raise RoomTaken()
        former = mailbox.read_state.places.get(log)
        mailbox.read_state.places[log] = RoomPosition(record.created, Cursor(), 0)
        try:
            await mailbox.kept()
            await self._store.create(ROOM, name, msgspec.msgpack.encode(record))
        except BaseException as error:
            if former is None:
                mailbox.read_state.places.pop(log, None)
            else:
                mailbox.read_state.places[log] = former
            mailbox.keep_soon()
            if isinstance(error, Exists):
                raise RoomTaken() from None
            raise
        room = await self.room(name)
        self._enter(room, session)
        self._context.note(room.log, session.name, JOIN, "")
        return room

    async def join(self, session: AckSession, name: str) -> Room:
        """Become a member, or find out that one is. Raises `UnknownRoom`, `LimitReached`."""
        room = await self.room(name)
        check_join(room, session.name)
        mailbox = session.mailbox
        if session.name.lower() in room.record.members and room.log in mailbox.read_state.places:
            return room
        self._check_places(mailbox)
        if len(room.record.members) >= self._limits.members:
            raise LimitReached(
                f"{room.name} has {self._limits.members} members, the most there can be"
            )
        place = RoomPosition(room.record.created, Cursor(room.head), room.head)
        mailbox.read_state.places[room.log] = place
        room.pinned += 1
        try:
            await mailbox.kept()
            await change(
                self._store,
                room,
                partial(check_join, room, session.name),
                lambda record: record.with_member(session.name),
            )
        except BaseException:
            mailbox.read_state.places.pop(room.log, None)
            mailbox.keep_soon()
            raise
        finally:
            room.pinned -= 1
        # A login in between may have thought that this place was of a former membership.
        mailbox.read_state.places.setdefault(room.log, place)
        mailbox.keep_soon()
        self._enter(room, session)
        self._context.note(room.log, session.name, JOIN, "")
        return room

    def _enter(self, room: Room, session: AckSession) -> None:
        for each in self._context.following(session.name):
            each.enter(room)
            if each is not session:
                each.peer.joined(room.log)

    async def leave(self, name: str, room_name: str) -> None:
        """Be no member any more. Raises `UnknownRoom`, `NotAMember`."""
        room = await self.room(room_name)
        check = partial(check_role, room, name, MEMBER)
        check()
        await self._remove(room, name, check, LEAVE, name, "", "left")

    async def kick(self, name: str, room_name: str, other: str) -> None:
        """Put a member out, or take an invitation back. Raises `UnknownRoom`, `NotAMember`,
        `NotAllowed`, `UnknownMember`."""
        room = await self.room(room_name)
        check_kick(room, name, other)
        key = other.lower()
        shown = room.record.members.get(key)
        if shown is None:
            await change(
                self._store,
                room,
                partial(check_kick, room, name, other),
                lambda record: record.without(other),
            )
        else:
            await self._remove(
                room, other, partial(check_kick, room, name, other), KICK, name, shown, "kicked"
            )

    async def _remove(
        self,
        room: Room,
        name: str,
        check: Callable[[], object],
        kind: str,
        sender: str,
        body: str,
        reason: str,
    ) -> None:
        last = not is_eternal(room) and list(room.record.members) == [name.lower()]
        if last:
            await self._delete(room, reason)
            return
        await change(self._store, room, check, lambda record: record.without(name))
        self._put_out(room, name, reason)
        self._context.note(room.log, sender, kind, body)

    def _put_out(self, room: Room, name: str, reason: str) -> None:
        for session in self._context.following(name):
            session.mailbox.read_state.places.pop(room.log, None)
            session.mailbox.keep_soon()
            session.quit(room.log)
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
        members = list(room.record.members)
        for _ in range(_ATTEMPTS):
            try:
                await gather(
                    self._store.delete(ROOM, room.log, room.version), self._store.drop(room.log)
                )
                break
            except Conflict:
                document = await self._store.get(ROOM, room.log)
                if document is None:
                    break
                room.update(
                    document.version, msgspec.msgpack.decode(document.body, type=RoomRecord)
                )
        self._forget(room.log)
        for member in members:
            self._put_out(room, member, reason)
        if is_eternal(room):
            await self.start()

    def _check_places(self, mailbox: Mailbox) -> None:
        if len(mailbox.read_state.places) >= self._limits.rooms:
            raise LimitReached(f"an account can be in {self._limits.rooms} rooms at most")

    # What changes a room

    def _check_topic(self, topic: str) -> None:
        if len(topic) > self._limits.topic:
            raise TopicTooLong(
                f"topic too long: {len(topic)} characters, the limit is {self._limits.topic}"
            )

    async def set_topic(self, name: str, room_name: str, topic: str) -> None:
        """Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `TopicTooLong`."""
        room = await self.room(room_name)
        check_topic(room, name)
        self._check_topic(topic)
        await change(
            self._store,
            room,
            partial(check_topic, room, name),
            lambda record: msgspec.structs.replace(record, topic=topic),
        )
        self._context.note(room.log, name, TOPIC, topic)

    async def set_private(self, name: str, room_name: str, private: bool) -> None:
        """Raises `UnknownRoom`, `NotAMember`, `NotAllowed`."""
        room = await self.room(room_name)
        check_owner(room, name)
        await change(
            self._store,
            room,
            partial(check_owner, room, name),
            lambda record: msgspec.structs.replace(record, private=private),
        )
        self._context.note(room.log, name, ACCESS, "private" if private else "public")

    async def invite(self, name: str, room_name: str, other: str) -> str | None:
        """Let somebody join. Gives their name if they are to be told, None if they are a member
        already.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownAccount`, `LimitReached`."""
        room = await self.room(room_name)
        check_invite(room, name)
        other = await self._context.accounts.display_name(other)
        key = other.lower()
        if key in room.record.members:
            return None
        if len(room.record.invited) >= self._limits.members:
            raise LimitReached(f"{room.name} has {self._limits.members} invitations open")
        if key not in room.record.invited:
            await change(
                self._store,
                room,
                partial(check_invite, room, name),
                lambda record: msgspec.structs.replace(
                    record, invited={**record.invited, key: other}
                ),
            )
        return other

    async def set_role(self, name: str, room_name: str, other: str, role: str) -> None:
        """Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownMember`, `UnknownRole`."""
        if role not in (OWNER, MODERATOR, MEMBER):
            raise UnknownRole(f"a role is {OWNER}, {MODERATOR} or {MEMBER}, not {role!r}")
        room = await self.room(room_name)
        check_owner(room, name, other)
        if room.record.owner == other.lower():
            if role != OWNER:
                raise UnknownRole("an owner makes another member the owner first")
            return

        await change(
            self._store,
            room,
            partial(check_owner, room, name, other),
            lambda record: record.with_role(other, role),
        )
        self._context.note(room.log, name, ROLE, f"{room.record.members[other.lower()]} {role}")

    # Looking

    async def find(
        self, name: str | None, pattern: str, after: str, limit: int
    ) -> tuple[list[Room], bool, str]:
        """Rooms whose names match a glob, in alphabetical order, that `name` may see (None: all of
        them); whether there may be more, and the name to go on from."""
        names = await self._store.page(ROOM, pattern, after, limit)
        rooms = [room for room in await self.load(names) if room is not None]
        shown = [room for room in rooms if name is None or may_see(room, name)]
        return shown, len(names) == limit, names[-1] if names else after

    async def members(
        self, name: str, room_name: str, after: str, limit: int
    ) -> tuple[list[tuple[str, str]], bool]:
        """(name, role) of the members, and to moderators of those invited, in alphabetical order;
        and whether there are more. Raises `UnknownRoom`, `NotAMember`."""
        room = await self.room(room_name)
        check_seen(room, name)
        record = room.record
        if record.private:
            check_role(room, name, MEMBER)
        everyone = dict(record.members)
        if record.role(name) in (OWNER, MODERATOR):
            everyone.update(record.invited)
        keys = sorted(key for key in everyone if key > after.lower())
        return [(everyone[key], record.role(key)) for key in keys[:limit]], len(keys) > limit
