"""Deleted rooms, which operators can restore for a time.

A deleted room has no name, no membership of any account and no invitations: only its id leads to
what is kept, which is its record, the rows of its last members and of those that were banned or
silenced, its log under another name, and the positions in it. Deleting, restoring and removing are
one `Store.write` each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import ClassVar

import msgspec

from chatd.core.entries import JOIN, RESTORE, ROLE, Cursor
from chatd.core.errors import (
    Busy,
    Conflict,
    Exists,
    RoomTaken,
    StoreUnavailable,
    UnknownRoom,
)
from chatd.core.names import (
    SERVER,
    check_room_name,
    deleted_room_log,
    mailbox_log,
    room_log,
    room_name,
)
from chatd.realm import changes
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.documents import Stored
from chatd.realm.erasure_record import ErasureRecord, beginning_again
from chatd.realm.loaded_rooms import LoadedRooms
from chatd.realm.mailbox import Mailbox
from chatd.realm.membership import (
    CreatedRoomRecord,
    InvitationRecord,
    InvitedRecord,
    MemberRecord,
    Membership,
    MembershipRecord,
)
from chatd.realm.message_marks import removing
from chatd.realm.permissions import check_restored_members
from chatd.realm.restrictions import BanRecord, SilenceRecord
from chatd.realm.room import JOINED, OWNER, RANKS, Room, RoomRecord
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Change, DropLog, Forget, Position, RenameLog, RequireLog, Save

INTERVAL_SECONDS = 600.0
"""the pause after the rooms that cannot be restored any more have been removed"""
_ATTEMPTS = 16


class DeletedRoomRecord(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a deleted room beside its members and its log.

    `name` is its name as first written, `deleted` when it was deleted, in milliseconds since 1970
    (UTC), `by` the account that did so, or `SERVER` for an operator, and `record` what was stored
    under its name. The key is the time of the deletion and the id, so that the keys are in the
    order of the deletions.
    """

    document_kind: ClassVar[str] = "deleted-room"

    name: str
    deleted: int
    by: str
    record: RoomRecord


