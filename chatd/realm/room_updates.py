"""Room updates: concurrent changes are coalesced into one compare-and-set write.

Many accounts may join a room at the same moment. If each stored its change by itself, most
would find that the record had changed meanwhile, and would have to try again. So changes that
arrive while one is being stored are stored together next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.core.errors import Busy, Refused, UnknownRoom
from chatd.realm.documents import Documents
from chatd.realm.room import Room, RoomFacts, RoomRecord, RoomSnapshot
from chatd.stores import Store


class _Update:
    __slots__ = ("change", "check", "done", "refusal")

    def __init__(
        self, check: Callable[[RoomFacts], object], change: Callable[[RoomRecord], RoomRecord]
    ) -> None:
        self.check = check
        self.change = change
        self.refusal: Refused | None = None
        self.done = False


async def update_room(
    store: Store,
    room: Room,
    check: Callable[[RoomFacts], object],
    change: Callable[[RoomRecord], RoomRecord],
) -> None:
    """Store what `change` makes of a room's record.

    `check` is given the room as the changes before this one leave it, and raises to refuse this
    one. Raises what it does, `UnknownRoom`, `Busy`, `StoreUnavailable`.
    """
    update = _Update(check, change)
    room.updates.append(update)
    if not room.updating:
        room.updating = True
        try:
            while room.updates:
                updates, room.updates = room.updates, []
                await _store_together(store, room, updates)
        finally:
            room.updating = False
    while not update.done:
        # A read is answered after the writes before it, so this waits for the next of them.
        await store.head(room.log)
    if update.refusal is not None:
        raise update.refusal


async def _store_together(store: Store, room: Room, updates: Sequence[_Update]) -> None:
    def updated(record: RoomRecord | None) -> RoomRecord:
        if record is None:
            raise UnknownRoom()
        for update in updates:
            update.refusal = None
            try:
                update.check(RoomSnapshot(room.name, record))
            except Refused as refusal:
                update.refusal = refusal
            else:
                record = update.change(record)
        return record

    failure: Refused | None = Busy()
    try:
        stored = await Documents(store).change_from(RoomRecord, room.log, room.stored, updated)
        if stored is not None and stored.version > room.stored.version:
            room.stored = stored
        failure = None
    except Refused as refusal:
        failure = refusal
    finally:
        for update in updates:
            update.refusal = update.refusal or failure
            update.done = True
