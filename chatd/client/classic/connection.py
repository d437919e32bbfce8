"""One connection of the classic protocol, client side: commands, their replies, pushed messages.

    -> LOGIN alice            <- RESPONSE: empty on success, else a sentence
    -> SEND alice, bob, hi    <- the same SEND: it is stored (or RESPONSE: it is refused)
                              <- SEND bob, alice, hello: a pushed message, at any time
    -> DELIVER, LIST "/"      <- SEND for each waiting message, perhaps none, then LISTRESPONSE
    -> DELETE, LIST "/"       <- LISTRESPONSE

There are no request numbers: replies come in the order of the commands. DELIVER and DELETE have no
reply of their own on success, so each is followed by a *fence*: a LIST that matches no name, and
always has a reply. A message to oneself comes twice in the same form, as the pushed message and as
the acknowledgement; it is fenced too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from twisted.internet import protocol
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.client.library.errors import ConnectionClosed
from chatd.client.library.tls import Security, client_endpoint, tls_failure
from chatd.codecs import classic
from chatd.core import invite_tokens
from chatd.core.errors import Refused

CONNECT_TIMEOUT = 10.0
"""seconds that connecting may take, name resolution included"""
REPLY_TIMEOUT = 60.0
"""seconds without data from a server that owes a reply, after which the connection is aborted"""
CLOSE_TIMEOUT = 5.0
"""seconds without data from the server, after `Connection.close`, until the connection is
aborted"""

NO_TOKEN = "An invite token has 26 letters and digits, and perhaps hyphens. Nothing was sent."
_TOKEN_IN_PASSWORD = (
    "A password that ends in ||| and the form of an invite token is taken for a shorter password"
    " and a token. Nothing was sent."
)
# Room for the names of a million accounts.
_LONGEST_REPLY = 64 * 1024 * 1024


class Unsendable(Refused):
    """The classic protocol cannot carry this; nothing was sent."""

    code = "unsendable"


class ConnectionHandler(Protocol):
    """What a `Connection` calls."""

    def message_received(self, sender: str, text: str) -> None:
        """Handle a message to the account that is logged in."""

    def error_received(self, error: str) -> None:
        """Handle an error of the server that is the reply to no command."""

    def connection_lost(self, reason: str) -> None:
        """Handle the end of a connection that was not closed or dropped here. `reason` is a
        sentence, or empty if the server closed it without an error."""


@dataclass
class _Request:
    """A command whose reply is pending."""

    command: int
    frame: bytes = b""
    fenced: bool = False
    copies: int = 0
    """how often the frame has come back"""
    delivered: int = 0
    """messages received before the reply"""
    error: str | None = None
    """the refusal of a fenced command, until the reply of the fence"""
    reply: Deferred[Any] = field(default_factory=Deferred)


@implementer(IPushProducer)
class Connection(protocol.Protocol):
    """A connection to a daemon. Messages, errors and the end of the connection go to `handler`.

    Every command returns a Deferred. It fails with `Refused`, which has the server's sentence, with
    `Unsendable` before anything is sent, or with `ConnectionClosed`. A connection is also a
    producer, of what it reads: a screen that is behind pauses it.
    """

    transport: Any = None

    def __init__(self, handler: ConnectionHandler, clock: IReactorTime) -> None:
        self.name = ""
        """the account that is logged in, as it was typed; empty: none"""
        self._handler = handler
        self._clock = clock
        self._decoder = classic.client_decoder(_LONGEST_REPLY)
        self._requests: deque[_Request] = deque()
        self._reply_waiters: list[Deferred[None]] = []
        self._lost = False
        self._closing = False
        self._dropped = False
        self._closed: Deferred[None] = Deferred()
        self._paused = False
        self._deadline: IDelayedCall | None = None
        self._abort_reason = ""

    @property
    def outstanding(self) -> int:
        """The number of commands without a reply."""
        return len(self._requests)

    def login(self, name: str, password: str | None = None) -> Deferred[None]:
        """Log in to an account, with its password unless it is open."""
        return self._authenticate(classic.LOGIN, name, password)

    def create(
        self, name: str, password: str | None = None, invite: str | None = None
    ) -> Deferred[None]:
        """Create an account, open if `password` is None, and log in to it; `invite` is a token of
        the operator."""
        if invite is not None and not invite_tokens.has_form(invite):
            return fail(Unsendable(NO_TOKEN))
        _, separator, end = (password or "").rpartition(classic.SEPARATOR)
        if invite is None and separator and invite_tokens.has_form(end):
            return fail(Unsendable(_TOKEN_IN_PASSWORD))
        return self._authenticate(classic.CREATE, name, password, invite)

    def list(self, pattern: str) -> Deferred[tuple[str, ...]]:
        """Return the account names that match a file-name pattern, in order of creation."""
        return self._request(classic.LIST, pattern)

    def send(self, recipient: str, text: str) -> Deferred[None]:
        """Send a message; fires when the server has stored it."""
        if classic.SEPARATOR in text:
            return fail(Unsendable("A message cannot contain |||. Nothing was sent."))
        if "|" in recipient:
            return fail(Unsendable("A username cannot contain |. Nothing was sent."))
        return self._request(
            classic.SEND, self.name, recipient, text, fenced=recipient == self.name
        )

    def deliver(self) -> Deferred[int]:
        """Fetch the waiting messages, which go to the handler; fires with their number."""
        return self._request(classic.DELIVER, fenced=True)

    def delete(self) -> Deferred[None]:
        """Delete the account that is logged in, with the messages that wait for it."""
        return self._request(classic.DELETE, fenced=True)

    def all_replied(self) -> Deferred[None]:
        """Fire when no reply is pending any more, or the connection is lost."""
        if not self._requests:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._reply_waiters.append(waiter)
        return waiter

    def close(self) -> Deferred[None]:
        """Close the sending side, and receive what is on its way; fires when the connection is
        closed.

        Closing both sides at once would lose messages that the server has just delivered.
        """
        self._closing = True
        if self._lost:
            return succeed(None)
        self._restart_deadline()
        self.transport.loseWriteConnection()
        return self._closed

    def drop(self) -> None:
        """Close the connection without receiving anything more; what was written is still sent."""
        self._closing = self._dropped = True
        if not self._lost:
            self.transport.loseConnection()

    def _authenticate(
        self, command: int, name: str, password: str | None, invite: str | None = None
    ) -> Deferred[None]:
        if "|" in name:
            return fail(Unsendable("A username cannot contain |. Use letters, digits and . _ -"))
        if not (password or "").isascii():
            return fail(Unsendable("A password can only contain ASCII characters."))

        def logged_in(_: object) -> None:
            self.name = name

        fields = [name]
        if password is not None or invite is not None:
            fields.append(password or "")
        if invite is not None:
            fields.append(invite)
        return self._request(command, *fields).addCallback(logged_in)

    def _request(self, command: int, *fields: str, fenced: bool = False) -> Deferred[Any]:
        for text in fields:
            if not text.isascii():
                character = next(char for char in text if not char.isascii())
                return fail(
                    Unsendable(
                        f"Only ASCII characters can be sent, not {character}. Nothing was sent."
                    )
                )
        if self._lost or self.transport is None:
            return fail(ConnectionClosed())
        frame = classic.encode(command, *fields)
        request = _Request(command, frame, fenced)
        self._requests.append(request)
        if len(self._requests) == 1:
            self._restart_deadline()
        fence = classic.encode(classic.LIST, classic.FENCE) if fenced else b""
        self.transport.write(frame + fence)
        return request.reply

    def dataReceived(self, data: bytes) -> None:
        """Handle bytes from the server."""
        for message in self._decoder.feed(data):
            if self._dropped or self._abort_reason:
                return
            self._message_received(message)
        self._restart_deadline()

    def _restart_deadline(self) -> None:
        """Give the server the whole time again, if it owes a reply or its end of the connection.

        While this side reads nothing there is no deadline.
        """
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if (self._requests or self._closing) and not (self._paused or self._lost):
            self._deadline = self._clock.callLater(
                CLOSE_TIMEOUT if self._closing else REPLY_TIMEOUT, self._deadline_passed
            )

    def _deadline_passed(self) -> None:
        self._abort(f"The server has not answered for {REPLY_TIMEOUT:.0f} seconds.")

    def _message_received(self, message: object) -> None:
        request = self._requests[0] if self._requests else None
        match message:
            case classic.Send(sender, _, text, frame):
                if request and request.frame == frame:
                    request.copies += 1
                    if not request.fenced:
                        self._succeed(request, None)
                    if request.copies == 1:
                        return
                elif request:
                    request.delivered += 1
                self._handler.message_received(sender, text)
            case classic.Response(error):
                if request is None:
                    self._handler.error_received(error)
                elif request.fenced and request.error is None:
                    request.error = error
                elif request.command in (classic.LOGIN, classic.CREATE) and not error:
                    self._succeed(request, None)
                else:
                    self._refuse(request, error)
            case classic.ListResponse(names):
                if request is None or not (request.fenced or request.command == classic.LIST):
                    self._protocol_error("it sent a list that was not requested")
                elif not request.fenced:
                    self._succeed(request, names)
                elif request.error is not None:
                    self._refuse(request, request.error)
                elif request.command == classic.SEND and not request.copies:
                    self._refuse(request, "the message was not acknowledged")
                else:
                    self._succeed(request, request.delivered)
            case classic.Malformed(reason) | classic.Broken(reason):
                self._protocol_error(reason)

    def _succeed(self, request: _Request, result: object) -> None:
        self._requests.popleft()
        request.reply.callback(result)
        self._wake_waiters()

    def _refuse(self, request: _Request, error: str) -> None:
        self._requests.popleft()
        request.reply.errback(Refused(error or "the server gave no reason"))
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        if not self._requests:
            waiters, self._reply_waiters = self._reply_waiters, []
            for waiter in waiters:
                waiter.callback(None)

    def _protocol_error(self, reason: str) -> None:
        self._abort(
            f"This is not a chatd server, or not a port for the classic protocol: {reason}."
        )

    def _abort(self, reason: str) -> None:
        self._abort_reason = reason
        if self.transport is not None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """Notify the handler unless the connection was closed here, then fail the commands."""
        self._lost = True
        self._restart_deadline()
        if not self._closing:
            self._handler.connection_lost(self._abort_reason or tls_failure(reason))
        while self._requests:
            self._requests.popleft().reply.errback(ConnectionClosed())
        self._wake_waiters()
        if not self._closed.called:
            self._closed.callback(None)

    def pauseProducing(self) -> None:
        """Stop reading while the screen is behind."""
        self._paused = True
        self._restart_deadline()
        if self.transport is not None:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again."""
        self._paused = False
        if self.transport is not None and not self._lost:
            self.transport.resumeProducing()
            self._restart_deadline()

    def stopProducing(self) -> None:
        """Drop the connection: the screen is closed."""
        self.drop()


def connect(
    reactor: Any,
    host: str,
    port: int,
    handler: ConnectionHandler,
    security: Security | None = None,
) -> Deferred[Connection]:
    """Connect to the daemon at `host` (a name, IPv4 or IPv6 address) and `port`, with TLS unless
    `security` is None.

    Fails with one of Twisted's connection errors. After `CONNECT_TIMEOUT` seconds that is
    `ConnectingCancelledError`, or `defer.TimeoutError` during name resolution.
    """
    factory = protocol.Factory.forProtocol(lambda: Connection(handler, reactor))
    factory.noisy = False
    attempt = client_endpoint(reactor, host, port, security, CONNECT_TIMEOUT).connect(factory)
    return cast("Deferred[Connection]", attempt).addTimeout(CONNECT_TIMEOUT, reactor)