class DeletedRooms(LoadedRooms):
    """Deleting rooms, restoring them, and removing what is left of them."""

    def __init__(self, context: Context, tasks: Tasks) -> None:
        super().__init__(context, tasks)
        self._being_left: set[int] = set()
        """the ids of the deleted rooms whose members are being notified"""

    def _deletion(self, room: Room, by: str, at_once: bool = False) -> list[Change]:
        """The changes by which a room is deleted: nothing of it can be reached by clients then.

        Unless it is `at_once`, operators can restore it for `Limits.deleted_room_time`. `by` is who
        deletes it, as in `DeletedRoomRecord`. The caller adds the condition that the room is as it
        knows it.
        """
        steps: list[Change] = [
            changes.delete_any(RoomRecord, room.name),
            changes.delete_key(MembershipRecord, room.scope),
            changes.delete_scope(InvitationRecord, room.scope),
            changes.delete_key(InvitedRecord, room.scope),
        ]
        if at_once or not self._limits.deleted_room_time:
            return [*steps, DropLog(room.log), *_rows_deleted(room.id)]
        now = self._context.now()
        record = DeletedRoomRecord(room.display_name, now, by, room.record)
        return [
            *steps,
            RenameLog(room.log, deleted_room_log(room.id)),
            changes.create(f"{now:015d}-{room.id}", record),
        ]

    async def deleted(self, after: str, limit: int) -> list[Stored[DeletedRoomRecord]]:
        """At most `limit` deleted rooms, in the order of their deletion, from the first one after
        the key `after` on."""
        return await self._documents.scan(DeletedRoomRecord, "", after, limit)

    async def _deleted_of(self, name: str) -> list[Stored[DeletedRoomRecord]]:
        """All deleted rooms of a name, the latest deletion first."""
        found: list[Stored[DeletedRoomRecord]] = []
        after = ""
        while rows := await self._documents.scan(DeletedRoomRecord, "", after):
            found += [row for row in rows if room_name(row.record.name) == room_name(name)]
            after = rows[-1].key
        return found[::-1]

    # Removing

    async def remove_expired(self) -> None:
        """Remove the rooms whose time is over now and every `INTERVAL_SECONDS`; never returns."""
        while True:
            # The store logs its failure, and the next round removes what is left of this one.
            with suppress(StoreUnavailable):
                await self._remove_expired()
            await self._tasks.sleep(INTERVAL_SECONDS)

    async def _remove_expired(self) -> None:
        latest = self._context.now() - self._limits.deleted_room_time * 1000
        after = ""
        while rows := await self._documents.scan(DeletedRoomRecord, "", after):
            for row in rows:
                if row.record.deleted > latest:
                    return
                await self._remove(row)
            after = rows[-1].key

    async def _remove(self, row: Stored[DeletedRoomRecord]) -> bool:
        """Remove all that is left of a deleted room; whether it had not been restored meanwhile."""
        id = row.record.record.id
        try:
            await self._documents.write(
                [
                    changes.delete(row),
                    DropLog(deleted_room_log(id)),
                    *_rows_deleted(id),
                ]
            )
        except Conflict:
            return False
        return True

    async def remove_deleted(self, name: str) -> int:
        """Remove what is left of all deleted rooms of a name; return their number."""
        return sum([await self._remove(row) for row in await self._deleted_of(name)])

    # Restoring

    async def restore(self, name: str, id: int, new_name: str, owner: str) -> Room:
        """Restore a deleted room with its id, its log and those of its last members that still have
        their accounts. It is the one with this id (0: the one deleted last of this name).

        `new_name` is its name from now on (empty: as before). `owner` is an account that becomes
        its owner, and a member if it was none; empty: the owner is the former one or its successor.
        Raises `UnknownRoom`, `IllegalRoom`, `RoomTaken`, `UnknownAccount`, `UnknownMember` if it
        would have no member, `Busy`.
        """
        new_name = new_name or name
        check_room_name(new_name)
        for _ in range(_ATTEMPTS):
            row = next(
                (row for row in await self._deleted_of(name) if id in (0, row.record.record.id)),
                None,
            )
            if row is None:
                with_id = f" with the id {id}" if id else ""
                raise UnknownRoom(f"There is no deleted room {name}{with_id}.")
            if row.record.record.id in self._being_left:
                raise Busy("Members are still being notified of the deletion; try again later.")
            if room_name(new_name) == room_name(row.record.name):
                new_name = row.record.name
            with suppress(Conflict):
                return await self._restore(row, new_name, owner)
        raise Busy()

    async def _restore(self, row: Stored[DeletedRoomRecord], name: str, owner: str) -> Room:
        """Restore a room under a name. Raises `Conflict` if the room or an account has changed
        meanwhile."""
        record = row.record.record
        log, scope = room_log(record.id), str(record.id)
        head = await self._store.head(deleted_room_log(record.id))
        members, former = await self._restorable(record.id)
        steps: list[Change] = [RenameLog(deleted_room_log(record.id), log)]
        for member in former:
            steps += [changes.delete(member), Forget(member.record.account, log)]
        appointed = None
        if owner:
            members, appointed = await self._with_owner(members, owner, scope, head)
            if appointed is not None:
                steps.append(changes.create(appointed.key, appointed.record, scope))
                account = appointed.record.account
                steps.append(Save(Position(account, log, Cursor(head), head)))
        check_restored_members(row.record.name, len(members))
        record = _with_roles(record, members, owner)
        unknown = head if record.shown_history == JOINED else 0
        memberships: dict[int, MembershipRecord] = {}
        for member in members:
            account, seq = member.record.account, member.record.seq
            joined = unknown if seq is None else seq
            memberships[account] = MembershipRecord(name, record.created, joined)
            steps.append(RequireLog(mailbox_log(account)))
            steps.append(changes.create(scope, memberships[account], str(account)))
        new_note = self._context.new_note
        notes = [new_note(log, SERVER, 0, RESTORE, "")]
        if appointed is not None:
            notes.append(new_note(log, appointed.key, appointed.record.account, JOIN, ""))
        if owner:
            notes.append(new_note(log, SERVER, 0, ROLE, f"{record.owner_name} {OWNER}"))
        steps += notes
        # Its log may be in a place that they have read.
        erasures = await self._documents.scan(ErasureRecord)
        steps += map(beginning_again, erasures)
        creation = changes.create(name, record)
        mailboxes = self._held_mailboxes(memberships)
        try:
            # One after another in the queue: a login that is not asked for its position here begins
            # after the write, and finds the membership by itself.
            versions, *positions = await gather(
                self._documents.write([changes.delete(row), creation, *steps]),
                *(self._store.positions(mailbox.account, log) for mailbox in mailboxes),
            )
        except Exists:
            raise RoomTaken(f"There is already a room {name}: give it another name.") from None
        self._evict_unused()
        # No log that is followed yet has got the notes, so the head is counted here.
        head += len(notes)
        restored = Room(self._store, changes.written(record, creation, versions[1]), head, 0)
        restored.members = len(members)
        if room_name(name) not in self._rooms:
            self._add(restored)
        room = self._rooms[room_name(name)]
        for mailbox, rows in zip(mailboxes, positions, strict=True):
            self._rejoin(room, mailbox, memberships[mailbox.account], rows)
        return room

    async def _restorable(
        self, room: int
    ) -> tuple[list[Stored[MemberRecord]], list[Stored[MemberRecord]]]:
        """The last members of a deleted room: those that have their accounts, and the others."""
        members: list[Stored[MemberRecord]] = []
        former: list[Stored[MemberRecord]] = []
        after = ""
        while rows := await self._documents.scan(MemberRecord, str(room), after):
            accounts = await gather(*(self._documents.get(Account, row.key) for row in rows))
            for row, account in zip(rows, accounts, strict=True):
                known = account is not None and account.record.id == row.record.account
                (members if known else former).append(row)
            after = rows[-1].key
        return members, former

    async def _with_owner(
        self, members: list[Stored[MemberRecord]], owner: str, scope: str, head: int
    ) -> tuple[list[Stored[MemberRecord]], Stored[MemberRecord] | None]:
        """The members with the account `owner` among them, and its row if it was none of them.

        Raises `UnknownAccount`.
        """
        name, account = await self._context.accounts.existing(owner)
        if any(member.record.account == account.id for member in members):
            return members, None
        record = MemberRecord(account.id, self._context.now(), head)
        row = Stored(name, record, 0, b"", scope)
        return [*members, row], row

    def _held_mailboxes(self, accounts: Iterable[int]) -> list[Mailbox]:
        """The mailboxes of these accounts that this daemon holds."""
        held = map(self._context.sessions.mailbox, accounts)
        return [mailbox for mailbox in held if mailbox is not None]

    def _rejoin(
        self,
        room: Room,
        mailbox: Mailbox,
        record: MembershipRecord,
        positions: Sequence[Position],
    ) -> None:
        """All sessions of a member follow a restored room, from what has been acknowledged on."""
        if mailbox.deleted or not mailbox.loaded:
            return
        known = mailbox.memberships.get(room.name)
        if known is not None and known.room == room.id:
            return
        membership = Membership(mailbox, room.id, record)
        for position in positions:
            membership.state.merge(position)
        mailbox.add_membership(membership)
        for session in mailbox.all_sessions:
            former = session.following(room.name)
            if former is not None:
                # It has not been notified yet that the former room of this name is deleted.
                session.unsubscribe(room.name)
                session.peer.left(room.display_name, "deleted")
            session.subscribe(room)
            if room.name in session.subscriptions:
                session.peer.joined(room.name)
                if membership.state.cursor.upto < room.head:
                    session.show_unacknowledged(room.name)
                    self._tasks.spawn(_catch_up(session))


