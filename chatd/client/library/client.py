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

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger

from chatd.client.library.acknowledging import Acknowledger
from chatd.client.library.backoff import Backoff
from chatd.client.library.catching_up import CatchingUp
from chatd.client.library.connection import Connection
from chatd.client.library.credentials import Credentials
from chatd.client.library.encoding import encode_request
from chatd.client.library.errors import (
    TEMPORARY_LOGIN_REFUSALS,
    ConnectionClosed,
    RefusedByServer,
)
from chatd.client.library.events import Connected, Disconnected, Event, EventQueue, Retrying
from chatd.client.library.followed_log import FollowedLog, FollowedLogs
from chatd.client.library.keys import Keys
from chatd.client.library.opening import CONNECT_TIMEOUT, open_connection
from chatd.client.library.pending_sends import PendingSends
from chatd.client.library.presence import PresenceState
from chatd.client.library.requests import Requests
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused

CLOSE_TIMEOUT = 5.0
"""seconds that `Client.close` waits for the answer to `LogOut`, and again for the connection to
close"""
STABLE_TIME = 30.0
"""seconds after which a session counts as a success: the delays before the client connects again
then begin with the shortest one"""

# The codes of `Goodbye` after which the client does not connect again.
_FINAL_GOODBYES = frozenset(
    {
        "kicked",
        "account-deleted",
        "password-changed",
        "suspended",
        "address-banned",
        "token-ended",
    }
)
# Those after which its token logs in again, when an operator allows that.
_TOKEN_STAYS = frozenset({"suspended", "address-banned"})


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
        access_token: str | None = None,
        reconnect: bool,
        random: random_module.Random,
        now: Callable[[], int],
    ) -> None:
        self.name = name
        """the account's name; after the login as the account was registered"""
        self.welcome: c.Welcome
        """the server's description of itself: version, limits, policies"""
        self.scopes: list[str] = []
        """what the access token permits; empty: everything"""
        self.credentials_changed = 0
        """when the certificates or access tokens of the account were last changed, if a user should
        be notified; otherwise 0"""
        self.connected = False
        """whether there is a connection that is logged in"""
        self._endpoint = endpoint
        registration = c.Register(0, name, password, invite) if register else None
        self._credentials = Credentials(
            name, password, token, save_token, registration, access_token
        )
        self._clock = IReactorTime(clock)
        self._hello = hello
        self._reconnect = reconnect
        self._keys = Keys(now, random)
        self._connection: Connection | None = None
        self._logs = FollowedLogs(positions)
        self._events = EventQueue(self._handled, lambda: self._catching_up.fetch())
        self._acknowledger = Acknowledger(self._logs, self._clock)
        self._catching_up = CatchingUp(
            self._logs, self._events, self._receive, self._clock, Backoff(random)
        )
        self._pending_sends = PendingSends(self._clock, Backoff(random), self._retrying)
        self._presence = PresenceState()
        self._backoff = Backoff(random)
        self._attempt: Deferred[tuple[Connection, c.Welcome]] | None = None
        self._reconnect_timer: IDelayedCall | None = None
        self._stable_timer: IDelayedCall | None = None
        self._logged_out = False  # by the server, for good
        self._closing = False
        self._end_reason: ConnectionClosed | None = None

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
        self._attempt = Deferred.fromCoroutine(
            open_connection(self._endpoint, self, self._clock, self._hello)
        )
        try:
            connection, self.welcome = await self._attempt
        finally:
            self._attempt = None
        self._connection = connection
        try:
            await self._log_in(connection)
        except BaseException:
            connection.abort("")
            raise

    async def _log_in(self, connection: Connection) -> None:
        left: list[c.RoomInfo] = []
        try:
            answer = await self._credentials.log_in(connection, self._logs.received)
            restored = self._logs.restored(answer.logs)
            left += self._logs.logged_in(answer.logs)
            if restored:
                # What the server pushes now follows positions that mean nothing any more.
                answer = await self._credentials.log_in(connection, self._logs.received)
                if self._logs.restored(answer.logs):
                    raise ConnectionClosed("The server names logs that end before they begin.")
                left += self._logs.logged_in(answer.logs)
        except RefusedByServer as refused:
            refused.welcome = self.welcome
            raise
        self.name = answer.name
        self.scopes, self.credentials_changed = answer.scopes, answer.changed
        self._logged_in(connection, left)

    def _logged_in(self, connection: Connection, left: list[c.RoomInfo]) -> None:
        """Resume on a connection that is logged in: logs, messages, presence and watch list. The
        rooms in `left` are not the account's any more."""
        self.connected = True
        self._stable_timer = self._clock.callLater(STABLE_TIME, self._backoff.reset)
        self._acknowledger.connection = connection
        self._acknowledger.flush()
        self._catching_up.logged_in(connection)
        self._pending_sends.resend(connection)
        self._presence.restore(connection, lambda person: self._events.put(c.Presence(person)))
        # Last, because the program may send messages or close the client when it gets an event.
        for room in left:
            self._events.put(c.Left(room.room, "left"))

    # Reconnect

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """Connect again later, unless the client is closing or logged out for good.

        See `chatd.client.library.connection.ConnectionHandler`.
        """
        was_connected = self.connected and connection is self._connection
        self._pending_sends.connection_lost(connection)
        if connection is not self._connection:
            return
        self._connection = None
        self._disconnect()
        if self._closing or not was_connected:
            return
        if self._logged_out or not self._reconnect:
            self._end(ConnectionClosed(reason))
        else:
            self._reconnect_later(reason)

    def _disconnect(self) -> None:
        """Stop what needs a connection that is logged in."""
        self.connected = False
        self._acknowledger.connection = None
        self._catching_up.stop()
        if self._stable_timer is not None and self._stable_timer.active():
            self._stable_timer.cancel()

    def _reconnect_later(self, reason: str) -> None:
        delay = self._backoff.next_delay()
        # First the timer: the program may close the client when it gets the event.
        self._reconnect_timer = self._clock.callLater(delay, self._start_reconnecting)
        self._events.put(Disconnected(reason, delay))

    def _start_reconnecting(self) -> None:
        Deferred.fromCoroutine(self._connect_again()).addErrback(
            lambda failure: self.logger.failure("Reconnecting failed", failure)
        )

    async def _connect_again(self) -> None:
        try:
            await self._connect()
        except Refused as refused:
            if self._closing:
                return
            if refused.code in TEMPORARY_LOGIN_REFUSALS:
                self._reconnect_later(str(refused))
            else:
                self._end(refused)
        except CancelledError:
            return
        except TimeoutError:
            if not self._closing:
                self._reconnect_later(
                    f"The connection was not made within {CONNECT_TIMEOUT:g} seconds."
                )
        except Exception as error:  # No error of the network or the server is taken as permanent.
            if not self._closing:
                self._reconnect_later(str(error))
        else:
            if self.connected:
                self._events.put(Connected())

    # Events

    def event_received(self, message: c.Message) -> None:
        """Apply an event to the logs, and queue it.

        See `chatd.client.library.connection.ConnectionHandler`.
        """
        match message:
            case c.Token():
                self._credentials.set_token(message.token)
                return
            case c.Goodbye():
                self._logged_out = message.code in _FINAL_GOODBYES
                if self._logged_out and message.code not in _TOKEN_STAYS:
                    self._credentials.token_ended()
            case _ if not self.connected:
                return  # It belongs to a session before this one, or its log begins anew.
            case c.Pushed():
                log = self._logs.get(message.log)
                if log is not None:
                    self._catching_up.pushed(log, message)
                return
            case c.Joined():
                self._logs.follow(message.state)
            case c.Left():
                self._logs.unfollow(message.room)
            case c.Receipt() if message.what == "read":
                self._logs.mark_read(message.log, max(message.seqs, default=0))
        self._events.put(message)

    def _receive(self, log: FollowedLog, entry: c.Pushed) -> None:
        if log.receive(entry):
            log.update_room(entry, self.name)
            self._events.put_entry(entry, log)

    def _retrying(self, refusal: Refused, delay: float) -> None:
        self._events.put(Retrying(refusal.code, str(refusal), delay))

    def events(self) -> AsyncIterator[Event]:
        """Return an iterator of the server's events, in order, each entry once.

        Asking the iterator for the next event means that the one before is handled: only then is an
        entry acknowledged. If the program leaves the loop before, by an exception, ``break`` or
        ``return``, the next iterator begins with that entry again, unless `mark_handled` was
        called; a program that dies gets it at its next login.

        There is one iterator at a time. Raises `RuntimeError` if another one waits for an event; an
        iterator that does not wait is replaced, and raises `RuntimeError` when it is used again.

        The iteration ends with `close` or `drop`. It raises `Refused` or `ConnectionClosed` if the
        client gives up connecting.
        """
        return self._events.iterate()

    # Acknowledge

    def mark_handled(self) -> None:
        """Count the last entry that `events` has yielded as handled, before a program leaves the
        loop or closes the client."""
        self._events.mark_handled()

    def _handled(self, log: FollowedLog, entry: c.Pushed) -> None:
        if entry.seq > log.handled:
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
        if self._connection is None or not self.connected or self._closing:
            raise ConnectionClosed()
        if isinstance(message, c.ChangePassword):
            answer = await self._credentials.change_password(self._connection, message)
        else:
            answer = await self._connection.request(message)
        self._presence.requested(message)
        match message, answer:
            case _, c.RoomState():
                self._logs.follow(answer.state)
            case c.Leave() | c.DeleteRoom(), _:
                self._logs.unfollow(message.room)
            case c.MarkRead(), _:
                self._logs.mark_read(message.log, message.seq)
            case c.DeleteAccount(), _:
                self._logged_out = True
                self._credentials.token_ended()
        return answer

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Send a message that has a key until it is answered: again over each new connection, and
        after a refusal with the code ``busy`` or ``store-unavailable``.

        Fails with `Refused`, or with `ConnectionClosed` after `close` or when the client gives up
        connecting. What the server would refuse because of its size or form is refused at once.
        """
        if self._end_reason is not None:
            return fail(self._end_reason)
        if self._closing:
            return fail(ConnectionClosed())
        try:
            encode_request(message, self.welcome.limits)
        except Refused as refused:
            return fail(refused)
        return self._pending_sends.post(message)

    def new_key(self) -> str:
        """Return a unique key, greater than those before it."""
        return self._keys.new()

    async def delete_account(self, password: str | None = None) -> None:
        """Delete the account, and close the client. `events` ends."""
        await super().delete_account(password)
        await self.close()

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
        self._stop()
        connection = self._connection
        if connection is not None:
            if self.connected and not self._logged_out:
                await self._log_out(connection, keep_token)
            closed = connection.close()
            timeout = self._clock.callLater(CLOSE_TIMEOUT, connection.abort, "")
            await closed
            if timeout.active():
                timeout.cancel()
        self._end(ConnectionClosed())

    async def _log_out(self, connection: Connection, keep_token: bool) -> None:
        self._acknowledger.flush()
        try:
            answer: Deferred[Any] = connection.request(c.LogOut(0, keep_token))
            await answer.addTimeout(CLOSE_TIMEOUT, self._clock)
        except Exception:  # The connection is closed in any case.
            self.logger.debug("The server did not answer the request to log out")
        else:
            if not keep_token:
                self._credentials.token_ended()

    def drop(self) -> None:
        """Close the connection at once, as if the program had died: entries that are not
        acknowledged are pushed again after the account's next login. `events` ends."""
        self._stop()
        if self._connection is not None:
            self._connection.abort("")
        self._end(ConnectionClosed())

    def _stop(self) -> None:
        """End the events, and do not connect again."""
        self._closing = True
        self._events.close()
        if self._reconnect_timer is not None and self._reconnect_timer.active():
            self._reconnect_timer.cancel()
        if self._attempt is not None:
            self._attempt.cancel()

    def _end(self, reason: BaseException) -> None:
        """End the events with `reason`, and fail all messages and later requests: there will be no
        other connection."""
        # A refused login is no refusal of a message.
        closed = reason if isinstance(reason, ConnectionClosed) else ConnectionClosed(str(reason))
        self._end_reason = closed
        self._disconnect()
        self._pending_sends.fail(closed)
        self._acknowledger.cancel()
        self._events.end(reason)
