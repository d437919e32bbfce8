"""The data of one person: everything that is stored of an account, page by page.

An export is a listing of items, each with a `type`. It begins with the account itself, and ends
with what it has written to rooms and to the mailboxes of others, for which every log is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import asdict

from chatd.core.entries import Entry
from chatd.core.errors import BadRequest, UnknownAccount
from chatd.core.names import REPORTS, mailbox_log, mailbox_name, room_log
from chatd.realm import written_entries
from chatd.realm.access_token import AccessToken
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.erasure_record import Place, Writer
from chatd.realm.membership import InvitedRecord, MembershipRecord
from chatd.realm.page import Page
from chatd.realm.permissions import wrote
from chatd.realm.read_state import NO_SETTINGS, Settings
from chatd.realm.resume_token import ResumeToken
from chatd.realm.room import RoomRecord
from chatd.realm.tasks import gather
from chatd.stores import PAGE_BYTES, Position

Item: TypeAlias = dict[str, Any]

_READS = 16
"""pages of logs that one page of an export reads"""


class _Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far an export is: the account's id, the number of the section, the last seq that was read
    of its log (of invitations, the id of the room), and the place of the section that reads many
    logs."""

    account: int
    section: int = 0
    seq: int = 0
    place: Place = Place()


Part: TypeAlias = "tuple[Sequence[Item], _Progress | None]"
"""items, and the progress within the section, None at its end"""


class PersonalData:
    """Lists what is stored of one account."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sections: tuple[Callable[[Writer, Account, _Progress], Awaitable[Part]], ...] = (
            self._account,
            self._memberships,
            self._invitations,
            self._tokens,
            self._mailbox,
            self._reports,
            self._written,
        )

    async def page(self, name: str, after: str, limit: int) -> Page[Item, str]:
        """The next items of an export, about `limit` of them, perhaps none.

        Raises `UnknownAccount`, also if the name belongs to another account by now, and
        `BadRequest` if `after` is not the `Page.last` of another page.
        """
        name, account = await self._context.accounts.existing(name)
        progress: _Progress | None = _Progress(account.id)
        if after:
            progress = _decoded(after, len(self._sections))
            if progress.account != account.id:
                raise UnknownAccount(f"The account {name} is another one by now.")
        writer = Writer(name, account.id, account.created)
        items: list[Item] = []
        reads = size = 0
        while progress is not None and len(items) < limit and reads < _READS and size < PAGE_BYTES:
            part, following = await self._sections[progress.section](writer, account, progress)
            items += part
            reads += 1
            size += sum(len(item.get("body", "")) for item in part)
            section = progress.section + 1
            if following is None and section < len(self._sections):
                following = _Progress(account.id, section)
            progress = following
        last = "" if progress is None else msgspec.json.encode(progress).decode()
        return Page(items, progress is not None, last)

    # Sections

    async def _account(self, writer: Writer, account: Account, progress: _Progress) -> Part:
        documents, log = self._context.documents, mailbox_log(account.id)
        stored, positions = await gather(
            documents.get(Settings, log), self._context.store.positions(account.id, log)
        )
        settings: Settings = NO_SETTINGS if stored is None else stored.record
        suspension = account.suspension
        return [
            {
                "type": "account",
                "name": writer.name,
                "id": account.id,
                "created": account.created,
                "seen": max((position.seen for position in positions), default=0),
                "password": account.password is not None,
                "certificates": account.certificates,
                "suspended": None if suspension is None else asdict(suspension),
            },
            {
                "type": "settings",
                "blocked": list(settings.blocked.values()),
                "hidden": settings.hidden,
            },
        ], None

    async def _memberships(self, writer: Writer, account: Account, progress: _Progress) -> Part:
        documents, scope = self._context.documents, str(account.id)
        rows, positions = await gather(
            documents.scan(MembershipRecord, scope),
            self._context.store.positions(account.id),
        )
        rooms = await gather(*(documents.get(RoomRecord, row.record.room) for row in rows))
        by_log: dict[str, Position] = {position.log: position for position in positions}
        items: list[Item] = []
        for row, room in zip(rows, rooms, strict=True):
            position = by_log.get(room_log(int(row.key)))
            items.append(
                {
                    "type": "membership",
                    "room": row.record.room,
                    "role": "" if room is None else room.record.member_role(account.id),
                    "acknowledged": 0 if position is None else position.cursor.upto,
                    "read": 0 if position is None else position.read,
                }
            )
        return items, None

    async def _invitations(self, writer: Writer, account: Account, progress: _Progress) -> Part:
        context, after = self._context, str(progress.seq) if progress.seq else ""
        rows = await context.documents.scan(
            InvitedRecord, str(account.id), after, context.limits.page
        )
        items = [{"type": "invitation", "room": row.record.room} for row in rows]
        # Their keys are the ids of the rooms.
        return items, _Progress(account.id, progress.section, int(rows[-1].key)) if rows else None

    async def _tokens(self, writer: Writer, account: Account, progress: _Progress) -> Part:
        documents, scope = self._context.documents, str(account.id)
        resume, access = await gather(
            documents.scan(ResumeToken, scope), documents.scan(AccessToken, scope)
        )
        items: list[Item] = [
            {"type": "resume-token", "used": stored.record.used} for stored in resume
        ]
        for stored in access:
            token: AccessToken = stored.record
            items.append(
                {
                    "type": "access-token",
                    "name": token.name,
                    "scopes": [grant.text for grant in token.grants],
                    "created": token.created,
                    "expires": token.expires,
                    "used": token.used,
                }
            )
        return items, None

    async def _mailbox(self, writer: Writer, account: Account, progress: _Progress) -> Part:
        context = self._context
        entries = await context.store.read(
            mailbox_log(account.id), progress.seq, context.limits.page
        )
        items = [_entry(mailbox_name(writer.name), entry) for entry in entries]
        return items, _Progress(account.id, progress.section, entries[-1].seq) if entries else None

    async def _reports(self, writer: Writer, account: Account, progress: _Progress) -> Part:
        context = self._context
        entries = await context.store.read(REPORTS, progress.seq, context.limits.page)
        items = [
            {"type": "report", "seq": entry.seq, "time": entry.time, "body": entry.body}
            for entry in entries
            if wrote(writer.name, writer.id, writer.created, entry)
        ]
        return items, _Progress(account.id, progress.section, entries[-1].seq) if entries else None

    async def _written(self, writer: Writer, account: Account, progress: _Progress) -> Part:
        found, place = await written_entries.step(self._context, writer, progress.place)
        items = [_entry(found.name, entry) for entry in found.entries]
        if place is None:
            return items, None
        return items, _Progress(account.id, progress.section, 0, place)


def _entry(log: str, entry: Entry) -> Item:
    return {
        "type": "entry",
        "log": log,
        "seq": entry.seq,
        "id": entry.id,
        "time": entry.time,
        "sender": entry.sender,
        "kind": entry.kind,
        "body": entry.body,
        "about": entry.about,
    }


def _decoded(after: str, sections: int) -> _Progress:
    try:
        progress = msgspec.json.decode(after, type=_Progress)
    except (msgspec.MsgspecError, ValueError):
        progress = None
    if progress is None or not 0 <= progress.section < sections:
        raise BadRequest("after: this is not where a page of an export has ended")
    return progress
