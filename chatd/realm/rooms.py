"""Rooms: creating, finding, joining, leaving, inviting, kicking, roles, topic and access.

Every change is one conditional write: the room's record must be as it was when the change was
permitted, and the rows of the accounts concerned must be there. If they are not, the change is
considered again, as things stand then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

import msgspec

from chatd.core.entries import ACCESS, HISTORY, INVITE, JOIN, KICK, LEAVE, ROLE, TOPIC, Cursor
from chatd.core.errors import (
    BadRequest,
    Busy,
    Conflict,
    Exists,
    RoomTaken,
    TopicTooLong,
    UnknownAccount,
    UnknownRole,
    UnknownRoom,
)
from chatd.core.names import LOBBY, check_room_name, mailbox_log, room_log, room_name
from chatd.realm import changes
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.documents import Stored
from chatd.realm.membership import (
    InvitationRecord,
    InvitedRecord,
    MemberRecord,
    Membership,
    MembershipRecord,
)
from chatd.realm.permissions import (
    check_invitation_count,
    check_invite,
    check_join,
    check_kick,
    check_list_members,
    check_member,
    check_moderator,
    check_not_deleted,
    check_owner,
    check_room_count,
    check_set_role,
    is_member,
    is_moderator,
    may_see_room,
)
from chatd.realm.positions import SOON
from chatd.realm.room import (
    ALL,
    INVITED,
    JOINED,
    MEMBER,
    MODERATOR,
    OWNER,
    Room,
    RoomRecord,
)
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks, gather
from chatd.stores import (
    SCAN_LIMIT,
    Change,
    CreateLog,
    DropLog,
    Forget,
    Position,
    RequireLog,
    Save,
    Update,
)

T = TypeVar("T")

_CACHED = 10_000
"""rooms that may stay in memory although no session follows them"""
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


class Rooms:
    """All rooms. What a method changes has been stored when it returns."""

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

    async def start(self) -> None:
        """Create the lobby unless there is one."""
        with suppress(Exists):
            await self._documents.write(self._new_lobby())

    def _new_lobby(self) -> list[Change]:
        """The changes that create the lobby."""
        record = RoomRecord(self._context.creation_time(), self._context.new_id())
        return [changes.create(LOBBY, record), CreateLog(room_log(record.id))]

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
            try:
                try:
                    steps, result = await attempt(room)
                    if steps:
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

    async def create(
        self, session: Session, name: str, topic: str, private: bool, history: str = ""
    ) -> Room:
        """Create a room whose owner is the account of `session`.

        `history` is what new members can read: ``all`` or ``joined``; empty: ``joined`` if the
        room is private. Raises `IllegalRoom`, `RoomTaken`, `TopicTooLong`, `BadRequest`,
        `LimitReached`, `NotLoggedIn`.
        """
        check_room_name(name)
        self._check_topic_length(topic)
        _check_history(history or ALL)
        mailbox = session.mailbox
        check_room_count(len(mailbox.memberships), self._limits)
        created, id = self._context.creation_time(), self._context.new_id()
        history = history or (JOINED if private else ALL)
        record = RoomRecord(
            created, id, topic, private, session.account, session.name, history=history
        )
        with self._context.sessions.reserved(mailbox):
            creation = changes.create(name, record)
            try:
                versions = await self._documents.write(
                    [
                        RequireLog(mailbox.log),
                        creation,
                        CreateLog(room_log(id)),
                        *self._member_rows(session, name, record, Cursor()),
                    ]
                )
            except Exists:
                raise RoomTaken() from None
            except Conflict:
                check_not_deleted(True)
            # At once: what is sent to it from now on is for its owner.
            room = Room(self._store, changes.written(record, creation, versions[1]), 0, 1)
            self._evict_unused()
            self._add(room)
            self._joined(room, session, Cursor())
        return room

    def _member_rows(
        self, session: Session, name: str, record: RoomRecord, cursor: Cursor
    ) -> list[Change]:
        """What is stored of a new member of a room."""
        room, account = str(record.id), str(session.account)
        return [
            changes.create(session.name, MemberRecord(session.account, self._context.now()), room),
            changes.create(room, MembershipRecord(name, record.created, cursor.upto), account),
            Save(Position(session.account, room_log(record.id), cursor, cursor.upto)),
        ]

    async def join(self, session: Session, name: str) -> Room:
        """Make the account of `session` a member of a room, unless it is one.

        Raises `UnknownRoom`, `LimitReached`, `NotLoggedIn`.
        """
        mailbox = session.mailbox

        async def attempt(room: Room) -> tuple[list[Change], Cursor | None]:
            role = await self.role(session, room)
            check_join(room, role, room.members, self._limits)
            if is_member(role):
                return [], None
            check_room_count(len(mailbox.memberships), self._limits)
            cursor = Cursor(room.head)
            invited = [changes.require_any(InvitationRecord, session.name, room.scope)]
            return [
                RequireLog(mailbox.log),
                changes.require(room.stored),
                *(invited if room.record.private else ()),
                *self._member_rows(session, room.display_name, room.record, cursor),
                changes.delete_any(InvitationRecord, session.name, room.scope),
                changes.delete_any(InvitedRecord, room.scope, str(session.account)),
            ], cursor

        with self._context.sessions.reserved(mailbox):
            room, cursor = await self._change(name, attempt)
            if cursor is not None:
                room = self._held(room)
                room.members += 1
                self._joined(room, session, cursor)
        return room

    def _joined(self, room: Room, session: Session, cursor: Cursor) -> None:
        """The account of `session` has become a member: all its sessions follow the room from now
        on. `cursor` is what was stored as acknowledged."""
        mailbox = session.mailbox
        if mailbox.deleted:
            return
        membership = Membership(
            mailbox,
            room.id,
            MembershipRecord(room.display_name, room.record.created, cursor.upto),
        )
        # Entries that were committed just before are none of its business.
        membership.state.cursor = Cursor(room.head)
        membership.state.read = room.head
        if room.head > cursor.upto:
            self._context.positions.changed(membership.state, SOON)
        mailbox.add_membership(membership)
        for other in mailbox.sessions:
            former = other.subscriptions.get(room.name)
            if former is not None and former.live_log is not room:
                # It has not been notified yet that the former room of this name is deleted.
                other.unsubscribe(room.name)
                other.peer.left(room.display_name, "deleted")
            other.subscribe(room)
            if other is not session and room.name in other.subscriptions:
                other.peer.joined(room.name)
        self._context.note(room.log, session.name, session.account, JOIN, "")

    # Leaving

    async def leave(self, session: Session, name: str) -> None:
        """Leave a room. Raises `UnknownRoom`, `NotAMember`."""

        async def attempt(room: Room) -> tuple[list[Change], bool]:
            check_member(room, await self.role(session, room))
            member = await self._member(room, session.account, session.name)
            return await self.leaving(room, member)

        with self._context.sessions.reserved(session.mailbox):
            room, deleted = await self._change(name, attempt)
            self.left(room, session.account, deleted, "left")
        if not deleted:
            self._context.note(room.log, session.name, session.account, LEAVE, "")

    async def _member(self, room: Room, account: int, name: str) -> Stored[MemberRecord]:
        """The row of a member, given by its id and name. Raises `Conflict` if it has none."""
        member = await self._documents.get(MemberRecord, name, room.scope)
        if member is None or member.record.account != account:
            raise Conflict()
        return member

    async def leaving(self, room: Room, member: Stored[MemberRecord]) -> tuple[list[Change], bool]:
        """Return the changes that remove a member, and whether they delete the room, because it
        would have no member.

        They withdraw an invitation of the member as well: one that was stored while the account
        joined would let it return to a private room that it was kicked from.
        """
        account = member.record.account
        key = str(account)
        steps: list[Change] = [
            changes.require(room.stored),
            changes.delete(member),
            changes.delete_any(MembershipRecord, room.scope, key),
            changes.delete_any(InvitationRecord, member.key, room.scope),
            changes.delete_any(InvitedRecord, room.scope, key),
            Forget(account, room.log),
        ]
        members = await self._documents.count(MemberRecord, room.scope)
        if members == 1 and not room.permanent:
            return [
                *steps,
                changes.require_none(MemberRecord, room.scope),
                *self._deletion(room),
            ], True
        if not room.permanent:
            steps.append(changes.require_some(MemberRecord, room.scope))
        record = room.record
        if account == record.owner or account in record.moderators:
            successor = await self._successor(room, account)
            id, name = (0, "") if successor is None else (successor.record.account, successor.key)
            steps[0] = changes.update(room.stored, record.without(account, id, name))
            if successor is not None and account == record.owner:
                steps.append(changes.require(successor))
        return steps, False

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
                    leaving, deleted = await self.leaving(room, member)
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
        """The member that would be the owner without `account`: the moderator who joined first, or
        else the member who did; None if there is none."""
        documents, scope = self._documents, room.scope
        moderators = [name for id, name in room.record.moderators.items() if id != account]
        for _ in range(_ATTEMPTS):
            # A listing may have members whose removal is committed while they are read.
            names = moderators or await documents.list(MemberRecord, scope=scope, limit=2)
            rows = await gather(*(documents.get(MemberRecord, name, scope) for name in names))
            others = [row for row in rows if row is not None and row.record.account != account]
            if others:
                first: Stored[MemberRecord] = min(others, key=lambda row: row.record.joined)
                return first
            moderators = []
        return None

    def left(self, room: Room, account: int, deleted: bool, reason: str) -> None:
        """An account is no longer a member of a room, which may be deleted with that."""
        room = self._held(room)
        room.members -= 1
        mailbox = self._context.sessions.mailbox(account)
        if mailbox is not None:
            membership = mailbox.memberships.get(room.name)
            if membership is not None and membership.room == room.id:
                mailbox.remove_membership(room.name)
                self._context.positions.discard(membership.state)
            for session in mailbox.sessions:
                subscription = session.subscriptions.get(room.name)
                if subscription is not None and subscription.live_log.log == room.log:
                    session.unsubscribe(room.name)
                    session.peer.left(room.display_name, reason)
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
            return [*steps, self._still_member(room, session)], Removal(member, deleted)

        room, removal = await self._change(name, attempt)
        if removal is not None:
            member, deleted = removal
            self.left(room, member.record.account, deleted, "kicked")
            if not deleted:
                self._context.note(room.log, session.name, session.account, KICK, member.key)

    def _still_member(self, room: Room, session: Session) -> Change:
        """The condition that the account of a session is still a member."""
        return changes.require_any(MemberRecord, session.name, room.scope)

    async def delete(self, session: Session, name: str) -> None:
        """Delete a room with its history. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`."""

        async def attempt(room: Room) -> tuple[list[Change], None]:
            check_owner(room, await self.role(session, room))
            return [changes.require(room.stored), *self._deletion(room)], None

        await self._delete(name, attempt)

    async def delete_by_operator(self, name: str) -> None:
        """Delete any room with its history. Raises `UnknownRoom`."""

        async def attempt(room: Room) -> tuple[list[Change], None]:
            return [changes.require(room.stored), *self._deletion(room)], None

        await self._delete(name, attempt)

    async def _delete(
        self, name: str, attempt: Callable[[Room], Awaitable[tuple[list[Change], None]]]
    ) -> None:
        room, _ = await self._change(name, attempt)
        self._evict(room)
        members = self._context.sessions.members(room)
        for start in range(0, len(members), _AT_ONCE):
            if start:
                await self._tasks.sleep(0)
            for account in members[start : start + _AT_ONCE]:
                self.left(room, account, True, "deleted")

    def _deletion(self, room: Room) -> list[Change]:
        """The changes that delete a room with all that is stored of it, and create a new lobby in
        its place if it is the lobby."""
        return [
            changes.delete_any(RoomRecord, room.name),
            DropLog(room.log),
            changes.delete_scope(MemberRecord, room.scope),
            changes.delete_key(MembershipRecord, room.scope),
            changes.delete_scope(InvitationRecord, room.scope),
            changes.delete_key(InvitedRecord, room.scope),
            *(self._new_lobby() if room.permanent else ()),
        ]

    # The room's record

    async def _update(
        self,
        session: Session,
        name: str,
        check: Callable[[Room, str], object],
        change: Callable[[RoomRecord], RoomRecord],
    ) -> Room:
        """Store another record of a room, if `check` permits it to a role."""

        async def attempt(room: Room) -> tuple[list[Change], None]:
            check(room, await self.role(session, room))
            return [
                changes.update(room.stored, change(room.record)),
                self._still_member(room, session),
            ], None

        room, _ = await self._change(name, attempt)
        return room

    def _check_topic_length(self, topic: str) -> None:
        if len(topic) > self._limits.topic:
            raise TopicTooLong(
                f"topic too long: {len(topic)} characters, the limit is {self._limits.topic}"
            )

    async def set_topic(self, session: Session, name: str, topic: str) -> None:
        """Set the topic. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `TopicTooLong`."""

        def check(room: Room, role: str) -> None:
            check_moderator(room, role)
            self._check_topic_length(topic)

        room = await self._update(
            session, name, check, lambda record: msgspec.structs.replace(record, topic=topic)
        )
        self._context.note(room.log, session.name, session.account, TOPIC, topic)

    async def set_private(self, session: Session, name: str, private: bool) -> None:
        """Make a room private or public. From when it is private, its new members read what is sent
        after they joined. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`."""

        def change(record: RoomRecord) -> RoomRecord:
            history = JOINED if private else record.shown_history
            return msgspec.structs.replace(record, private=private, history=history)

        room = await self._update(session, name, check_owner, change)
        access = "private" if private else "public"
        self._context.note(room.log, session.name, session.account, ACCESS, access)

    async def set_history(self, session: Session, name: str, history: str) -> None:
        """Set what members can read from before they joined: ``all`` or ``joined``, nothing of it.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `BadRequest`.
        """
        _check_history(history)
        room = await self._update(
            session,
            name,
            check_owner,
            lambda record: msgspec.structs.replace(record, history=history),
        )
        self._context.note(room.log, session.name, session.account, HISTORY, history)

    async def invite(self, session: Session, name: str, invited: str) -> None:
        """Invite an account to a room and notify it, unless it is a member.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownAccount`, `Blocked`,
        `LimitReached`.
        """
        log = await self._context.accounts.reachable_log(invited, session.account)
        shown = await self._context.accounts.display_name(invited)
        documents = self._documents

        async def attempt(room: Room) -> tuple[list[Change], bool]:
            check_invite(room, await self.role(session, room))
            account, member, invitation, count = await gather(
                documents.get(Account, shown),
                documents.get(MemberRecord, shown, room.scope),
                documents.get(InvitationRecord, shown, room.scope),
                documents.count(InvitationRecord, room.scope),
            )
            if account is None or mailbox_log(account.record.id) != log:
                raise UnknownAccount(f"There is no account called {invited}.")
            if member is not None:
                return [], False
            steps = [
                changes.require(room.stored),
                self._still_member(room, session),
                RequireLog(log),
            ]
            if invitation is None:
                check_invitation_count(room, count, self._limits)
                id = account.record.id
                steps += [
                    changes.create(shown, InvitationRecord(id), room.scope),
                    changes.create(room.scope, InvitedRecord(room.display_name), str(id)),
                ]
            return steps, True

        room, is_new = await self._change(name, attempt)
        if is_new:
            self._context.note(log, session.name, session.account, INVITE, room.display_name)

    async def set_role(self, session: Session, name: str, member: str, role: str) -> None:
        """Set the role of a member.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownMember`, `UnknownRole`.
        """
        if role not in (OWNER, MODERATOR, MEMBER):
            raise UnknownRole(f"a role is {OWNER}, {MODERATOR} or {MEMBER}, not {role!r}")

        async def attempt(room: Room) -> tuple[list[Change], str]:
            requester_role = await self.role(session, room)
            row = await self._documents.get(MemberRecord, member, room.scope)
            record = room.record
            member_role = "" if row is None else record.member_role(row.record.account)
            check_not_deleted(session.mailbox.deleted)
            check_set_role(room, requester_role, member, member_role)
            assert row is not None
            if record.owner == row.record.account:
                if role != OWNER:
                    raise UnknownRole(
                        f"You own {room.display_name}: make another member the owner first."
                    )
                return [], ""
            return [
                changes.update(room.stored, record.with_role(row.record.account, row.key, role)),
                self._still_member(room, session),
                changes.require(row),
            ], row.key

        room, shown = await self._change(name, attempt)
        if shown:
            self._context.note(room.log, session.name, session.account, ROLE, f"{shown} {role}")

    # Finding

    async def find(
        self, session: Session | None, pattern: str, after: str, limit: int
    ) -> tuple[list[tuple[Room, str]], bool, str]:
        """Return the rooms whose names match a glob and are greater than `after`, and the role of
        the account of `session` in each of them.

        They are in alphabetical order, and those that the account may see, all of them for None.
        Also returns whether there may be more, and the name to continue after. Raises
        `PatternTooLong`.
        """
        self._context.accounts.check_pattern(pattern)
        names = await self._documents.page(RoomRecord, pattern, after, limit)
        rooms = [room for room in await self.load(names) if room is not None]
        more, last = len(names) == limit, names[-1] if names else after
        if session is None:
            return [(room, "") for room in rooms], more, last
        roles = await self._roles(session, rooms)
        visible = [
            (room, role)
            for room, role in zip(rooms, roles, strict=True)
            if may_see_room(room, role)
        ]
        return visible, more, last

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


def _check_history(history: str) -> None:
    if history not in (ALL, JOINED):
        raise BadRequest(f"history is {ALL} or {JOINED}, not {history!r}")
