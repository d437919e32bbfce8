"""Changing a room: what is to be different is stored by compare-and-set, and together with what
others want.

A whole class may come to the lobby at once. One after another, each would find that somebody else
was quicker, and try again; so those who come while a change is being stored are stored together
next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from chatd.core.errors import Busy, Conflict, Refused, UnknownRoom
from chatd.realm.room import ROOM, Room, RoomRecord
from chatd.stores import Store

_ATTEMPTS = 16


class _Change:
    __slots__ = ("change", "check", "done", "refusal")

    def __init__(
        self, check: Callable[[], object], change: Callable[[RoomRecord], RoomRecord]
    ) -> None:
        self.check = check
        self.change = change
        self.refusal: Refused | None = None
        self.done = False


async def change(
    store: Store,
    room: Room,
    check: Callable[[], object],
    change: Callable[[RoomRecord], RoomRecord],
) -> None:
    """Store another charter, made by `change` from the one there is then, if `check` does not
    refuse it. Raises what that does, `UnknownRoom`, `Busy`, `StoreUnavailable`."""
    wanted = _Change(check, change)
    room.changes.append(wanted)
    if not room.changing:
        room.changing = True
        try:
            while room.changes:
                changes, room.changes = room.changes, []
                await _store(store, room, changes)
        finally:
            room.changing = False
    while not wanted.done:
        # It takes its turn behind what is being written.
        await store.head(room.log)
    if wanted.refusal is not None:
        raise wanted.refusal


async def _store(store: Store, room: Room, changes: Sequence[_Change]) -> None:
    refusal: Refused | None = Busy()
    try:
        for _ in range(_ATTEMPTS):
            record = _changed(room, changes)
            if record is room.record:
                refusal = None
                return
            try:
                body = msgspec.msgpack.encode(record)
                room.update(await store.update(ROOM, room.log, room.version, body), record)
                refusal = None
                return
            except Conflict:
                document = await store.get(ROOM, room.log)
                if document is None:
                    raise UnknownRoom() from None
                if document.version > room.version:
                    room.update(
                        document.version, msgspec.msgpack.decode(document.body, type=RoomRecord)
                    )
    except Refused as refused:
        refusal = refused
    finally:
        for wanted in changes:
            wanted.refusal = wanted.refusal or refusal
            wanted.done = True


def _changed(room: Room, changes: Sequence[_Change]) -> RoomRecord:
    """The charter after these changes, one after another; those that are refused change nothing."""
    before = room.record
    try:
        for each in changes:
            each.refusal = None
            try:
                # What it asks is asked of the room as those before it have left it.
                each.check()
            except Refused as refused:
                each.refusal = refused
            else:
                room.record = each.change(room.record)
        return room.record
    finally:
        room.record = before
