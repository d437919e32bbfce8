"""`Client`: an account logged in to a server, over as many connections as that takes.

    client = await connect("chat://127.0.0.1:65432", "alice", password="...", register=True)
    await client.send("bob", "hi")
    async for event in client.events():
        ...

It runs on Twisted's reactor: coroutines are awaited in coroutines that `Deferred.fromCoroutine` or
`task.react` runs. Guide: docs/library.md.
"""

from __future__ import annotations

import random as random_module
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import msgspec
from twisted.internet import protocol
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger

from chatd.client.library.acknowledging import Acknowledger
from chatd.client.library.backoff import Backoff
from chatd.client.library.connection import Connection
from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.client.library.events import MAX_WAITING, Connected, Disconnected, Event, EventQueue
from chatd.client.library.followed_log import FollowedLog, FollowedLogs
from chatd.client.library.login import log_in
from chatd.client.library.pending_sends import PendingSends
from chatd.client.library.presence import PresenceState
from chatd.client.library.requests import Requests
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused, TextTooLong

CONNECT_TIMEOUT = 10.0
"""seconds that connecting may take, name resolution included"""
CLOSE_TIMEOUT = 5.0
"""seconds that `Client.close` waits for the answer to `LogOut`, and again for the connection to
close"""

# The codes of `Goodbye` after which the client does not connect again.
_FINAL_GOODBYES = frozenset({"kicked", "account-deleted", "password-changed"})
# The codes of a refused login after which the client tries again later.
_TEMPORARY_REFUSALS = frozenset({"busy", "store-unavailable"})
# Events that the program gets even if the queue is full.
_NEVER_DROPPED = (c.Joined, c.Left, c.Goodbye)


