"""The client's end of the classic protocol: commands in order, their replies, what is pushed in
between.

    -> LOGIN alice                    <- RESPONSE, empty: it went well; else a sentence
    -> SEND alice, bob, hi            <- the same SEND back: it is stored (or RESPONSE: it is not)
                                      <- SEND bob, alice, hello        pushed, at any time
    -> DELIVER, LIST "/"              <- SEND ...  as many as waited, perhaps none, then LISTRESPONSE
    -> DELETE, LIST "/"               <- LISTRESPONSE

There are no request numbers: replies come in the order of the commands. DELIVER and DELETE have no
reply of their own when all is well, so a LIST follows them that matches no name and always has one:
a fence. A message to oneself comes twice, as delivery and as acknowledgement, in one spelling; it
is fenced too.
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

from chatd.client.library.tls import Security, client_endpoint, tls_failure
from chatd.codecs import classic
from chatd.core.errors import Fatal, Refused

CONNECT_TIME = 10.0
"""seconds that connecting may take, name look-up included"""
REPLY_TIME = 60.0
"""seconds that a server may stay silent while it owes a reply"""
LEAVE_TIME = 5.0
"""seconds that a server may stay silent after we have said that nothing more comes"""

# Room for the names of a million accounts; a server that declares more is not believed.
_LONGEST_REPLY = 64 * 1024 * 1024
# No name has a slash, so a LIST for this matches nothing.
_FENCE = "/"


class Unsendable(Refused):
    """The classic protocol cannot carry this; nothing was sent."""

    code = "unsendable"


class Disconnected(Fatal):
    """The connection to the server is gone."""

    code = "disconnected"


class Audience(Protocol):
    """Who is told what no reply tells."""

    def message(self, sender: str, text: str) -> None:
        """A message came."""

    def notice(self, error: str) -> None:
        """The server complains about something that was not asked."""

    def disconnected(self, reason: str) -> None:
        """The connection is gone and nobody here wanted that; `reason` is empty if the server just
        closed."""


@dataclass
class _Request:
    """A command that waits for its reply."""

    command: int
    frame: bytes = b""
    fenced: bool = False
    copies: int = 0
    delivered: int = 0
    error: str | None = None
    reply: Deferred[Any] = field(default_factory=Deferred)


@implementer(IPushProducer)
class Connection(protocol.Protocol):
    """One connection to a daemon.

    Every command returns a Deferred. It fails with `Refused`, whose text is the server's sentence;
    with `Unsendable` before anything is sent; or with `Disconnected`. As a producer (of what it
    reads) it can be registered with the screen, so that a slow reader there slows down the server.
    """

    transport: Any = None

    def __init__(self, audience: Audience, clock: IReactorTime) -> None:
        self._audience = audience
        self._clock = clock
        self._decoder = classic.client_decoder(_LONGEST_REPLY)
        self._requests: deque[_Request] = deque()
        self._settled: list[Deferred[None]] = []
        self._gone = False
        self._left = False
        self._dropped = False
        self._closed: Deferred[None] = Deferred()
        self._paused = False
        self._deadline: IDelayedCall | None = None
        self._reason = ""
        self.name = ""
        """the account logged in, as it was spelled then; empty: none"""

    @property
    def outstanding(self) -> int:
        """How many commands have no reply yet."""
        return len(self._requests)

    def login(self, name: str, password: str | None = None) -> Deferred[None]:
        """Log in; an account with a password wants it."""
        return self._enter(classic.LOGIN, name, password)

    def create(self, name: str, password: str | None = None) -> Deferred[None]:
        """Make an account, open if it has no password, and log in to it."""
        return self._enter(classic.CREATE, name, password)

    def list(self, pattern: str) -> Deferred[tuple[str, ...]]:
        """The names that match a file-name pattern, in order of creation."""
        return self._ask(classic.LIST, pattern)

    def send(self, recipient: str, text: str) -> Deferred[None]:
        """Send a message; the Deferred fires when the server has stored it."""
        if classic.SEPARATOR in text:
            return fail(Unsendable("A message cannot contain |||. Nothing was sent."))
        if "|" in recipient:
            return fail(Unsendable("A username has no |. Nothing was sent."))
        return self._ask(classic.SEND, self.name, recipient, text, fenced=recipient == self.name)

    def deliver(self) -> Deferred[int]:
        """Fetch the waiting messages, which go to the audience; how many came."""
        return self._ask(classic.DELIVER, fenced=True)

    def delete(self) -> Deferred[None]:
        """Delete the account logged in, with the messages that wait for it."""
        return self._ask(classic.DELETE, fenced=True)

    def settled(self) -> Deferred[None]:
        """Fires when no reply is owed any more, be it because the connection is gone."""
        if not self._requests:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._settled.append(waiter)
        return waiter

    def leave(self) -> Deferred[None]:
        """Tell the server that nothing more comes, and take what is on its way; fires when all is
        here.

        Without this, a message that crosses our leaving would be delivered and yet read by nobody.
        """
        self._left = True
        if self._gone:
            return succeed(None)
        self._await_reply()
        self.transport.loseWriteConnection()
        return self._closed

    def drop(self) -> None:
        """Close the connection at once; what was written is still sent."""
        self._left = self._dropped = True
        if not self._gone:
            self.transport.loseConnection()

    def _enter(self, command: int, name: str, password: str | None) -> Deferred[None]:
        if "|" in name:
            return fail(Unsendable("A username has no |. Use letters, digits and . _ -"))
        if not (password or "").isascii():
            return fail(
                Unsendable("The password has a character that is not ASCII; it cannot be sent.")
            )

        def entered(_: object) -> None:
            self.name = name

        fields = (name,) if password is None else (name, password)
        return self._ask(command, *fields).addCallback(entered)

    def _ask(self, command: int, *fields: str, fenced: bool = False) -> Deferred[Any]:
        for text in fields:
            if not text.isascii():
                odd = next(char for char in text if not char.isascii())
                return fail(
                    Unsendable(
                        f"Only ASCII characters can be sent, and {odd} is none. Nothing was sent."
                    )
                )
        if self._gone or self.transport is None:
            return fail(Disconnected())
        frame = classic.encode(command, *fields)
        request = _Request(command, frame, fenced)
        self._requests.append(request)
        if len(self._requests) == 1:
            self._await_reply()
        self.transport.write(frame + classic.encode(classic.LIST, _FENCE) if fenced else frame)
        return request.reply

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the server."""
        for message in self._decoder.feed(data):
            if self._dropped or self._reason:
                return
            self._received(message)
        self._await_reply()

    def _await_reply(self) -> None:
        """The server has this much time from now if it owes a reply, or its end of the
        connection."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if (self._requests or self._left) and not (self._paused or self._gone):
            self._deadline = self._clock.callLater(
                LEAVE_TIME if self._left else REPLY_TIME, self._silent
            )

    def _silent(self) -> None:
        self._abort(f"The server has not answered for {REPLY_TIME:.0f} seconds.")

    def _received(self, message: object) -> None:
        request = self._requests[0] if self._requests else None
        match message:
            case classic.Send(sender, _, text, frame):
                if request and request.frame == frame:
                    request.copies += 1
                    if not request.fenced:
                        self._answer(request, None)
                    if request.copies == 1:
                        return
                elif request:
                    request.delivered += 1
                self._audience.message(sender, text)
            case classic.Response(error):
                if request is None:
                    self._audience.notice(error)
                elif request.fenced and request.error is None:
                    request.error = error
                elif request.command in (classic.LOGIN, classic.CREATE) and not error:
                    self._answer(request, None)
                else:
                    self._refuse(request, error)
            case classic.ListResponse(names):
                if request is None or not (request.fenced or request.command == classic.LIST):
                    self._give_up("it sent a list that nobody asked for")
                elif not request.fenced:
                    self._answer(request, names)
                elif request.error is not None:
                    self._refuse(request, request.error)
                elif request.command == classic.SEND and not request.copies:
                    self._refuse(request, "the message was not acknowledged")
                else:
                    self._answer(request, request.delivered)
            case classic.Malformed(reason) | classic.Broken(reason):
                self._give_up(reason)

    def _answer(self, request: _Request, result: object) -> None:
        self._requests.popleft()
        request.reply.callback(result)
        self._settle()

    def _refuse(self, request: _Request, error: str) -> None:
        self._requests.popleft()
        request.reply.errback(Refused(error or "the server gave no reason"))
        self._settle()

    def _settle(self) -> None:
        if not self._requests:
            waiters, self._settled = self._settled, []
            for waiter in waiters:
                waiter.callback(None)

    def _give_up(self, reason: str) -> None:
        self._abort(f"This is not a chatd server, or not the port it chats on: {reason}.")

    def _abort(self, reason: str) -> None:
        self._reason = reason
        if self.transport is not None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """The connection is gone: whatever is owed will not come."""
        self._gone = True
        self._await_reply()
        if not self._left:
            self._audience.disconnected(self._reason or tls_failure(reason))
        while self._requests:
            self._requests.popleft().reply.errback(Disconnected())
        self._settle()
        if not self._closed.called:
            self._closed.callback(None)

    def pauseProducing(self) -> None:
        """The screen is full: read nothing for a while, and do not blame the server for it."""
        self._paused = True
        self._await_reply()
        if self.transport is not None:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The screen has room again."""
        self._paused = False
        if self.transport is not None and not self._gone:
            self.transport.resumeProducing()
            self._await_reply()

    def stopProducing(self) -> None:
        """The screen is gone."""
        self.drop()


def connect(
    reactor: Any, host: str, port: int, audience: Audience, security: Security | None = None
) -> Deferred[Connection]:
    """Connect to the daemon at `host` (a name, IPv4 or IPv6 address) and `port`; with `security`,
    by TLS.

    Fails with one of Twisted's connection errors. After `CONNECT_TIME` seconds that is
    `ConnectingCancelledError`, or `defer.TimeoutError` if the name was still being looked up.
    """
    factory = protocol.Factory.forProtocol(lambda: Connection(audience, reactor))
    factory.noisy = False
    attempt = client_endpoint(reactor, host, port, security, CONNECT_TIME).connect(factory)
    return cast("Deferred[Connection]", attempt).addTimeout(CONNECT_TIME, reactor)
