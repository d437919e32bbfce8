"""One open ReceiveMessages call: the messages that wait to be written to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred

from chatd.codecs.chat_pb2 import ChatMessage
from chatd.realm.session import Session

MAX_WAITING = 256
"""messages that may wait to be written to a stream before it counts as full"""


class Shown(NamedTuple):
    """An entry of the mailbox of a session. The seq alone would name an entry of another mailbox
    once the account has been deleted and its name registered again."""

    session: Session
    seq: int


class Stream:
    """A queue of messages, each with the entry that it shows (None: it shows none)."""

    def __init__(self, on_room: Callable[[], None]) -> None:
        """`on_room` is called when a full stream has room again."""
        self._on_room = on_room
        self._waiting: deque[tuple[ChatMessage, Shown | None]] = deque()
        self._ready: Deferred[None] | None = None
        self._ended = False

    @property
    def full(self) -> bool:
        """Whether the client reads more slowly than messages are put."""
        return len(self._waiting) >= MAX_WAITING

    def put(self, message: ChatMessage, shown: Shown | None = None) -> None:
        """Queue a message, unless the stream has ended."""
        if not self._ended:
            self._waiting.append((message, shown))
            self._fire()

    def end(self) -> None:
        """Queue nothing more; the call ends when all queued messages are written."""
        self._ended = True
        self._fire()

    def ready(self) -> Deferred[None]:
        """Fires when `next` has a message, or the stream is at its end."""
        ready = self._ready = Deferred()
        if self._waiting or self._ended:
            self._fire()
        return ready

    def _fire(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.callback(None)

    def next(self) -> tuple[ChatMessage, Shown | None] | None:
        """The next message and its entry, None at the end of the stream. Only when `ready`."""
        if not self._waiting:
            return None
        was_full = self.full
        message = self._waiting.popleft()
        if was_full:
            self._on_room()
        return message