class Client(Requests):
    """An account that is logged in. Created by `chatd.client.connect`; the requests to the server
    are methods of the base class, `Requests`."""

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
        token: str | None,
        save_token: Callable[[str | None], None] | None,
        reconnect: bool,
        random: random_module.Random,
        now: Callable[[], int],
    ) -> None:
        self.name = name
        """the account's name; after the login as the account was registered"""
        self.welcome: c.Welcome
        """the server's description of itself: version, limits, policies"""
        self.connected = False
        """whether there is a connection that is logged in"""
        self._endpoint = endpoint
        self._password = password
        self._token = token
        self._save_token = save_token
        self._clock = IReactorTime(clock)
        self._hello = hello
        self._registration = c.Register(0, name, password, invite) if register else None
        self._reconnect = reconnect
        self._random = random
        self._now = now
        self._connection: Connection | None = None
        self._logs = FollowedLogs(positions)
        self._events = EventQueue()
        self._acknowledger = Acknowledger(self._logs, self._clock)
        self._pending_sends = PendingSends()
        self._presence = PresenceState()
        self._backoff = Backoff(random)
        self._reconnect_timer: IDelayedCall | None = None
        self._entries_dropped = False
        self._keys_made = 0
        self._latest_key_time = 0
        self._logged_out = False  # by the server, for good
        self._closing = False
        self._end_reason: BaseException | None = None

    @property
    def logs(self) -> Mapping[str, FollowedLog]:
        """The logs that are followed, by name: the mailbox and the rooms."""
        return self._logs.by_name

    @property
    def rooms(self) -> dict[str, c.RoomInfo]:
        """The rooms that the account is a member of, by the log's name."""
        return self._logs.rooms

    @property
    def positions(self) -> list[c.Position]:
        """The position after the last handled entry of each log. Given to a later `connect`, the
        events begin there."""
        return self._logs.handled

    # Connect

    async def open(self) -> None:
        """Connect and log in for the first time. Raises `Refused`, `ConnectionClosed`, and
        Twisted's connection errors."""
        await self._connect()

    async def _connect(self) -> None:
        factory = protocol.Factory.forProtocol(lambda: Connection(self, self._clock))
        factory.noisy = False
        attempt: Deferred[Any] = self._endpoint.connect(factory)
        connection: Connection = await attempt.addTimeout(CONNECT_TIMEOUT, self._clock)
        if self._closing:
            connection.abort("")
            return
        self._connection = connection
        try:
            self.welcome = await connection.request(msgspec.structs.replace(self._hello))
            connection.idle_timeout = self.welcome.idle
            try:
                answer = await self._log_in(connection)
            except RefusedByServer as refused:
                refused.welcome = self.welcome
                raise
        except BaseException:
            connection.abort("")
            raise
        self._logged_in(connection, answer)

    # Log in

    async def _log_in(self, connection: Connection) -> c.LoggedIn:
        positions = self._logs.received
        if self._token is not None:
            try:
                answer: c.LoggedIn = await connection.request(
                    c.Resume(0, self.name, self._token, positions)
                )
            except Refused as refused:
                if refused.code in _TEMPORARY_REFUSALS:
                    raise
                self._set_token(None)
            else:
                return answer
        request = c.LogIn(0, self.name, self._password, positions)
        return await log_in(connection, request, self._registration)

    def _set_token(self, token: str | None) -> None:
        self._token = token
        if self._save_token is not None:
            self._save_token(token)

    def _logged_in(self, connection: Connection, answer: c.LoggedIn) -> None:
        """Resume on a connection that is logged in: logs, messages, presence and watch list."""
        self.name = answer.name
        self._registration = None
        self._backoff.reset()
        restored = self._logs.restored(answer.logs)
        self._entries_dropped = restored
        self.connected = True
        self._acknowledger.connection = connection
        self._reconnect_timer = None
        for room in self._logs.logged_in(answer.logs):
            self._events.put(c.Left(room.room, "left"))
        if restored:
            # What the server pushes now follows positions that mean nothing any more.
            self._log_in_again(connection)
            return
        self._acknowledger.flush()
        self._pending_sends.resend(connection)
        set_presence = self._presence.set_presence()
        if set_presence is not None:
            connection.request(set_presence).addErrback(_ignore_refusal)
        for watch in self._presence.watch():
            people = connection.request(watch).addCallback(self._watching_again)
            people.addErrback(_ignore_refusal)

    def _watching_again(self, answer: c.People) -> None:
        for person in answer.people:
            self._events.put(c.Presence(person))

    # Reconnect

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """Connect again later, unless the client is closing or logged out for good.

        See `chatd.client.library.connection.ConnectionHandler`.
        """
        was_connected = self.connected and connection is self._connection
        self.connected = False
        self._acknowledger.connection = None
        if connection is self._connection:
            self._connection = None
        self._pending_sends.connection_lost(connection)
        if self._closing or not was_connected:
            return
        if self._logged_out or not self._reconnect:
            self._end(ConnectionClosed(reason))
        else:
            self._reconnect_later(reason)

    def _reconnect_later(self, reason: str) -> None:
        delay = self._backoff.next_delay()
        self._events.put(Disconnected(reason, delay))
        self._reconnect_timer = self._clock.callLater(delay, self._start_reconnecting)

    def _start_reconnecting(self) -> None:
        Deferred.fromCoroutine(self._connect_again()).addErrback(
            lambda failure: self.logger.failure("Reconnecting failed", failure)
        )

    async def _connect_again(self) -> None:
        try:
            await self._connect()
        except Refused as refused:
            if refused.code in _TEMPORARY_REFUSALS:
                self._reconnect_later(str(refused))
            else:
                self._end(refused)
        except CancelledError:
            return
        except Exception as error:  # No error of the network or the server is taken as permanent.
            if not self._closing:
                self._reconnect_later(str(error))
        else:
            if self.connected:
                self._events.put(Connected())

    # Events

    def event_received(self, message: c.Message) -> None:
        """Queue an event and apply it to the logs.

        See `chatd.client.library.connection.ConnectionHandler`.
        """
        match message:
            case c.Pushed():
                log = self._logs.get(message.log)
                # After a dropped entry all later ones are dropped too: another login gets them.
                self._entries_dropped = self._entries_dropped or self._events.full
                if self._entries_dropped or log is None or not log.receive(message):
                    return
                log.update_room(message, self.name)
            case c.Joined():
                self._logs.follow(message.state)
            case c.Left():
                self._logs.unfollow(message.room)
            case c.Token():
                self._set_token(message.token)
                return
            case c.Goodbye():
                self._logged_out = message.code in _FINAL_GOODBYES
            case c.Receipt() if message.what == "read":
                self._logs.mark_read(message.log, max(message.seqs, default=0))
        if not self._events.full or isinstance(message, _NEVER_DROPPED):
            self._events.put(message)

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events of the server in order, each entry once.

        Asking for the next event means that the one before is handled: only then is an entry
        acknowledged. A program that dies while it handles an entry gets it again at its next login.
        Ends after `close` or `drop`. Raises `Refused` or `ConnectionClosed` if the client gives up
        connecting.
        """
        while True:
            while not self._events:
                if self._closing:
                    return
                if self._end_reason is not None:
                    raise self._end_reason
                await self._events.wait()
            event = self._events.pop()
            if (
                self._entries_dropped
                and len(self._events) == MAX_WAITING // 2
                and self._connection is not None
            ):
                self._log_in_again(self._connection)
            yield event
            if isinstance(event, c.Pushed):
                self._handled(event)

    def _log_in_again(self, connection: Connection) -> None:
        Deferred.fromCoroutine(self._fetch_dropped(connection)).addErrback(
            lambda failure: self.logger.failure("Catching up failed", failure)
        )

    async def _fetch_dropped(self, connection: Connection) -> None:
        """Log in again on the same connection: the server pushes the entries not received."""
        try:
            self._logged_in(connection, await self._log_in(connection))
        except Exception as error:  # The entries are pushed to the next connection.
            connection.abort(str(error))

    # Acknowledge

    def _handled(self, entry: c.Pushed) -> None:
        log = self._logs.get(entry.log)
        if log is not None and entry.seq > log.handled:
            log.handled = entry.seq
            if self._events:
                self._acknowledger.schedule()
            else:
                self._acknowledger.flush()

    # Requests

    async def request(self, message: Any) -> Any:
        """Send a request once and return its answer. Raises `Refused`, or `ConnectionClosed` if
        there is no connection or it is lost before the answer."""
        if self._end_reason is not None:
            raise self._end_reason
        if self._connection is None or not self.connected:
            raise ConnectionClosed()
        answer = await self._connection.request(message)
        self._presence.requested(message)
        match message, answer:
            case _, c.RoomState():
                self._logs.follow(answer.state)
            case c.Leave() | c.DeleteRoom(), _:
                self._logs.unfollow(message.room)
            case c.MarkRead(), _:
                self._logs.mark_read(message.log, message.seq)
            case c.ChangePassword(), _:
                self._password = message.new
            case c.DeleteAccount(), _:
                self._logged_out = True
        return answer

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Send a message that has a key, again over each new connection until it is answered.

        Fails with `Refused` (`TextTooLong` without asking the server), or with the reason for which
        the client gave up connecting.
        """
        if self._end_reason is not None:
            return fail(self._end_reason)
        if self._closing:
            return fail(ConnectionClosed())
        limit = self.welcome.limits.text
        text: str = getattr(message, "text", "")
        # A character has at most 4 bytes: most texts need not be encoded to be measured.
        if len(text) * 4 > limit and len(text.encode("utf-8", "surrogatepass")) > limit:
            return fail(TextTooLong())
        return self._pending_sends.post(message, self._connection if self.connected else None)

    def new_key(self) -> str:
        """Return a unique key, greater than those before it."""
        self._keys_made += 1
        # The wall clock may be set back.
        time = self._latest_key_time = max(self._now(), self._latest_key_time)
        return f"{time:011x}{self._keys_made & 0xFFFF:04x}{self._random.getrandbits(48):012x}"

    # Close

    async def close(self, *, keep_token: bool = False) -> None:
        """Acknowledge the handled entries, log out and close the connection. `events` ends. The
        resume token ends too, unless `keep_token`.

        The server answers the messages sent over this connection before it logs out; messages that
        are still unanswered fail. Takes at most twice `CLOSE_TIMEOUT`. A second call returns at
        once.
        """
        if self._closing:
            return
        try:
            if self._connection is not None and self.connected:
                self._acknowledger.flush()
                answer: Deferred[Any] = self._connection.request(c.LogOut(0, keep_token))
                await answer.addTimeout(CLOSE_TIMEOUT, self._clock)
                if not keep_token and self._token is not None:
                    self._set_token(None)
        except Exception:  # The connection is closed in any case.
            self.logger.debug("The server did not answer the request to log out")
        self._stop()
        if self._connection is not None:
            connection = self._connection
            closed = connection.close()
            timeout = self._clock.callLater(CLOSE_TIMEOUT, connection.abort, "")
            await closed
            if timeout.active():
                timeout.cancel()
        self._end(ConnectionClosed())

    def drop(self) -> None:
        """Close the connection at once, as if the program had died: entries that are not
        acknowledged are pushed again after the account's next login. `events` ends."""
        self._stop()
        if self._connection is not None:
            self._connection.abort("")
        self._end(ConnectionClosed())

    def _stop(self) -> None:
        """Cancel the timers, and do not connect again."""
        self._closing = True
        self._acknowledger.cancel()
        if self._reconnect_timer is not None and self._reconnect_timer.active():
            self._reconnect_timer.cancel()

    def _end(self, reason: BaseException) -> None:
        """Fail with `reason` all that waits, and every later request: there will be no other
        connection."""
        self._end_reason = reason
        self._pending_sends.fail(reason)
        self._events.wake()


def _ignore_refusal(failure: Any) -> None:
    failure.trap(Refused, ConnectionClosed)
