"""The entries that one account has written, in all logs: rooms first, then mailboxes of others.

No index finds them, so every log is read: some pages at a time, and other work goes on in between.
"""

from __future__ import annotations

import msgspec

from chatd.core.entries import Entry
from chatd.core.names import mailbox_log, mailbox_name, room_log, room_name
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.permissions import wrote
from chatd.realm.room import RoomRecord

ROOMS, MAILBOXES = "rooms", "mailboxes"
"""the kinds of logs, in the order in which they are read"""


class Writer(msgspec.Struct, frozen=True, array_like=True):
    """An account whose entries are looked for: its name as first written, its id, and when it was
    created."""

    name: str
    id: int
    created: int


class Place(msgspec.Struct, frozen=True, array_like=True):
    """How far the logs have been read: the kind of the log, the key of its owner's record, and the
    last seq that was read of it."""

    kind: str = ROOMS
    key: str = ""
    seq: int = 0


class Found(msgspec.Struct, frozen=True):
    """Entries of the writer in one log: its name in the store, and the one that clients know."""

    log: str
    name: str
    entries: list[Entry]


async def step(context: Context, writer: Writer, place: Place) -> tuple[Found, Place | None]:
    """Read one page of a log from a place on. Returns what was found, which may be nothing, and the
    next place, None after the last one. Raises `StoreUnavailable`."""
    kind = place.kind
    # Its room or account may have been deleted since the last page.
    id = await _owner(context, kind, place.key) if place.key else None
    if id is None:
        return Found("", "", []), await _following(context, kind, place.key)
    if kind == ROOMS:
        log, name = room_log(id), room_name(place.key)
    else:
        log, name = mailbox_log(id), mailbox_name(place.key)
    entries: list[Entry] = []
    if id != writer.id:
        entries = await context.store.read(log, place.seq, context.limits.page)
    if not entries:
        return Found(log, name, []), await _following(context, kind, place.key)
    written = [entry for entry in entries if wrote(writer.name, writer.id, writer.created, entry)]
    return Found(log, name, written), Place(kind, place.key, entries[-1].seq)


async def _owner(context: Context, kind: str, key: str) -> int | None:
    """The id of a room or an account, None if there is none."""
    if kind == ROOMS:
        room = await context.documents.get(RoomRecord, key)
        return None if room is None else room.record.id
    account = await context.documents.get(Account, key)
    return None if account is None else account.record.id


async def _following(context: Context, kind: str, key: str) -> Place | None:
    """The beginning of the log after that of a room or an account, None if that was the last."""
    if kind == ROOMS:
        rooms = await context.documents.scan(RoomRecord, "", key, 1)
        if rooms:
            return Place(ROOMS, rooms[0].key)
        key = ""
    accounts = await context.documents.scan(Account, "", key, 1)
    return Place(MAILBOXES, accounts[0].key) if accounts else None
