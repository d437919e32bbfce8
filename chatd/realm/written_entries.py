"""The entries that one account has written, in all logs: first those of rooms, then of deleted
rooms, which may be restored, then of the mailboxes of others.

No index finds them, so every log is read: some pages at a time, and other work goes on in between.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from chatd.core.entries import Entry
from chatd.core.names import deleted_room_log, mailbox_log, mailbox_name, room_log, room_name
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.deleted_rooms import DeletedRoomRecord
from chatd.realm.documents import Record
from chatd.realm.erasure_record import DELETED_ROOMS, MAILBOXES, ROOMS, Place, Writer
from chatd.realm.permissions import wrote
from chatd.realm.room import RoomRecord

_OWNERS: tuple[tuple[str, type[Record]], ...] = (
    (ROOMS, RoomRecord),
    (DELETED_ROOMS, DeletedRoomRecord),
    (MAILBOXES, Account),
)
"""the records of what has a log, by the kind of the log"""


class Found(msgspec.Struct, frozen=True):
    """Entries of the writer in one log: its name in the store, and the one that clients know."""

    log: str
    name: str
    entries: list[Entry]


async def step(context: Context, writer: Writer, place: Place) -> tuple[Found, Place | None]:
    """Read one page of a log from a place on. Returns what was found, which may be nothing, and the
    next place, None after the last one. Raises `StoreUnavailable`."""
    # Its room or account may have been deleted since the last page.
    log = await _log(context, place) if place.key else None
    if log is None:
        return Found("", "", []), await _following(context, place)
    entries: list[Entry] = []
    if log.name != mailbox_log(writer.id):
        entries = await context.store.read(log.name, place.seq, context.limits.page)
    if not entries:
        return Found(log.name, log.shown, []), await _following(context, place)
    written = [entry for entry in entries if wrote(writer.name, writer.id, writer.created, entry)]
    return Found(log.name, log.shown, written), Place(place.kind, place.key, entries[-1].seq)


class _Log(NamedTuple):
    """A log: its name in the store, and the one by which clients know or knew it."""

    name: str
    shown: str


async def _log(context: Context, place: Place) -> _Log | None:
    """The log of a place, None if it is not there any more."""
    documents, key = context.documents, place.key
    if place.kind == ROOMS:
        room = await documents.get(RoomRecord, key)
        return None if room is None else _Log(room_log(room.record.id), room_name(key))
    if place.kind == DELETED_ROOMS:
        deleted = await documents.get(DeletedRoomRecord, key)
        if deleted is None:
            return None
        record = deleted.record
        return _Log(deleted_room_log(record.record.id), room_name(record.name))
    account = await documents.get(Account, key)
    return None if account is None else _Log(mailbox_log(account.record.id), mailbox_name(key))


async def _following(context: Context, place: Place) -> Place | None:
    """The beginning of the log after that of a place, None if that was the last."""
    key = place.key
    for kind, record_type in _OWNERS[[kind for kind, _ in _OWNERS].index(place.kind) :]:
        following = await context.documents.scan(record_type, "", key, 1)
        if following:
            return Place(kind, following[0].key)
        key = ""
    return None
