"""Rooms: creating, joining, inviting, topic and access.

How members leave and rooms are deleted is in `chatd.realm.room_departures`, how rooms and members
are found in `chatd.realm.room_listings`, roles in `chatd.realm.room_roles`, and how a room is
changed in `chatd.realm.loaded_rooms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from chatd.core.entries import ACCESS, HISTORY, INVITE, JOIN, SETTING, TOPIC, Cursor
from chatd.core.errors import (
    BadRequest,
    Conflict,
    Exists,
    RoomTaken,
    StoreUnavailable,
    TopicTooLong,
    UnknownAccount,
    UnknownSetting,
)
from chatd.core.names import check_room_name, mailbox_log, room_log
from chatd.realm import changes
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.membership import (
    CreatedRoomRecord,
    InvitationRecord,
    InvitedRecord,
    MemberRecord,
    Membership,
    MembershipRecord,
)
from chatd.realm.moderation import Moderation
from chatd.realm.permissions import (
    check_deputy,
    check_invitation_count,
    check_invite,
    check_invite_unbanned,
    check_join,
    check_moderator,
    check_not_banned,
    check_not_deleted,
    check_room_count,
    check_rooms_made,
    is_member,
)
from chatd.realm.positions import SOON
from chatd.realm.room import (
    ALL,
    JOINED,
    Room,
    RoomRecord,
    new_lobby,
)
from chatd.realm.room_listings import RoomListings
from chatd.realm.room_roles import RoomRoles
from chatd.realm.room_settings import SETTINGS
from chatd.realm.room_speech import RoomSpeech
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Change, CreateLog, Position, RequireLog, RequireSpace, Save

_TAKEN_SECONDS = 1.0
"""what the attempt to create a room costs if its name is taken: so many seconds of the rate of a
connection"""


class Rooms(Moderation, RoomListings, RoomRoles, RoomSpeech):
    """All rooms. What a method changes has been stored when it returns."""

    def __init__(self, context: Context, tasks: Tasks) -> None:
        super().__init__(context, tasks)
        # How many rooms each account is creating at this moment, by its id.
        self._creations: dict[int, int] = {}

    async def start(self) -> None:
        """Create the lobby unless there is one."""
        context = self._context
        with suppress(Exists):
            await self._documents.write(new_lobby(context.creation_time(), context.new_id()))

    # Members

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
        with self._creating(session.account):
            # All that are being created count, so that none of them has to wait for the others.
            count = await self._documents.count(CreatedRoomRecord, str(session.account))
            check_rooms_made(count + self._creations[session.account] - 1, self._limits)
            return await self._create(session, name, topic, private, history)

    @contextmanager
    def _creating(self, account: int) -> Iterator[None]:
        """An account is creating a room."""
        self._creations[account] = self._creations.get(account, 0) + 1
        try:
            yield
        finally:
            self._creations[account] -= 1
            if not self._creations[account]:
                del self._creations[account]

    async def _create(
        self, session: Session, name: str, topic: str, private: bool, history: str
    ) -> Room:
        mailbox = session.mailbox
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
                        changes.create(str(id), CreatedRoomRecord(name), str(session.account)),
                        *self._member_rows(session, name, record, Cursor()),
                        self._context.new_note(
                            room_log(id), session.name, session.account, JOIN, ""
                        ),
                    ]
                )
            except Exists:
                # It may be a private room: names are not to be tried quickly.
                session.charge((self._limits.rate or 0.0) * _TAKEN_SECONDS)
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
            changes.create(
                session.name,
                MemberRecord(session.account, self._context.now(), cursor.upto),
                room,
            ),
            changes.create(room, MembershipRecord(name, record.created, cursor.upto), account),
            Save(Position(session.account, room_log(record.id), cursor, cursor.upto)),
        ]

    async def join(self, session: Session, name: str) -> Room:
        """Make the account of `session` a member of a room, unless it is one.

        Raises `UnknownRoom`, `Banned`, `LimitReached`, `NotLoggedIn`, `RoomFull`.
        """
        mailbox = session.mailbox

        async def attempt(room: Room) -> tuple[list[Change], Cursor | None]:
            role = await self.role(session, room)
            check_join(room, role, room.members, self._limits)
            if is_member(role):
                return [], None
            check_not_banned(room, await self.ban_of(session, room, session.name, session.account))
            check_room_count(len(mailbox.memberships), self._limits)
            cursor = Cursor(room.head)
            invited = [changes.require_any(InvitationRecord, session.name, room.scope)]
            return [
                RequireLog(mailbox.log),
                RequireSpace(room.log, session.account),
                changes.require(room.stored),
                *(invited if room.record.private else ()),
                *self._member_rows(session, room.display_name, room.record, cursor),
                changes.delete_any(InvitationRecord, session.name, room.scope),
                changes.delete_any(InvitedRecord, room.scope, str(session.account)),
                self._note(session, room, JOIN, ""),
            ], cursor

        with self._context.sessions.reserved(mailbox):
            room, cursor = await self._change(name, attempt)
            if cursor is not None:
                room = self._held(room)
                room.members += 1
                head = room.head
                self._joined(room, session, cursor)
                if head > cursor.upto:
                    self._tasks.spawn(self._save_joined(room, session.account, session.name, head))
        return room

    async def _save_joined(self, room: Room, account: int, name: str, head: int) -> None:
        """Store after which entry an account has joined: some were committed between the attempt
        and its write, and are not for it in a room whose history is ``joined``."""
        scope = str(account)
        record = MembershipRecord(room.display_name, room.record.created, head)
        # Without the store, the entry of the attempt remains, a moment earlier.
        with suppress(Conflict, StoreUnavailable):
            member = await self._member(room, account, name)
            await self._documents.write(
                [
                    changes.update(member, msgspec.structs.replace(member.record, seq=head)),
                    changes.require_any(MembershipRecord, room.scope, scope),
                    changes.delete_any(MembershipRecord, room.scope, scope),
                    changes.create(room.scope, record, scope),
                ]
            )

    def _joined(self, room: Room, session: Session, cursor: Cursor) -> None:
        """The account of `session` has become a member: all its sessions follow the room from now
        on. `cursor` is what was stored as acknowledged."""
        mailbox = session.mailbox
        if mailbox.deleted:
            return
        membership = Membership(
            mailbox,
            room.id,
            MembershipRecord(room.display_name, room.record.created, room.head),
        )
        # Entries that were committed just before are not for it.
        membership.state.cursor = Cursor(room.head)
        membership.state.read = room.head
        if room.head > cursor.upto:
            self._context.positions.changed(membership.state, SOON)
        mailbox.add_membership(membership)
        for other in mailbox.all_sessions:
            former = other.following(room.name)
            if former is not None and former.live_log is not room:
                # It has not been notified yet that the former room of this name is deleted.
                other.unsubscribe(room.name)
                other.peer.left(room.display_name, "deleted")
            other.subscribe(room)
            if other is not session and room.name in other.subscriptions:
                other.peer.joined(room.name)

    # The room's record

    async def _update(
        self,
        session: Session,
        name: str,
        check: Callable[[Room, str], object],
        change: Callable[[RoomRecord], RoomRecord],
        kind: str,
        body: str,
    ) -> None:
        """Store another record of a room, if `check` permits it to a role, with an entry of this
        kind about it. Raises `RoomFull`, and what `check` does."""

        async def attempt(room: Room) -> tuple[list[Change], None]:
            check(room, await self.role(session, room))
            return [
                changes.update(room.stored, change(room.record)),
                self._still_member(room, session),
                RequireSpace(room.log, session.account),
                self._note(session, room, kind, body),
            ], None

        await self._change(name, attempt)

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

        def change(record: RoomRecord) -> RoomRecord:
            return msgspec.structs.replace(record, topic=topic)

        await self._update(session, name, check, change, TOPIC, topic)

    async def set_topic_by_operator(self, name: str, topic: str) -> Room:
        """Set the topic of any room. Raises `UnknownRoom`, `TopicTooLong`."""
        self._check_topic_length(topic)

        async def attempt(room: Room) -> tuple[list[Change], None]:
            return [
                changes.update(room.stored, msgspec.structs.replace(room.record, topic=topic)),
                self._note_of_operator(room, TOPIC, topic),
            ], None

        room, _ = await self._change(name, attempt)
        return room

    async def set_private(self, session: Session, name: str, private: bool) -> None:
        """Make a room private or public. From when it is private, its new members read what is sent
        after they joined. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`."""

        def change(record: RoomRecord) -> RoomRecord:
            becomes_private = private and not record.private
            history = JOINED if becomes_private else record.shown_history
            return msgspec.structs.replace(record, private=private, history=history)

        access = "private" if private else "public"
        await self._update(session, name, check_deputy, change, ACCESS, access)

    async def set_history(self, session: Session, name: str, history: str) -> None:
        """Set what members can read from before they joined: ``all`` or ``joined``, nothing of it.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `BadRequest`.
        """
        _check_history(history)

        def change(record: RoomRecord) -> RoomRecord:
            return msgspec.structs.replace(record, history=history)

        await self._update(session, name, check_deputy, change, HISTORY, history)

    async def configure(self, session: Session, name: str, setting: str, value: str) -> None:
        """Set a setting of a room (`chatd.realm.room_settings`), given as a text.

        Raises `UnknownSetting`, `UnknownRoom`, `NotAMember`, `NotAllowed`, `BadRequest`.
        """
        known = SETTINGS.get(setting)
        if known is None:
            raise UnknownSetting(f"A setting of a room is one of {', '.join(SETTINGS)}.")

        def change(record: RoomRecord) -> RoomRecord:
            return known.changed(record, value)

        await self._update(session, name, known.check, change, SETTING, f"{setting} {value}")

    async def invite(self, session: Session, name: str, invited: str) -> None:
        """Invite an account to a room and notify it, unless it is a member.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownAccount`, `Blocked`,
        `Banned`, `LimitReached`, `MailboxFull`.
        """
        log = await self._context.accounts.reachable_log(invited, session.account)
        shown = await self._context.accounts.display_name(invited)
        documents = self._documents

        async def attempt(room: Room) -> tuple[list[Change], None]:
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
                return [], None
            ban = await self.ban_of(session, room, shown, account.record.id)
            check_invite_unbanned(room, shown, ban)
            context, shown_room = self._context, room.display_name
            steps: list[Change] = [
                changes.require(room.stored),
                self._still_member(room, session),
                RequireLog(log),
                RequireSpace(log, session.account),
                context.new_note(log, session.name, session.account, INVITE, shown_room),
            ]
            if invitation is None:
                check_invitation_count(room, count, self._limits)
                id = account.record.id
                steps += [
                    changes.create(shown, InvitationRecord(id), room.scope),
                    changes.create(room.scope, InvitedRecord(room.display_name), str(id)),
                ]
            return steps, None

        await self._change(name, attempt)


def _check_history(history: str) -> None:
    if history not in (ALL, JOINED):
        raise BadRequest(f"history is {ALL} or {JOINED}, not {history!r}")
