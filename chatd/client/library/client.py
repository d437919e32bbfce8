"""The client library: an account's conversation with a server, whatever becomes of the connections.

    client = await connect("chat://127.0.0.1:65432", "alice", password="...", register=True)
    await client.send("bob", "hi")
    async for event in client.events():
        ...

Everything runs on Twisted's reactor: coroutines are awaited in coroutines that
`Deferred.fromCoroutine` or `task.react` runs. How it is used: docs/library.md.
"""

from __future__ import annotations

import random as random_module
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec
from twisted.internet import protocol
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger

from chatd.client.library.connection import Disconnected as LinkLost
from chatd.client.library.connection import Link
from chatd.client.library.followed_log import Log
from chatd.client.library.pending import Letters
from chatd.client.library.requests import Requests
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused, TextTooLong

CONNECT_TIME = 10.0
"""seconds that connecting may take, name look-up included"""
CLOSE_TIME = 5.0
"""seconds that `Client.close` waits for the server"""
FIRST_DELAY, LONGEST_DELAY = 0.5, 60.0
"""seconds before a lost connection is tried again: doubled each time, up to the longest, varied by
chance"""
ENOUGH = 1_000
"""events that may wait to be handled; entries beyond are left to the server, and asked for later"""
ACK_DELAY = 0.02
"""seconds that acknowledgements are gathered"""

_NOT_WELCOME = frozenset({"kicked", "account-deleted", "password-changed"})
_KEPT = (c.Joined, c.Left, c.Goodbye)
_PASSING = frozenset({"busy", "store-unavailable"})


class Connected(msgspec.Struct, frozen=True):
    """The connection is there again, and logged in."""


class Disconnected(msgspec.Struct, frozen=True):
    """The connection is gone; it is tried again after `retry_in` seconds. `reason` is a sentence or
    empty."""

    reason: str
    retry_in: float


Event: TypeAlias = c.Message | Connected | Disconnected
"""one of the two above, or `Pushed`, `Sent`, `Receipt`, `Presence`, `Typing`, `Joined`, `Left`,
`Goodbye`"""


