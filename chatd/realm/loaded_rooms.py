"""The rooms in memory, the roles of accounts in them, and the loop by which a room is changed.

Every change is one conditional write: the room's record must be as it was when the change was
permitted, and the rows of the accounts concerned must be there. If they are not, the change is
considered again, as things stand then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from chatd.core.errors import Busy, Conflict, Exists, UnknownRoom
from chatd.core.names import SERVER, room_log, room_name
from chatd.realm import changes
from chatd.realm.context import Context
from chatd.realm.membership import InvitedRecord, MemberRecord
from chatd.realm.permissions import check_not_deleted
from chatd.realm.room import INVITED, Room, RoomRecord
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Change, Update

T = TypeVar("T")

_CACHED = 10_000
"""rooms that may stay in memory although no session follows them"""
_ATTEMPTS = 16


class LoadedRooms:
    """The rooms that this daemon has in memory: all that sessions follow, and others that were used
    recently."""

    def __init__(self, context: Context, tasks: Tasks) -> None:
        self._context = context
        self._tasks = tasks
        self._store = context.store
        self._documents = context.documents
        self._limits = context.limits
        # By the names by which clients know their logs.
        self._rooms: dict[str, Room] = {}
        # The names that each `load` under way will return: their rooms stay in memory.
        self._loading: list[frozenset[str]] = []

    # Loading

    async def load(self, names: Iterable[str]) -> list[Room | None]:
        """Return the rooms of these names, None where there is none. They stay in memory until the
        caller waits for anything else."""
        names = [room_name(name) for name in names]
        if all(name in self._rooms for name in names):
            return [self._rooms[name] for name in names]
        loading = frozenset(names)
        self._loading.append(loading)
        try:
            while not await self._load_missing(names):
                pass
        finally:
            self._loading.remove(loading)
        return [self._rooms.get(name) for name in names]

    async def _load_missing(self, names: Iterable[str]) -> bool:
        """Load the rooms that are not in memory. Returns false if one of them was replaced
        meanwhile by another room of its name, which is not loaded."""
        missing = [name for name in dict.fromkeys(names) if name not in self._rooms]
        documents = self._documents
        records = await gather(*(documents.get(RoomRecord, name) for name in missing))
        found = [stored for stored in records if stored is not None]
        answers = await gather(
            *(
                answer
                for stored in found
                for answer in (
                    # Again, since it may have been deleted meanwhile.
                    documents.get(RoomRecord, stored.key),
                    self._store.head(room_log(stored.record.id)),
                    documents.count(MemberRecord, str(stored.record.id)),
                )
            )
        )
        self._evict_unused()
        complete = True
        for before, stored, head, members in zip(
            found, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            if stored is None or room_name(stored.key) in self._rooms:
                # It was deleted, or another caller has loaded it.
                continue
            if stored.record.id == before.record.id:
                self._add(Room(self._store, stored, head, members))
            else:
                complete = False
        return complete

    def _add(self, room: Room) -> None:
        self._rooms[room.name] = room
        self._context.add_live_log(room)

    def _evict_unused(self) -> None:
        if len(self._rooms) >= _CACHED:
            loading = frozenset[str]().union(*self._loading)
            for room in list(self._rooms.values()):
                if not room.subscriptions and not room.users and room.name not in loading:
                    self._evict(room)

    def _evict(self, room: Room) -> None:
        if self._rooms.get(room.name) is room:
            del self._rooms[room.name]
        self._context.remove_live_log(room.log)

    def _held(self, room: Room) -> Room:
        """The same room as it is in memory now: it may have been evicted and loaded again."""
        held = self._rooms.get(room.name)
        return held if held is not None and held.id == room.id else room

    def loaded(self, name: str) -> Room | None:
        """Return a room, by the name by which clients know its log, if it is in memory; it is if a
        session follows it."""
        return self._rooms.get(name)

    async def room(self, name: str) -> Room:
        """Return the room of that name. Raises `UnknownRoom`."""
        (room,) = await self.load((name,))
        if room is None:
            raise UnknownRoom()
        return room

    async def _current(self, name: str) -> Room | None:
        """The room of that name, as the store has it now; None if there is none."""
        (room,) = await self.load((name,))
        if room is None:
            return None
        with suppress(UnknownRoom):
            return await self._reload(room)
        return None

    async def _reload(self, room: Room) -> Room:
        """The room of the same name, as the store has it now. Raises `UnknownRoom`."""
        stored = await self._documents.get(RoomRecord, room.name)
        if stored is None or stored.record.id != room.id:
            self._evict(room)
            return await self.room(room.name)
        if stored.version > room.stored.version:
            room.stored = stored
        return room

    async def role(self, session: Session, room: Room) -> str:
        """The role of an account in a room, empty if it has none. Raises `NotLoggedIn` if the
        account has been deleted."""
        check_not_deleted(session.mailbox.deleted)
        role = self._own_role(session, room)
        if role:
            return role
        invited = await self._documents.get(InvitedRecord, room.scope, str(session.account))
        return "" if invited is None else INVITED

    def _own_role(self, session: Session, room: Room) -> str:
        """The role of an account in a room that it is a member of, empty if it is not."""
        membership = session.mailbox.memberships.get(room.name)
        if membership is None or membership.room != room.id:
            return ""
        return room.record.member_role(session.account)

    def member_role(self, session: Session, name: str) -> str:
        """The role of an account in a room that it is a member of, empty if it is not."""
        room = self._rooms.get(name)
        return "" if room is None else self._own_role(session, room)

    # Changing

    def _note(self, session: Session, room: Room, kind: str, body: str) -> Change:
        """An entry of a room about what the account of a session changes in it, to be stored with
        the change."""
        return self._context.new_note(room.log, session.name, session.account, kind, body)

    def _note_of_operator(self, room: Room, kind: str, body: str) -> Change:
        """An entry of a room about what an operator changes in it, to be stored with the change."""
        return self._context.new_note(room.log, SERVER, 0, kind, body)

    def _still_member(self, room: Room, session: Session) -> Change:
        """The condition that the account of a session is still a member."""
        return changes.require_any(MemberRecord, session.name, room.scope)

    async def _change(
        self, name: str, attempt: Callable[[Room], Awaitable[tuple[list[Change], T]]]
    ) -> tuple[Room, T]:
        """Make the changes that `attempt` returns for the room, again if the store refuses them.

        Returns the room, and what `attempt` returned beside the changes. Raises `UnknownRoom`,
        `Busy`, and what `attempt` does.
        """
        room = await self.room(name)
        for remaining in reversed(range(_ATTEMPTS)):
            room.users += 1
            stored = room.stored
            try:
                try:
                    steps, result = await attempt(room)
                    if steps:
                        # The record that `attempt` has decided by may not be the one it changes.
                        if room.stored is not stored:
                            raise Conflict()
                        self.written(steps, await self._documents.write(steps))
                    return room, result
                except (Conflict, Exists):
                    if not remaining:
                        raise Busy() from None
                current = await self._reload(room)
            finally:
                room.users -= 1
            room = current
        raise Busy()

    def written(self, steps: Sequence[Change], versions: Sequence[int]) -> None:
        """Changes have been written: rooms in memory have the records that were among them."""
        for step, version in zip(steps, versions, strict=True):
            if isinstance(step, Update) and step.kind == RoomRecord.document_kind:
                room = self._rooms.get(room_name(step.key))
                record = msgspec.msgpack.decode(step.body, type=RoomRecord)
                if room is not None and room.id == record.id and version > room.stored.version:
                    room.stored = changes.written(record, step, version)