async def _catch_up(session: Session) -> None:
    # Without the store, the entries are shown when the session catches up the next time.
    with suppress(StoreUnavailable):
        await session.catch_up()


def _rows_deleted(room: int) -> list[Change]:
    """The changes that delete the rows of a room which are kept while it can be restored."""
    kinds = (MemberRecord, BanRecord, SilenceRecord)
    return [
        *(changes.delete_scope(kind, str(room)) for kind in kinds),
        *removing(room_log(room)),
        changes.delete_key(CreatedRoomRecord, str(room)),
    ]


def _with_roles(
    record: RoomRecord, members: Sequence[Stored[MemberRecord]], owner: str
) -> RoomRecord:
    """The record of a restored room: roles are those of its members, and it has an owner."""
    ids = {member.record.account for member in members}
    for account in {record.owner, *record.deputies, *record.moderators} - ids - {record.owner}:
        record = record.without(account)
    former = record.owner
    for member in members:
        if member.key.lower() == owner.lower():
            record = record.with_role(member.record.account, member.key, OWNER)
            return record if former in ids else record.without(former)
    if former not in ids:
        first = min(
            members,
            key=lambda member: (
                -RANKS[record.member_role(member.record.account)],
                member.record.joined,
            ),
        )
        record = record.without(former, first.record.account, first.key)
    return record