class Client(Requests):
    """An account logged in. Made by `connect`; `Requests` has what it can ask of the server."""

    logger = Logger(namespace="chatd")

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        name: str,
        password: str | None,
        *,
        clock: Any,
        hello: c.Hello,
        register: bool,
        invite: str | None,
        positions: Iterable[c.Position],
        reconnect: bool,
        random: random_module.Random,
    ) -> None:
        self.name = name
        """the account's name, as first written once logged in"""
        self.welcome: c.Welcome
        """what the server has said of itself"""
        self.connected = False
        self._endpoint = endpoint
        self._password = password
        self._clock = IReactorTime(clock)
        self._hello = hello
        self._register = register
        self._invite = invite
        self._logs: dict[str, Log] = {}
        self._positions = {position.log: position for position in positions}
        self._reconnect = reconnect
        self._random = random
        self._link: Link | None = None
        self._letters = Letters()
        self._events: deque[Event] = deque()
        self._waiting: Deferred[None] | None = None
        self._behind = False
        self._failures = 0
        self._retry: IDelayedCall | None = None
        self._acking: IDelayedCall | None = None
        self._closing = False
        self._over: BaseException | None = None
        self._unwelcome = False
        self._watched: dict[str, None] = {}
        self._presence: c.SetPresence | None = None
        self._keys = 0

    # Knowing

    @property
    def logs(self) -> Mapping[str, Log]:
        """The logs that are followed, by name: the inbox, and rooms."""
        return self._logs

    @property
    def rooms(self) -> dict[str, c.RoomInfo]:
        """The rooms one is in, by the log's name."""
        return {log.name: log.room for log in self._logs.values() if log.room is not None}

    @property
    def positions(self) -> list[c.Position]:
        """How far the events have been handled: what to give to a later `connect` to go on
        there."""
        return [c.Position(log.name, log.since, log.handled) for log in self._logs.values()]

    # Connecting

    async def open(self) -> None:
        """Connect and log in, for the first time. Raises `Refused` and Twisted's connection
        errors."""
        await self._connect()

    async def _connect(self) -> None:
        factory = protocol.Factory.forProtocol(lambda: Link(self, self._clock))
        factory.noisy = False
        attempt: Deferred[Any] = self._endpoint.connect(factory)
        link: Link = await attempt.addTimeout(CONNECT_TIME, self._clock)
        if self._closing:
            link.abort("")
            return
        self._link = link
        try:
            self.welcome = await link.request(msgspec.structs.replace(self._hello))
            link.idle = self.welcome.idle
            logged_in = await self._log_in(link)
        except BaseException:
            link.abort("")
            raise
        self._logged_in(link, logged_in)

    async def _log_in(self, link: Link) -> c.LoggedIn:
        positions = [log.position for log in self._logs.values()] or list(self._positions.values())
        request = c.LogIn(0, self.name, self._password, positions)
        try:
            answer: c.LoggedIn = await link.request(request)
        except Refused as refused:
            if not self._register or refused.code not in ("unknown-account", "wrong-password"):
                raise
            try:
                await link.request(c.Register(0, self.name, self._password, self._invite))
            except Refused as taken:
                raise (refused if taken.code == "name-taken" else taken) from None
            answer = await link.request(request)
        return answer

    def _logged_in(self, link: Link, answer: c.LoggedIn) -> None:
        self.name = answer.name
        self._register = False
        self._failures = 0
        self._behind = False
        self.connected = True
        self._retry = None
        former = self._logs
        self._logs = {}
        for state in answer.logs:
            log = former.pop(state.log, None)
            if log is not None and log.since == state.since:
                log.again(state)
            else:
                log = Log(state)
                position = self._positions.get(state.log)
                if (
                    position is not None
                    and position.since == state.since
                    and position.seq <= state.head
                ):
                    log.received = log.handled = position.seq
            self._logs[state.log] = log
        for log in former.values():
            if log.room is not None:
                self._put(c.Left(log.room.room, "left"))
        self._acknowledge()
        self._letters.send_all(link)
        if self._presence is not None and (self._presence.away or self._presence.hidden):
            self._ignore(link.request(msgspec.structs.replace(self._presence)))
        names = list(self._watched)
        for start in range(0, len(names), 100):
            watching = link.request(c.Who(0, names[start : start + 100], True))
            self._ignore(watching.addCallback(self._seen_again))

    def _seen_again(self, people: c.People) -> None:
        for person in people.people:
            self._put(c.Presence(person))

    def _ignore(self, answer: Deferred[Any]) -> None:
        answer.addErrback(lambda failure: failure.trap(Refused, LinkLost))

    def lost(self, link: Link, reason: str) -> None:
        """See `chatd.client.library.connection.Audience`."""
        was_connected, self.connected = self.connected and link is self._link, False
        if link is self._link:
            self._link = None
        self._letters.lost(link)
        if self._closing or not was_connected:
            return
        if self._unwelcome or not self._reconnect:
            self._end(LinkLost(reason))
        else:
            self._try_later(reason)

    def _try_later(self, reason: str) -> None:
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._failures, 16))
        delay *= 0.5 + self._random.random() / 2
        self._failures += 1
        self._put(Disconnected(reason, delay))
        self._retry = self._clock.callLater(delay, self._try)

    def _try(self) -> None:
        Deferred.fromCoroutine(self._try_once()).addErrback(
            lambda failure: self.logger.failure("Reconnecting failed", failure)
        )

    async def _try_once(self) -> None:
        try:
            await self._connect()
        except Refused as refused:
            if refused.code in _PASSING:
                self._try_later(str(refused))
            else:
                self._end(refused)
        except CancelledError:
            return
        except Exception as error:  # Whatever keeps us from connecting may have passed next time.
            if not self._closing:
                self._try_later(str(error))
        else:
            if self.connected:
                self._put(Connected())

    def _end(self, reason: BaseException) -> None:
        """There will be no connection any more."""
        self._over = reason
        self._letters.fail(reason)
        self._wake()

    # Events

    def told(self, message: c.Message) -> None:
        """See `chatd.client.library.connection.Audience`."""
        match message:
            case c.Pushed():
                log = self._logs.get(message.log)
                # Nobody may be listening. What is dropped here has not been received, and comes
                # again.
                self._behind = self._behind or len(self._events) >= ENOUGH
                if self._behind or log is None or not log.take(message):
                    return
                log.follow(message, self.name)
            case c.Joined():
                self._followed(message.state)
            case c.Left():
                self._logs.pop(message.room.lower(), None)
            case c.Goodbye():
                self._unwelcome = message.code in _NOT_WELCOME
            case c.Receipt() if message.log in self._logs and message.what == "read":
                log = self._logs[message.log]
                log.read = max([log.read, *message.seqs])
        if len(self._events) < ENOUGH or isinstance(message, _KEPT):
            self._put(message)

    def _followed(self, state: c.LogState) -> None:
        if state.log not in self._logs:
            self._logs[state.log] = Log(state)

    def _put(self, event: Event) -> None:
        self._events.append(event)
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def events(self) -> AsyncIterator[Event]:
        """Everything that the server tells, in order, each thing once. Asking for the next one says
        that the one before has been handled: only then is it acknowledged, and a program that dies
        in between gets it again. Ends after `close`; raises `Refused` or `Fatal` when there will be
        no connection any more."""
        while True:
            while not self._events:
                if self._closing:
                    return
                if self._over is not None:
                    raise self._over
                self._waiting = Deferred()
                await self._waiting
            event = self._events.popleft()
            if self._behind and len(self._events) == ENOUGH // 2 and self._link is not None:
                Deferred.fromCoroutine(self._catch_up(self._link)).addErrback(
                    lambda failure: self.logger.failure("Catching up failed", failure)
                )
            yield event
            if isinstance(event, c.Pushed):
                self._handled(event)

    async def _catch_up(self, link: Link) -> None:
        """Log in again on the same connection: the server pushes what has not been received."""
        try:
            self._logged_in(link, await self._log_in(link))
        except Exception as error:  # Then another connection will do it.
            link.abort(str(error))

    def _handled(self, entry: c.Pushed) -> None:
        log = self._logs.get(entry.log)
        if log is not None and entry.seq > log.handled:
            log.handled = entry.seq
            if not self._events:
                self._acknowledge()
            elif self._acking is None:
                self._acking = self._clock.callLater(ACK_DELAY, self._acknowledge)

    def _acknowledge(self) -> None:
        """Tell the server what has been handled since it was told last."""
        if self._acking is not None and self._acking.active():
            self._acking.cancel()
        self._acking = None
        if self._link is not None and self.connected:
            for log in self._logs.values():
                if log.handled > log.told:
                    log.told = log.handled
                    self._link.tell(c.Ack(0, log.name, log.handled))

    # Requests

    async def request(self, message: Any) -> Any:
        """Ask the server something once. Raises `Refused`, `Fatal` if the connection is gone before
        the answer."""
        if self._over is not None:
            raise self._over
        if self._link is None or not self.connected:
            raise LinkLost()
        answer = await self._link.request(message)
        match message, answer:
            case _, c.RoomState():
                self._followed(answer.state)
            case c.Leave() | c.DeleteRoom(), _:
                self._logs.pop(message.room.lower(), None)
            case c.SetPresence(), _:
                self._presence = message
            case c.Who(watch=True), _:
                self._watched.update(dict.fromkeys(name.lower() for name in message.names))
            case c.Unwatch(), _:
                for name in message.names:
                    self._watched.pop(name.lower(), None)
            case c.MarkRead(), _:
                log = self._logs.get(message.log)
                if log is not None:
                    log.read = max(log.read, message.seq)
            case c.ChangePassword(), _:
                self._password = message.new
            case c.DeleteAccount(), _:
                self._unwelcome = True
        return answer

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Send a message with a key, as often as it takes. Fails with `Refused`, and with `Fatal`
        when there will be no connection any more."""
        if self._over is not None:
            return fail(self._over)
        if self._closing:
            return fail(LinkLost())
        limit = self.welcome.limits.text
        text: str = getattr(message, "text", "")
        if len(text) * 4 > limit and len(text.encode("utf-8", "surrogatepass")) > limit:
            return fail(TextTooLong())
        return self._letters.post(message, self._link if self.connected else None)

    def new_key(self) -> str:
        """A key that nobody else uses, greater than those before it."""
        self._keys += 1
        milliseconds = int(self._clock.seconds() * 1000)
        return f"{milliseconds:011x}{self._keys & 0xFFFF:04x}{self._random.getrandbits(48):012x}"

    # Leaving

    async def close(self) -> None:
        """Acknowledge what has been handled, and leave; what was sent before is waited for. It
        takes `CLOSE_TIME` at most."""
        if self._closing:
            return
        try:
            if self._link is not None and self.connected:
                self._acknowledge()
                leaving: Deferred[Any] = self._link.request(c.LogOut(0))
                await leaving.addTimeout(CLOSE_TIME, self._clock)
        except Exception:  # It is left all the same.
            self.logger.debug("The server did not answer when we left")
        self._stop()
        if self._link is not None:
            link = self._link
            closing = link.close()
            timeout = self._clock.callLater(CLOSE_TIME, link.abort, "")
            await closing
            if timeout.active():
                timeout.cancel()
        self._end(LinkLost())

    def drop(self) -> None:
        """Leave at once, as if this program had died: what has not been handled comes again to
        whoever logs in next. `events` ends."""
        self._stop()
        if self._link is not None:
            self._link.abort("")
        self._end(LinkLost())

    def _stop(self) -> None:
        self._closing = True
        for timer in (self._retry, self._acking):
            if timer is not None and timer.active():
                timer.cancel()
