"""Retention: the oldest entries of inboxes and rooms go when they are too old, or too many.

Mail that waits is never trimmed. Whether entries are too old is found by bisection, since a log's
times grow with its seqs; where the system's clock has been set back, an entry may go a little early
or late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from chatd.core.entries import Cursor, Entry
from chatd.core.errors import StoreUnavailable
from chatd.core.limits import Retention
from chatd.core.names import is_mailbox, mailbox_log, room_log
from chatd.realm.accounts import Account
from chatd.realm.documents import Documents, Stored
from chatd.realm.room import RoomRecord
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Store

INTERVAL_SECONDS = 600.0
"""how long it rests after it has gone through all logs"""
AT_ONCE = 64
"""logs that are looked at together"""
PAUSE_SECONDS = 0.02
"""how long it rests after each of these, so that nobody waits for it"""


class Trimming:
    """Goes through all logs, again and again. `now` gives milliseconds since 1970 (UTC); `read`,
    for an inbox, up to which seq its sessions have read it, None if there are none."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        background: Tasks,
        now: Callable[[], int],
        read: Callable[[str], int | None],
    ) -> None:
        self._store = store
        self._documents = Documents(store)
        self._retention = retention
        self._background = background
        self._now = now
        self._read_by_sessions = read

    async def go_on(self) -> None:
        """Trim all logs, now and every `INTERVAL_SECONDS`."""
        while True:
            # The store says itself that it fails; the next round does what is left of this one.
            with suppress(StoreUnavailable):
                await self.trim_all()
            await self._background.sleep(INTERVAL_SECONDS)

    async def trim_all(self) -> None:
        """Trim all logs once. Raises `StoreUnavailable`."""
        await self._trim_logs(Account, mailbox_log)
        await self._trim_logs(RoomRecord, room_log)

    async def _trim_logs(
        self, owner: type[Account] | type[RoomRecord], log_of: Callable[[str], str]
    ) -> None:
        after = ""
        while names := await self._documents.page(owner, "*", after, AT_ONCE):
            await self._trim([log_of(name) for name in names])
            after = names[-1]
            await self._background.sleep(PAUSE_SECONDS)

    async def _trim(self, logs: Sequence[str]) -> None:
        """Trim some logs. Most have nothing to trim, which their first entry and their head
        tell."""
        store = self._store
        answers = await gather(
            *(store.read(log, 0, 1) for log in logs),
            *(store.head(log) for log in logs),
        )
        for log, oldest, head in zip(logs, answers, answers[len(logs) :], strict=False):
            if oldest:
                upto = await self._excess(log, oldest[0], head)
                if upto >= oldest[0].seq:
                    await self._trim_one(log, oldest[0], upto)

    async def _excess(self, log: str, oldest: Entry, head: int) -> int:
        """Up to which seq the entries of a log, whose first and last are known, are too old or too
        many."""
        age, count = self._retention.age, self._retention.count
        too_many = 0 if count is None else head - count
        if age is None:
            return too_many
        cutoff = self._now() - age * 1000
        if oldest.time >= cutoff:
            return too_many
        # All up to `old` are too old; none from `young` on is, as far as is known.
        old, young = max(oldest.seq, too_many), head + 1
        while old + 1 < young:
            middle = (old + young) // 2
            found = await self._store.read(log, middle - 1, 1)
            if found and found[0].time < cutoff:
                old = middle
            else:
                young = middle
        return old

    async def _trim_one(self, log: str, oldest: Entry, upto: int) -> None:
        """Trim a log unless it has become another meanwhile; an inbox as far as it has been
        read."""
        still, cursor = await gather(self._store.read(log, 0, 1), self._documents.get(Cursor, log))
        if not still or still[0].id != oldest.id:
            return
        if is_mailbox(log):
            upto = min(upto, self._read(log, cursor))
        if upto >= oldest.seq:
            await self._store.trim(log, upto)

    def _read(self, log: str, cursor: Stored[Cursor] | None) -> int:
        """Up to which seq an inbox has been read. Sessions know what the store will be told when
        they end."""
        read = self._read_by_sessions(log)
        if read is not None:
            return read
        return 0 if cursor is None else cursor.record.upto
