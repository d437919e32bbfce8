"""Retention: trimming the oldest entries of mailboxes and rooms, by age and by number.

Waiting mail is never trimmed. The first entry that is young enough is found by bisection, since the
times of a log never decrease (`chatd.realm.context.Context.entry_time`). Ages are by the wall
clock: while it is ahead, entries are trimmed early; while it is behind, late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from chatd.core.entries import Entry
from chatd.core.errors import StoreUnavailable
from chatd.core.limits import Retention
from chatd.core.names import is_mailbox, mailbox_log, room_log
from chatd.realm.accounts import Account
from chatd.realm.documents import Documents
from chatd.realm.room import RoomRecord
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Store

INTERVAL_SECONDS = 600.0
"""the pause after all logs have been trimmed"""
AT_ONCE = 64
"""logs whose ends are read together"""
PAUSE_SECONDS = 0.02
"""the pause after each of these, so that other requests are not delayed"""


class Trimming:
    """Trims all logs, again and again.

    `now` gives milliseconds since 1970 (UTC). `consumed` gives, for an account, the seq up to which
    its sessions need no entries of its mailbox, None if it has no sessions.
    """

    def __init__(
        self,
        store: Store,
        retention: Retention,
        tasks: Tasks,
        now: Callable[[], int],
        consumed: Callable[[int], int | None],
    ) -> None:
        self._store = store
        self._documents = Documents(store)
        self._retention = retention
        self._tasks = tasks
        self._now = now
        self._consumed_by_sessions = consumed

    async def run(self) -> None:
        """Trim all logs now and every `INTERVAL_SECONDS`; never returns."""
        while True:
            # The store logs its failure, and the next round trims what is left of this one.
            with suppress(StoreUnavailable):
                await self.trim_all()
            await self._tasks.sleep(INTERVAL_SECONDS)

    async def trim_all(self) -> None:
        """Trim all logs once. Raises `StoreUnavailable`."""
        await self._trim_logs(Account, mailbox_log)
        await self._trim_logs(RoomRecord, room_log)

    async def _trim_logs(
        self, owner: type[Account] | type[RoomRecord], log_of: Callable[[int], str]
    ) -> None:
        after = ""
        while rows := await self._documents.scan(owner, "", after, AT_ONCE):
            await self._trim({log_of(row.record.id): row.record.id for row in rows})
            after = rows[-1].key
            await self._tasks.sleep(PAUSE_SECONDS)

    async def _trim(self, owners: Mapping[str, int]) -> None:
        """Trim some logs, given with the ids of their owners. The first entry and the head show
        that most have nothing to trim."""
        store, logs = self._store, list(owners)
        answers = await gather(
            *(store.read(log, 0, 1) for log in logs),
            *(store.head(log) for log in logs),
        )
        for log, oldest, head in zip(logs, answers, answers[len(logs) :], strict=False):
            if oldest:
                upto = await self._excess(log, oldest[0], head)
                if is_mailbox(log):
                    upto = min(upto, await self._consumed(log, owners[log]))
                if upto >= oldest[0].seq:
                    await store.trim(log, upto)

    async def _excess(self, log: str, oldest: Entry, head: int) -> int:
        """The seq up to which the entries of a log, from `oldest` to `head`, are too old or too
        many."""
        age, count = self._retention.age, self._retention.count
        too_many = 0 if count is None else head - count
        if age is None:
            return too_many
        cutoff = self._now() - age * 1000
        if oldest.time >= cutoff:
            return too_many
        # All up to `old` are too old; none from `young` on is.
        old, young = max(oldest.seq, too_many), head + 1
        while old + 1 < young:
            middle = (old + young) // 2
            entries = await self._store.read(log, middle - 1, 1)
            if entries and entries[0].time < cutoff:
                old = middle
            else:
                young = middle
        return old

    async def _consumed(self, log: str, account: int) -> int:
        """The seq up to which a mailbox has been read. Its sessions may be ahead of the store, or
        behind it."""
        consumed = self._consumed_by_sessions(account)
        if consumed is not None:
            return consumed
        for position in await self._store.positions(account, log):
            return position.cursor.upto
        return 0
