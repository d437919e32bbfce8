"""Events for the program, and the bounded queue in which they wait to be handled."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

import msgspec
from twisted.internet.defer import Deferred

from chatd.codecs import v1_messages as c

MAX_WAITING = 1_000
"""events that may wait to be handled; entries beyond are not received, and are fetched later"""


class Connected(msgspec.Struct, frozen=True):
    """The client has connected again and is logged in."""


class Disconnected(msgspec.Struct, frozen=True):
    """The connection is lost. The client connects again after `retry_in` seconds. `reason` is a
    sentence, or empty after a normal close."""

    reason: str
    retry_in: float


Event: TypeAlias = c.Message | Connected | Disconnected
"""`Connected`, `Disconnected`, or a message: `Pushed`, `Sent`, `Receipt`, `Presence`, `Typing`,
`Joined`, `Left`, `Goodbye`"""


class EventQueue:
    """A first-in, first-out queue with one consumer, which may wait for the next event."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._waiter: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._events)

    @property
    def full(self) -> bool:
        """Whether `MAX_WAITING` events wait. `put` works all the same."""
        return len(self._events) >= MAX_WAITING

    def put(self, event: Event) -> None:
        """Append an event and wake the consumer."""
        self._events.append(event)
        self.wake()

    def pop(self) -> Event:
        """Remove the first event and return it. Raises `IndexError` if there is none."""
        return self._events.popleft()

    def wait(self) -> Deferred[None]:
        """Return a Deferred that the next `put` or `wake` fires."""
        self._waiter = Deferred()
        return self._waiter

    def wake(self) -> None:
        """Wake the consumer, if it waits, without an event."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)
