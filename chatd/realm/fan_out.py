"""Fan-out: entries for many sessions are pushed in parts, between which other work goes on.

What has to follow them waits in the same queue: the answers to their senders, and later answers and
receipts, so that no sender is answered before its recipients. Meanwhile sessions begin, end, fall
behind and catch up: `Subscription.sent` is what each of them has been sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from chatd.realm.live_log import LiveLog, Run
from chatd.realm.tasks import Tasks
from chatd.stores import PAGE_BYTES, Append

_AT_ONCE = 300
_ENTRIES_AT_ONCE = 16
"""entries for one session that are as much work as those for another one, if one write has them"""


def work_of(entries: Sequence[Append], separate_writes: bool) -> int:
    """How many sessions the entries for one session count as (`Peer.separate_writes`)."""
    return len(entries) if separate_writes else 1 + len(entries) // _ENTRIES_AT_ONCE


def work_for_all(live_log: LiveLog, entries: Sequence[Append]) -> int:
    """How many sessions the entries for all subscriptions of a log count as."""
    separate = live_log.separate_writes
    others = len(live_log.subscriptions) - separate
    return separate * work_of(entries, True) + others * work_of(entries, False)


class FanOut:
    """The queue of entries for many sessions, and of what follows them."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        # Logs with entries to push, and functions with the number of senders they answer.
        self._queue: deque[LiveLog | tuple[Callable[[], None], int]] = deque()
        # The entries of the logs in the queue.
        self._entries: dict[LiveLog, list[Append]] = {}
        self.at_once = _AT_ONCE
        """sessions that are pushed to (`work_of`), or senders that are answered, before other work
        goes on"""
        # How much of that may still be done.
        self._left = 0
        self.busy = False
        """whether anything is in the queue"""

    def push(self, live_log: LiveLog, entries: Sequence[Append]) -> None:
        """Push entries of a log to its live subscriptions, when their turn comes."""
        waiting = self._entries.get(live_log)
        if waiting is not None:
            waiting += entries
            return
        if live_log.fan_out_after is None:
            live_log.fan_out_after = entries[0].seq - 1
        self._entries[live_log] = list(entries)
        self._add(live_log)

    def then(self, function: Callable[[], None], work: int = 1) -> None:
        """Call a function, which answers so many senders, after everything that is in the queue; at
        once if there is nothing."""
        if self.busy:
            self._add((function, work))
        else:
            function()

    def _add(self, step: LiveLog | tuple[Callable[[], None], int]) -> None:
        self._queue.append(step)
        if not self.busy:
            self.busy = True
            self._tasks.spawn(self._run())

    async def _run(self) -> None:
        """Take the steps of the queue until it is empty. The first one waits for the next turn."""
        await self._tasks.sleep(0)
        self._left = self.at_once
        try:
            while self._queue:
                step = self._queue.popleft()
                if isinstance(step, LiveLog):
                    await self._push(step)
                else:
                    function, work = step
                    await self._let_others(work)
                    function()
        except Exception:
            # A function has failed: what follows it does not wait for more entries.
            self._tasks.spawn(self._run())
            raise
        self.busy = False

    async def _let_others(self, work: int) -> None:
        """Let other work go on if enough has been done; then count some work."""
        if self._left <= 0:
            await self._tasks.sleep(0)
            self._left = self.at_once
        self._left -= work

    async def _push(self, live_log: LiveLog) -> None:
        for entries in _parts(self._entries.pop(live_log)):
            await self._push_part(live_log, entries)
        if live_log not in self._entries:
            live_log.fan_out_after = None

    async def _push_part(self, live_log: LiveLog, entries: list[Append]) -> None:
        first, last = entries[0].seq, entries[-1].seq
        run = Run(live_log.name, entries, {})
        for subscription in list(live_log.subscriptions):
            if not subscription.live or subscription.sent >= last:
                continue
            peer = subscription.session.peer
            await self._let_others(work_of(entries, peer.separate_writes))
            sent = subscription.sent
            # It may have stopped, or caught up, meanwhile.
            if subscription.live and sent < last:
                subscription.sent = last
                own = run if sent < first else Run(run.log, entries[sent - first + 1 :])
                subscription.session.outbox.append(own)
                subscription.session.push()
        live_log.fan_out_after = last


def _parts(entries: list[Append]) -> Iterator[list[Append]]:
    """Entries in parts of about `PAGE_BYTES` of text: a session that does not read is written the
    first one only. A part has no more entries than there is work at once."""
    start = size = 0
    for end, entry in enumerate(entries):
        size += len(entry.body)
        if (size > PAGE_BYTES or end - start >= _AT_ONCE) and end > start:
            yield entries[start:end]
            start, size = end, len(entry.body)
    yield entries[start:]
