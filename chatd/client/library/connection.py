"""One connection of version 1, seen from the client: requests and their answers, and what is told
in between.

    -> Hello 1 "my bot" 1.0 receipts       <- Welcome 1
    -> LogIn 2 alice password positions    <- LoggedIn 2 and her logs
                                           <- Pushed ...                  told to the audience, at any time
    -> Send 3 bob "hi" key                 <- Accepted 3, or Refusal 3
    -> Ack 0 @alice 7                      no answer
    -> Ping 4                              <- Pong 4: it is still there
                                           <- Ping 9
    -> Pong 9

Each request has a number, `ref`; the answer carries it. A server that says nothing for as long as
`Welcome.idle` is asked, and given up when it does not answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatd.client.library.tls import why_lost
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import LONGEST_REPLY, Broken, Malformed, client_decoder, encode
from chatd.core.errors import Fatal, Refused

ANSWER_TIME = 60.0
"""seconds that a server may owe an answer, before it has said how long it may be silent"""

# The codes of refusals after which a server closes the connection.
_LAST_WORDS = frozenset({"broken", "too-slow"})


class Disconnected(Fatal):
    """The connection to the server is gone."""

    code = "disconnected"
    explained = False
    """whether the sentence says why, so that nobody needs to guess"""


class RefusedByServer(Refused):
    """The server refused the request."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code  # type: ignore[misc]  # each has that of its server


class Audience(Protocol):
    """Who is told what is no answer."""

    def told(self, message: c.Message) -> None:
        """An event of the catalogue."""

    def lost(self, link: Link, reason: str) -> None:
        """The connection is gone; `reason` is a sentence, empty if it was closed as usual."""


class Link(protocol.Protocol):
    """A connection. `request` sends a message whose `ref` is set here."""

    transport: Any = None

    def __init__(self, audience: Audience, clock: Any) -> None:
        self.idle = ANSWER_TIME
        """seconds after which a silent server is asked whether it is there"""
        self._audience = audience
        self._clock = IReactorTime(clock)
        self._decoder = client_decoder(LONGEST_REPLY)
        self._pending: dict[int, Deferred[Any]] = {}
        self._last_ref = 0
        self._gone = False
        self._heard = True
        self._asked = False
        self._reason = ""
        self._last_words = ""
        self._looking: IDelayedCall | None = None
        self._closed: list[Deferred[None]] = []

    def connectionMade(self) -> None:
        """Begin to listen for signs of life."""
        self._looking = self._clock.callLater(self.idle, self._look)
        set_no_delay: Callable[[bool], None] | None = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)

    def request(self, message: Any) -> Deferred[Any]:
        """Send a request; fires with its answer. Fails with `RefusedByServer`, `Disconnected`."""
        if self._gone or self.transport is None:
            return fail(Disconnected())
        self._last_ref += 1
        message.ref = self._last_ref
        answer: Deferred[Any] = Deferred()
        self._pending[message.ref] = answer
        self.transport.write(encode(message))
        return answer

    def tell(self, message: c.Message) -> None:
        """Send what has no answer."""
        if not self._gone:
            self.transport.write(encode(message))

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the server."""
        self._heard = True
        for message in self._decoder.feed(data):
            if self._reason:
                return
            self._received(message)

    def _received(self, message: object) -> None:
        match message:
            case Malformed(code="unknown-command"):
                return  # From a later version of the protocol; nobody asked for it.
            case Malformed(reason=reason) | Broken(reason=reason):
                self.abort(f"This is not a chatd server that speaks version 1: {reason}.")
            case c.Ping():
                self.tell(c.Pong(message.ref))
            case c.Refusal():
                self._answer(message.ref, RefusedByServer(message.code, message.sentence))
            case c.Message() if message.command < c.Pushed.command:
                self._answer(message.ref, message)  # type: ignore[attr-defined]  # answers have one
            case c.Goodbye():
                self._last_words = message.sentence
                self._audience.told(message)
            case c.Message():
                self._audience.told(message)

    def _answer(self, ref: int, answer: object) -> None:
        waiting = self._pending.pop(ref, None)
        if waiting is None:
            if isinstance(answer, Refused) and answer.code in _LAST_WORDS:
                self._last_words = str(answer)
        elif isinstance(answer, Refused):
            waiting.errback(answer)
        else:
            waiting.callback(answer)

    def _look(self) -> None:
        """Ask a silent server, then give it up."""
        if self._heard:
            self._heard = self._asked = False
        elif self._asked:
            self.abort(f"The server has not answered for {self.idle:g} seconds.")
            return
        else:
            self._asked = True
            self.request(c.Ping(0)).addErrback(lambda failure: failure.trap(Disconnected))
        self._looking = self._clock.callLater(self.idle, self._look)

    def abort(self, reason: str) -> None:
        """Give the connection up."""
        self._reason = self._reason or reason
        if self.transport is not None:
            self.transport.abortConnection()

    def close(self) -> Deferred[None]:
        """Close it; fires when it is closed."""
        closed: Deferred[None] = Deferred()
        if self._gone or self.transport is None:
            closed.callback(None)
        else:
            self._closed.append(closed)
            self.transport.loseConnection()
        return closed

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """Gone: what is owed will not come."""
        self._gone = True
        if self._looking is not None and self._looking.active():
            self._looking.cancel()
        pending, self._pending = self._pending, {}
        told = self._last_words or why_lost(reason)
        why = self._reason or told
        self._audience.lost(self, why)
        for waiting in pending.values():
            error = Disconnected(why)
            error.explained = bool(told)
            waiting.errback(error)
        for closed in self._closed:
            closed.callback(None)
