"""A client of the library without a server: what is asked is kept, what is answered is said by the
test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred

from chatd.client.library.client import Event
from chatd.client.library.followed_log import Log
from chatd.codecs import v1_messages as c
from chatd.core.errors import Fatal, Refused

LIMITS = c.Limits(65536, 256, 256, 100, 1000.0, 131072)
SINCE = 1767225600000


class Gone(Fatal):
    """The connection to the server is gone."""

    code = "disconnected"


class No(Refused):
    """What a server refuses."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code  # type: ignore[misc]  # each has that of its server


def state(log: str, head: int = 0, topic: str = "") -> c.LogState:
    """A log that is followed; rooms have two members."""
    room = c.RoomInfo(log, SINCE, topic, False, "", 2, "member") if log.startswith("#") else None
    return c.LogState(log.lower(), SINCE, head, head, head, room)


class FakeClient:
    """Has the methods of `chatd.client.Client` that the dialogue uses.

    A request is answered by what `answers` has for its class (an answer, an error to raise, or a
    list of them, one for each time), else by `Done`; a message is accepted at once, unless `slow`:
    then by `accept`.
    """

    def __init__(self, name: str = "alice", rooms: tuple[str, ...] = ("#lobby",)) -> None:
        self.name = name
        self.welcome = c.Welcome(0, "chatd", "1.2", LIMITS, "open", True, SINCE, 60.0)
        self.connected = True
        self.logs = {f"@{name}".lower(): Log(state(f"@{name}"))}
        self.logs |= {room.lower(): Log(state(room)) for room in rooms}
        self.answers: dict[type, Any] = {
            c.GetBlocked: c.Names(0, []),
            c.FindMembers: c.Members(0, []),
            c.Who: c.People(0, []),
        }
        self.asked: list[Any] = []
        self.slow = False
        self.posted: list[tuple[Any, Deferred[c.Accepted]]] = []
        self.closed = False
        self._events: list[Event | Exception] = []
        self._waiting: Deferred[None] | None = None
        self._seqs: dict[str, int] = {}

    @property
    def rooms(self) -> dict[str, c.RoomInfo]:
        """As the library has it."""
        return {log.name: log.room for log in self.logs.values() if log.room is not None}

    async def request(self, message: Any) -> Any:
        """The answer that was prepared."""
        if not self.connected:
            raise Gone()
        self.asked.append(message)
        answer = self.answers.get(type(message), c.Done(0))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, c.RoomState):
            self.logs[answer.state.log] = Log(answer.state)
        return answer

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Keep it; accept it, unless that is for later."""
        self.asked.append(message)
        answer: Deferred[c.Accepted] = Deferred()
        self.posted.append((message, answer))
        if not self.slow:
            self.accept()
        return answer

    def accept(self, error: Exception | None = None) -> None:
        """What was posted first is durable, or refused."""
        message, answer = self.posted.pop(0)
        if error is not None:
            answer.errback(error)
            return
        log = message.recipient if isinstance(message, c.Send) else message.log
        log = log.lower() if log.startswith(("#", "@")) else f"@{log.lower()}"
        seq = self._seqs[log] = self._seqs.get(log, 0) + 1
        answer.callback(c.Accepted(0, log, seq, 1000 * len(log) + seq, SINCE))

    def new_key(self) -> str:
        """Any."""
        return "key"

    async def events(self) -> AsyncIterator[Event]:
        """What `tell` was given."""
        while not self.closed:
            while self._events:
                event = self._events.pop(0)
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, c.Pushed):
                    self.logs[event.log].handled = event.seq
            if not self.closed:
                self._waiting = Deferred()
                await self._waiting

    def tell(self, *events: Event | Exception) -> None:
        """These happen; an exception ends them."""
        self._events += events
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def close(self) -> None:
        """Leave: what has not been accepted will not be."""
        self.closed = True
        while self.posted:
            self.accept(Gone())
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
    """An entry; its id is its seq, unless it is given."""
    return c.Pushed(log, seq, id or seq, SINCE + seq * 1000, sender, kind, body, about)
