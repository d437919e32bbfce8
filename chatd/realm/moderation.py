"""Moderation of rooms: banning accounts and patterns of names, and silencing members.

A restriction is a row of its room (`chatd.realm.restrictions`). It is made by a write that changes
the room's record as well, so an account that joins or is invited at the same moment is looked at
again: what it requires of the record does not hold any more. Restrictions end by their date,
without a timer: one that has ended is ignored, and its row removed when the next one is made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from chatd.core.entries import BAN, KICK, SILENCE, UNBAN, UNSILENCE
from chatd.core.errors import UnknownAccount, UnknownRoom
from chatd.core.names import mailbox_log
from chatd.realm import changes
from chatd.realm.accounts import Account
from chatd.realm.documents import Stored
from chatd.realm.membership import InvitationRecord, InvitedRecord, MemberRecord
from chatd.realm.permissions import (
    check_lift,
    check_moderator,
    check_not_deleted,
    check_restrict,
    check_restriction_count,
    may_restrict,
)
from chatd.realm.requester import NAMES_PER_COMMAND
from chatd.realm.restrictions import (
    FOR_EVER,
    BanRecord,
    SilenceRecord,
    ban_of,
    check_pattern,
    in_any_case,
    is_pattern,
)
from chatd.realm.room import Room
from chatd.realm.room_departures import RoomDepartures
from chatd.realm.session import Session
from chatd.realm.tasks import gather
from chatd.stores import SCAN_LIMIT, Change, RequireLog

_AT_ONCE = 100
"""members or invitations that one write removes because they match a pattern"""
_REMOVED_PER_COMMAND = 10
"""removed members and invitations that count as one command"""
_LISTED_PER_COMMAND = 100
"""rows that are looked at that count as one command"""
_PATTERNS_PER_COMMAND = 2
"""patterns with which a name is compared that count as one command"""

R = TypeVar("R", BanRecord, SilenceRecord)


class _Ban(NamedTuple):
    """A ban that has been stored: the name or pattern, its end, the members that were removed with
    it, and the role of the moderator."""

    name: str
    until: int
    removed: list[Stored[MemberRecord]]
    role: str


class Restriction(NamedTuple):
    """A ban, or a silence, as moderators see it: the name or pattern, the name of the moderator,
    when it was made and when it ends (milliseconds since 1970, UTC; 0: it does not), the reason."""

    name: str
    by: str
    time: int
    until: int
    reason: str


class Moderation(RoomDepartures):
    """What moderators do about accounts in their rooms."""

    # Bans

    async def ban(
        self, session: Session, name: str, banned: str, seconds: int, reason: str
    ) -> None:
        """Ban an account, or all accounts whose names match a pattern, from a room, for so many
        seconds (0: without end).

        Members of lower rank are removed with that, and invitations withdrawn. Raises
        `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownAccount`, `BadRequest`, `LimitReached`.
        """
        if is_pattern(banned):
            check_pattern(banned)
            await self._ban_pattern(session, name, banned, seconds, reason)
        else:
            await self._ban_account(session, name, banned, seconds, reason)

    async def _ban_account(
        self, session: Session, name: str, banned: str, seconds: int, reason: str
    ) -> None:
        async def attempt(room: Room) -> tuple[list[Change], _Ban]:
            account, member = await self._subject(session, room, banned)
            id = account.record.id
            record = self._record(BanRecord, session, id, seconds, reason)
            removed = [] if member is None else [member]
            steps = await self._restricting(session, room, account.key, record, removed)
            steps += [RequireLog(mailbox_log(id)), *_withdrawing(room, account.key, id)]
            if member is None:
                # The condition that it has not joined meanwhile.
                steps.append(changes.create(account.key, MemberRecord(id, 0), room.scope))
                steps.append(changes.delete_any(MemberRecord, account.key, room.scope))
            ban = _Ban(account.key, record.until, removed, "")
            return [*steps, *self._notes_of_ban(session, room, ban, reason)], ban

        room, ban = await self._change(name, attempt)
        self._banned(room, ban, ban.removed, reason)

    def _banned(
        self, room: Room, ban: _Ban, removed: Iterable[Stored[MemberRecord]], reason: str
    ) -> None:
        """A ban has been stored that has removed these members."""
        until = _shown_end(ban.until)
        for member in removed:
            self.left(room, member.record.account, False, "banned", reason, until)

    def _notes_of_ban(self, session: Session, room: Room, ban: _Ban, reason: str) -> list[Change]:
        announced = self._note(session, room, BAN, _announced(ban.name, ban.until, reason))
        return [announced, *self._notes_of_removed(session, room, ban.removed)]

    def _notes_of_removed(
        self, session: Session, room: Room, removed: Iterable[Stored[MemberRecord]]
    ) -> list[Change]:
        return [self._note(session, room, KICK, member.key) for member in removed]

    async def _ban_pattern(
        self, session: Session, name: str, pattern: str, seconds: int, reason: str
    ) -> None:
        glob = in_any_case(pattern)

        async def attempt(room: Room) -> tuple[list[Change], _Ban]:
            role = await self.role(session, room)
            check_moderator(room, role)
            session.charge(room.members / NAMES_PER_COMMAND)
            record = self._record(BanRecord, session, 0, seconds, reason)
            names = await self._documents.page(MemberRecord, glob, "", _AT_ONCE, room.scope)
            removed = await self._of_lower_rank(room, role, names)
            steps = await self._restricting(session, room, pattern, record, removed)
            ban = _Ban(pattern, record.until, removed, role)
            return [*steps, *self._notes_of_ban(session, room, ban, reason)], ban

        room, ban = await self._change(name, attempt)
        self._banned(room, ban, ban.removed, reason)
        session.charge(len(ban.removed) / _REMOVED_PER_COMMAND)
        # From now on, no account joins or is invited whose name matches. Some may have joined just
        # before, and many are not removed together.
        await self._remove_matching(session, room, glob, ban, reason)
        await self._withdraw_matching(session, room, glob)

    async def _of_lower_rank(
        self, room: Room, role: str, names: Sequence[str]
    ) -> list[Stored[MemberRecord]]:
        """Those of these members whom an account with this role may remove."""
        rows = await gather(
            *(self._documents.get(MemberRecord, name, room.scope) for name in names)
        )
        return [
            row
            for row in rows
            if row is not None and may_restrict(role, room.record.member_role(row.record.account))
        ]

    async def _remove_matching(
        self, session: Session, room: Room, glob: str, ban: _Ban, reason: str
    ) -> None:
        """Remove the members whose names match a glob and whom the account that has banned them
        could remove, some at a time: by the role that it had, which it may have lost meanwhile."""
        after, size = "", _AT_ONCE
        while size == _AT_ONCE:
            names = await self._documents.page(MemberRecord, glob, after, _AT_ONCE, room.scope)
            removed = await self._remove_members(session, room, ban.role, names)
            self._banned(room, ban, removed, reason)
            session.charge(len(removed) / _REMOVED_PER_COMMAND)
            after, size = names[-1] if names else "", len(names)
            if size == _AT_ONCE:
                await self._tasks.sleep(0)

    async def _remove_members(
        self, session: Session, room: Room, role: str, names: Sequence[str]
    ) -> list[Stored[MemberRecord]]:
        async def attempt(current: Room) -> tuple[list[Change], list[Stored[MemberRecord]]]:
            if current.id != room.id:
                return [], []
            removed = await self._of_lower_rank(current, role, names)
            if not removed:
                return [], []
            record = current.record
            for row in removed:
                record = record.without(row.record.account)
            steps: list[Change] = [changes.update(current.stored, record)]
            for row in removed:
                steps += self.removing(current, row)
            return [*steps, *self._notes_of_removed(session, current, removed)], removed

        with suppress(UnknownRoom):
            _, removed = await self._change(room.name, attempt)
            return removed
        return []

    async def _withdraw_matching(self, session: Session, room: Room, glob: str) -> None:
        """Withdraw the invitations of accounts whose names match a glob, some at a time."""
        after, documents = "", self._documents
        while names := await documents.page(InvitationRecord, glob, after, _AT_ONCE, room.scope):
            rows = await gather(
                *(documents.get(InvitationRecord, name, room.scope) for name in names)
            )
            steps: list[Change] = []
            for row in rows:
                if row is not None:
                    steps += _withdrawing(room, row.key, row.record.account)
            await documents.write(steps)
            session.charge(len(steps) / 2 / _REMOVED_PER_COMMAND)
            after = names[-1]

    async def ban_of(
        self, session: Session, room: Room, name: str, account: int
    ) -> BanRecord | None:
        """The ban in force that concerns an account, given by its name and id, None if there is
        none. Comparing patterns counts against the rate of `session`."""
        now = self._context.now()
        if room.record.banned_until <= now:
            return None
        rows = await self._documents.scan(BanRecord, room.scope, limit=sys.maxsize)
        patterns = sum(not row.record.account for row in rows)
        session.charge(len(rows) / _LISTED_PER_COMMAND + patterns / _PATTERNS_PER_COMMAND)
        return ban_of(rows, name, account, now)

    async def unban(self, session: Session, name: str, banned: str) -> None:
        """End the ban of an account or a pattern.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownRestriction`.
        """
        await self._lift(session, name, banned, BanRecord, UNBAN)

    async def bans(
        self, session: Session, name: str, after: str, limit: int
    ) -> tuple[list[Restriction], bool]:
        """Return the bans of a room, for its moderators, in alphabetical order, and whether there
        are more. Raises `UnknownRoom`, `NotAMember`, `NotAllowed`."""
        return await self._listed(session, name, BanRecord, after, limit)

    # Silences

    async def silence(
        self, session: Session, name: str, member: str, seconds: int, reason: str
    ) -> None:
        """Silence an account in a room for so many seconds (0: without end): it sends no texts,
        edits, reactions and typing notices there.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownAccount`, `LimitReached`.
        """

        async def attempt(room: Room) -> tuple[list[Change], None]:
            account, _ = await self._subject(session, room, member)
            record = self._record(SilenceRecord, session, account.record.id, seconds, reason)
            steps = await self._restricting(session, room, account.key, record)
            announced = _announced(account.key, record.until, reason)
            steps.append(RequireLog(mailbox_log(account.record.id)))
            return [*steps, self._note(session, room, SILENCE, announced)], None

        await self._change(name, attempt)

    async def unsilence(self, session: Session, name: str, member: str) -> None:
        """Let a silenced account send again.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownRestriction`.
        """
        await self._lift(session, name, member, SilenceRecord, UNSILENCE)

    async def silences(
        self, session: Session, name: str, after: str, limit: int
    ) -> tuple[list[Restriction], bool]:
        """Return the silenced accounts of a room, as `bans` does."""
        return await self._listed(session, name, SilenceRecord, after, limit)

    # Both

    async def _subject(
        self, session: Session, room: Room, name: str
    ) -> tuple[Stored[Account], Stored[MemberRecord] | None]:
        """The account that a moderator restricts, and its row if it is a member.

        Raises `UnknownRoom`, `NotAMember`, `NotAllowed`, `UnknownAccount`.
        """
        role = await self.role(session, room)
        check_moderator(room, role)
        account, member = await gather(
            self._documents.get(Account, name),
            self._documents.get(MemberRecord, name, room.scope),
        )
        check_not_deleted(session.mailbox.deleted)
        if account is None:
            raise UnknownAccount(f"There is no account called {name}.")
        member_role = "" if member is None else room.record.member_role(member.record.account)
        check_restrict(room, role, account.key, member_role)
        return account, member

    def _record(
        self, record_type: type[R], session: Session, account: int, seconds: int, reason: str
    ) -> R:
        now = self._context.now()
        until = min(now + seconds * 1000, FOR_EVER) if seconds else FOR_EVER
        return record_type(account, session.name, now, until, reason)

    async def _restricting(
        self,
        session: Session,
        room: Room,
        key: str,
        record: R,
        removed: Sequence[Stored[MemberRecord]] = (),
    ) -> list[Change]:
        """The changes that restrict an account or a pattern, with the room's record, and remove
        members. Raises `LimitReached`."""
        record_type, scope, now = type(record), room.scope, self._context.now()
        rows = await self._documents.scan(record_type, scope, limit=sys.maxsize)
        others = [row for row in rows if row.key.lower() != key.lower()]
        ended = [row for row in others if row.record.until <= now]
        in_force = [row for row in others if row.record.until > now]
        patterns = sum(not row.record.account for row in in_force) + (not record.account)
        check_restriction_count(room, len(in_force), patterns, self._limits)
        session.charge(len(rows) / _LISTED_PER_COMMAND)
        steps: list[Change] = [changes.delete(row) for row in ended]
        restricted = room.record.restricting(record)
        for row in removed:
            restricted = restricted.without(row.record.account)
            steps += self.removing(room, row)
        # The same record also has a new version, which those who join at the same moment notice.
        return [
            changes.update(room.stored, restricted),
            self._still_member(room, session),
            *steps,
            changes.delete_any(record_type, key, scope),
            changes.create(key, record, scope),
        ]

    async def _lift(
        self,
        session: Session,
        name: str,
        subject: str,
        record_type: type[R],
        kind: str,
    ) -> None:
        async def attempt(room: Room) -> tuple[list[Change], None]:
            role = await self.role(session, room)
            row, count = await gather(
                self._documents.get(record_type, subject, room.scope),
                self._documents.count(record_type, room.scope),
            )
            check_not_deleted(session.mailbox.deleted)
            restriction = "banned from" if kind == UNBAN else "silenced in"
            check_lift(room, role, subject, row is not None, restriction)
            assert row is not None
            steps: list[Change] = [changes.require(room.stored)]
            if count == 1:
                steps = [changes.update(room.stored, room.record.unrestricted(record_type))]
            steps += [self._still_member(room, session), changes.delete(row)]
            return [*steps, self._note(session, room, kind, row.key)], None

        await self._change(name, attempt)

    async def _listed(
        self, session: Session, name: str, record_type: type[R], after: str, limit: int
    ) -> tuple[list[Restriction], bool]:
        room = await self.room(name)
        check_moderator(room, await self.role(session, room))
        now = self._context.now()
        rows = await self._documents.scan(record_type, room.scope, after)
        session.charge(len(rows) / _LISTED_PER_COMMAND)
        shown = [
            Restriction(row.key, ban.by, ban.time, _shown_end(ban.until), ban.reason)
            for row in rows
            if (ban := row.record).until > now
        ]
        return shown[:limit], len(shown) > limit or len(rows) == SCAN_LIMIT


def _announced(name: str, until: int, reason: str) -> str:
    """The body of an entry: the name, the end (0: none) and the reason."""
    return f"{name} {_shown_end(until)} {reason}".rstrip()


def _shown_end(until: int) -> int:
    """When a restriction ends, for clients; 0: it does not."""
    return 0 if until == FOR_EVER else until


def _withdrawing(room: Room, name: str, account: int) -> list[Change]:
    """The changes that withdraw the invitation of an account, if it has one."""
    return [
        changes.delete_any(InvitationRecord, name, room.scope),
        changes.delete_any(InvitedRecord, room.scope, str(account)),
    ]
