"""`FakeClient`: the library's client without a server; the test gives answers and events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred, fail

from chatd.client.library.encoding import encode_request
from chatd.client.library.errors import ConnectionClosed
from chatd.client.library.events import Event
from chatd.client.library.followed_log import FollowedLog
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused
from chatd.core.names import is_mailbox, is_room, mailbox_name

LIMITS = c.Limits(65536, 256, 256, 100, 1000.0, 131072)
SINCE = 1767225600000


def state(log: str, head: int = 0, topic: str = "") -> c.LogState:
    """The state of a log whose entries are all acknowledged and read; rooms have two members."""
    room = c.RoomInfo(log, SINCE, topic, False, "", 2, "member") if is_room(log) else None
    return c.LogState(log.lower(), SINCE, head, head, head, room)


class FakeClient:
    """The methods of `chatd.client.Client` that the command line client uses.

    A request is recorded in `asked` and answered with the value in `answers` for its class, or with
    `Done`. The value is an answer, an exception to raise, or a list of them, used one by one. A
    message given to `post` is accepted at once or, if `slow` is set, by `accept`.
    """

    def __init__(self, name: str = "alice", rooms: tuple[str, ...] = ("#lobby",)) -> None:
        self.name = name
        self.welcome = c.Welcome(0, "chatd", "1.2", LIMITS, "open", True, SINCE, 60.0)
        self.connected = True
        self.scopes: list[str] = []
        self.credentials_changed = 0
        self.logs = {mailbox_name(name): FollowedLog(state(mailbox_name(name)))}
        self.logs |= {room.lower(): FollowedLog(state(room)) for room in rooms}
        self.answers: dict[type, Any] = {
            c.GetBlocked: c.Names(0, []),
            c.FindMembers: c.Members(0, []),
            c.FindBans: c.Restrictions(0, []),
            c.FindSilenced: c.Restrictions(0, []),
            c.Who: c.People(0, []),
        }
        self.asked: list[Any] = []
        self.slow = False
        self.posted: list[tuple[Any, Deferred[c.Accepted]]] = []
        self.closed = False
        self._events: list[Event | Exception] = []
        self._waiter: Deferred[None] | None = None
        self._seqs: dict[str, int] = {}

    @property
    def rooms(self) -> dict[str, c.RoomInfo]:
        """The rooms among the logs, by the log's name."""
        return {log.name: log.room for log in self.logs.values() if log.room is not None}

    async def request(self, message: Any) -> Any:
        """Record a request and return its prepared answer; refuse what cannot be sent."""
        if not self.connected:
            raise ConnectionClosed()
        encode_request(message, self.welcome.limits)
        self.asked.append(message)
        answer = self.answers.get(type(message), c.Done(0))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, c.RoomState):
            self.logs[answer.state.log] = FollowedLog(answer.state)
        return answer

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Record a message, and accept it unless `slow` is set; refuse what cannot be sent."""
        try:
            encode_request(message, self.welcome.limits)
        except Refused as refused:
            return fail(refused)
        self.asked.append(message)
        answer: Deferred[c.Accepted] = Deferred()
        self.posted.append((message, answer))
        if not self.slow:
            self.accept()
        return answer

    def accept(self, error: Exception | None = None) -> None:
        """Answer the oldest unanswered message: accepted, or failed with `error`."""
        message, answer = self.posted.pop(0)
        if error is not None:
            answer.errback(error)
            return
        log = message.recipient if isinstance(message, c.Send) else message.log
        log = log.lower() if is_room(log) or is_mailbox(log) else mailbox_name(log)
        seq = self._seqs[log] = self._seqs.get(log, 0) + 1
        answer.callback(c.Accepted(0, log, seq, 1000 * len(log) + seq, SINCE))

    def new_key(self) -> str:
        """Return the same key each time."""
        return "key"

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events given to `tell`."""
        while not self.closed:
            while self._events:
                event = self._events.pop(0)
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, c.Pushed):
                    self.logs[event.log].handled = event.seq
            if not self.closed:
                self._waiter = Deferred()
                await self._waiter

    def tell(self, *events: Event | Exception) -> None:
        """Add events to those that `events` yields; it raises an exception among them."""
        self._events += events
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    async def close(self) -> None:
        """End the events and fail the unanswered messages."""
        self.closed = True
        while self.posted:
            self.accept(ConnectionClosed())
        self._wake()


def pushed(
    log: str,
    sender: str,
    body: str = "",
    kind: str = "text",
    *,
    seq: int = 1,
    about: int = 0,
    id: int = 0,
) -> c.Pushed:
    """An entry, whose id is its seq unless it is given."""
    return c.Pushed(log, seq, id or seq, SINCE + seq * 1000, sender, kind, body, about)
