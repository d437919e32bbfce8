"""Events for the program, the bounded queue in which they wait, and the iterator that yields them.

An entry is handled when the program asks the iterator for the next event. An iterator that is left
by an exception, ``break`` or ``return`` leaves its last entry unhandled: the next iterator begins
with it, so that no acknowledgement of a later entry covers it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import TypeAlias

import msgspec
from twisted.internet.defer import Deferred

from chatd.client.library.followed_log import FollowedLog
from chatd.codecs import v1_messages as c

MAX_WAITING = 1_000
"""entries that may wait to be handled, and as many other events; entries beyond are fetched later,
other events are counted by `Overflow`"""
MAX_RARE_WAITING = 2 * MAX_WAITING
"""other events that may wait before also the rare ones are dropped: `Joined`, `Left`, `Goodbye`,
`Announcement`, `Connected`, `Disconnected`, `Retrying`"""
MAX_OF_ONE_LOG = 250
"""entries of one log that may wait to be handled, so that other logs have room"""

_SECOND_ITERATOR = "another iterator of this client's events is in use: there can be one at a time"


class Connected(msgspec.Struct, frozen=True):
    """The client has connected again and is logged in."""


class Disconnected(msgspec.Struct, frozen=True):
    """The connection is lost, or the client could not connect again. It tries again after
    `retry_in` seconds. `reason` is a sentence: the server's, if it has sent one, or what is known
    of the connection, such as ``The server closed the connection.``"""

    reason: str
    retry_in: float


class Retrying(msgspec.Struct, frozen=True):
    """The server refuses messages for now, with the code ``busy`` or ``store-unavailable``. They
    are sent again after `retry_in` seconds. `reason` is the server's sentence."""

    code: str
    reason: str
    retry_in: float


class Overflow(msgspec.Struct, frozen=True):
    """So many events of each kind were dropped in this place, because too many waited to be
    handled; `other` counts those that are not named. No entries are dropped."""

    sent: int = 0
    receipts: int = 0
    presence: int = 0
    typing: int = 0
    other: int = 0


Event: TypeAlias = c.Message | Connected | Disconnected | Retrying | Overflow
"""`Connected`, `Disconnected`, `Retrying`, `Overflow`, or a message: `Pushed`, `Sent`, `Receipt`,
`Presence`, `Typing`, `Joined`, `Left`, `Goodbye`, `Announcement`"""

_FREQUENT: dict[type, str] = {
    c.Sent: "sent",
    c.Receipt: "receipts",
    c.Presence: "presence",
    c.Typing: "typing",
}
"""the events that may be frequent, with their fields of `Overflow`"""


class EventQueue:
    """A first-in, first-out queue of events, with one iterator at a time.

    `handled` is called with each entry that the program has handled, and its log; `taken` whenever
    there is room for another entry.
    """

    def __init__(
        self, handled: Callable[[FollowedLog, c.Pushed], None], taken: Callable[[], None]
    ) -> None:
        self.reserved = 0
        """entries for which room is reserved, because they were requested"""
        self._handled = handled
        self._taken = taken
        self._events: deque[tuple[Event | None, FollowedLog | None]] = deque()
        """events with the logs of entries; None stands for what was dropped"""
        self._entries = 0
        self._dropped: Counter[str] = Counter()
        self._in_hand: tuple[c.Pushed, FollowedLog] | None = None
        self._iterator: EventIterator | None = None
        self._waiter: Deferred[None] | None = None
        self._closed = False
        self._end_reason: BaseException | None = None

    def __len__(self) -> int:
        return len(self._events)

    # For the client

    def room_for(self, log: FollowedLog) -> int:
        """How many more entries of a log may wait."""
        return max(0, min(MAX_OF_ONE_LOG - log.queued, MAX_WAITING - self._entries - self.reserved))

    def put_entry(self, entry: c.Pushed, log: FollowedLog) -> None:
        """Append an entry and wake the consumer."""
        self._entries += 1
        log.queued += 1
        self._append(entry, log)

    def put(self, event: Event) -> None:
        """Append another event and wake the consumer; or count it as dropped, if too many wait."""
        kind = _FREQUENT.get(type(event), "other")
        limit = MAX_RARE_WAITING if kind == "other" else MAX_WAITING
        if len(self._events) - self._entries < limit:
            self._append(event, None)
        else:
            if not self._dropped:
                self._append(None, None)
            self._dropped[kind] += 1

    def _append(self, event: Event | None, log: FollowedLog | None) -> None:
        if not self._closed:
            self._events.append((event, log))
            self._wake()

    def end(self, reason: BaseException) -> None:
        """Raise `reason` to the consumer after the events that wait."""
        self._end_reason = reason
        self._wake()

    def close(self) -> None:
        """End the iteration at once. What waits is not handled."""
        self._closed = True
        self._wake()

    # For the program

    def iterate(self) -> EventIterator:
        """Return an iterator that takes over from the one before. Raises `RuntimeError` if that one
        waits for an event."""
        if self._waiter is not None:
            raise RuntimeError(_SECOND_ITERATOR)
        if self._in_hand is not None:
            entry, log = self._in_hand
            self._in_hand = None
            self._entries += 1
            log.queued += 1
            self._events.appendleft((entry, log))
        self._iterator = EventIterator(self)
        return self._iterator

    def mark_handled(self) -> None:
        """Count the entry that was yielded last as handled, if it is not yet."""
        if self._in_hand is not None:
            entry, log = self._in_hand
            self._in_hand = None
            self._handled(log, entry)

    async def next(self, iterator: EventIterator) -> Event:
        """Count the entry before as handled, and return the next event of the iteration."""
        if iterator is not self._iterator or self._waiter is not None:
            raise RuntimeError(_SECOND_ITERATOR)
        self.mark_handled()
        while self._closed or not self._events:
            if self._closed:
                raise StopAsyncIteration
            if self._end_reason is not None:
                raise self._end_reason
            self._waiter = Deferred()
            try:
                await self._waiter
            finally:
                self._waiter = None
        event, event_log = self._events.popleft()
        if event is None:
            dropped, self._dropped = self._dropped, Counter()
            return Overflow(**dropped)
        if isinstance(event, c.Pushed) and event_log is not None:
            self._entries -= 1
            event_log.queued -= 1
            self._in_hand = event, event_log
            self._taken()
        return event

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)


class EventIterator:
    """The events of a client, for the one consumer that they have."""

    def __init__(self, queue: EventQueue) -> None:
        self._queue = queue

    def __aiter__(self) -> EventIterator:
        return self

    async def __anext__(self) -> Event:
        return await self._queue.next(self)
