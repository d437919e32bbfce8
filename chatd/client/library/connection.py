"""One connection of protocol version 1, client side: requests, their answers, and events.

    -> Hello 1 "my bot" 1.0 receipts       <- Welcome 1
    -> LogIn 2 alice password positions    <- LoggedIn 2 and Alice's logs
                                           <- Pushed ...                  an event, at any time
    -> Send 3 bob "hi" key                 <- Accepted 3, or Refusal 3
    -> Ack 0 @alice 7                      no answer
    -> Ping 4                              <- Pong 4
                                           <- Ping 9
    -> Pong 9

Each request has a number, `ref`; its answer carries the same one. The connection is aborted

- if no data arrives from the server for `Connection.idle_timeout` seconds, and none for as long
  again after a `Ping` was sent;
- if the oldest request that waits for its answer is the oldest one for `REQUEST_TIMEOUT` seconds;
- if the server sends what version 1 does not allow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatd.client.library.answers import WITHOUT_ORDER, answers
from chatd.client.library.encoding import encode_request
from chatd.client.library.errors import LOST, ConnectionClosed, RefusedByServer
from chatd.client.library.tls import tls_failure
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import LONGEST_REPLY, Broken, Malformed, client_decoder, encode
from chatd.core.errors import Refused

IDLE_TIMEOUT = 60.0
"""the initial `Connection.idle_timeout`, until `Welcome.idle` is known"""
REQUEST_TIMEOUT = 120.0
"""seconds that a server may take for the request that waits longest, after those before it are
answered: a login may be delayed for a minute after wrong passwords"""

# The codes of refusals after which a server closes the connection.
_CLOSING_CODES = frozenset({"broken", "too-slow"})


class _Pending(NamedTuple):
    """A request that waits for its answer."""

    kind: type[c.Message]
    answer: Deferred[Any]


class ConnectionHandler(Protocol):
    """What a `Connection` calls."""

    def event_received(self, message: c.Message) -> None:
        """Handle an event of the catalogue."""

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """Handle the end of the connection. `reason` is a sentence, or empty if the client has
        ended the connection without one."""


class Connection(protocol.Protocol):
    """A connection to a server. Events and the end of the connection go to `handler`."""

    transport: Any = None

    def __init__(self, handler: ConnectionHandler, clock: Any) -> None:
        self.idle_timeout = IDLE_TIMEOUT
        """seconds without data from the server after which it is sent a `Ping`"""
        self.limits: c.Limits | None = None
        """the server's limits, once they are known"""
        self._handler = handler
        self._clock = IReactorTime(clock)
        self._decoder = client_decoder(LONGEST_REPLY)
        self._pending: dict[int, _Pending] = {}
        self._last_ref = 0
        self._lost = False
        self._aborted = False
        self._data_received = True
        self._ping_sent = False
        self._abort_reason = ""
        self._server_reason = ""
        self._idle_timer: IDelayedCall | None = None
        self._answer_timer: IDelayedCall | None = None
        self._close_waiters: list[Deferred[None]] = []

    def connectionMade(self) -> None:
        """Start the idle timer, and disable Nagle's algorithm on TCP."""
        self._idle_timer = self._clock.callLater(self.idle_timeout, self._check_idle)
        set_no_delay: Callable[[bool], None] | None = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)

    def request(self, message: Any) -> Deferred[Any]:
        """Send a request, after setting its `ref`; the Deferred fires with the answer.

        Fails with `RefusedByServer`, with the errors of `encode_request` if the request cannot be
        sent, or with `ConnectionClosed` if there is no connection or it is lost before the answer.
        """
        if self._lost or self.transport is None:
            return fail(ConnectionClosed())
        message.ref = self._last_ref + 1
        try:
            data = encode_request(message, self.limits)
        except Refused as refused:
            return fail(refused)
        self._last_ref += 1
        answer: Deferred[Any] = Deferred()
        if not self._pending:
            self._answer_timer = self._clock.callLater(REQUEST_TIMEOUT, self._no_answer)
        self._pending[message.ref] = _Pending(type(message), answer)
        self.transport.write(data)
        return answer

    def send(self, message: c.Message) -> None:
        """Send a message that has no answer; without a connection, do nothing."""
        if not self._lost:
            self.transport.write(encode(message))

    def dataReceived(self, data: bytes) -> None:
        """Handle bytes from the server."""
        self._data_received = True
        for message in self._decoder.feed(data):
            if self._aborted:
                return
            self._message_received(message)

    def _message_received(self, message: object) -> None:
        match message:
            case Malformed(code="unknown-command"):
                return  # An event of a later version of the protocol.
            case Malformed(reason=reason) | Broken(reason=reason):
                self._abort_other_protocol(reason)
            case c.Ping():
                self.send(c.Pong(message.ref))
            case c.Refusal(ref=0):
                self._refused_without_ref(message)
            case c.Refusal():
                self._answer_received(message.ref, RefusedByServer(message.code, message.sentence))
            case c.Message() if message.command < c.Pushed.command:
                self._answer_received(message.ref, message)  # type: ignore[attr-defined]
            case c.Goodbye():
                self._server_reason = message.sentence
                self._handler.event_received(message)
            case c.Message():
                self._handler.event_received(message)

    def _answer_received(self, ref: int, answer: Any) -> None:
        pending = self._pending.get(ref)
        if pending is None:
            return
        refused = isinstance(answer, Refused)
        if not refused and not answers(pending.kind, answer):
            name = type(answer).__name__
            self._abort_other_protocol(f"{name} is no answer to {pending.kind.__name__}")
            return
        was_oldest = ref == next(iter(self._pending))
        del self._pending[ref]
        if self._answer_timer is not None:
            if not self._pending:
                self._answer_timer.cancel()
                self._answer_timer = None
            elif was_oldest:
                # Answers to later requests, such as pings, do not count: this one may be lost.
                self._answer_timer.reset(REQUEST_TIMEOUT)
        if refused:
            pending.answer.errback(answer)
        else:
            pending.answer.callback(answer)

    def _refused_without_ref(self, refusal: c.Refusal) -> None:
        """Fail the request that the server could not read, or end the connection if that may be
        one of several. A refusal of an acknowledgement changes nothing."""
        if refusal.code in _CLOSING_CODES:
            self._server_reason = refusal.sentence
            return
        refs = [
            ref for ref, pending in self._pending.items() if pending.kind.command == refusal.request
        ]
        if len(refs) == 1 or (refs and refusal.request not in WITHOUT_ORDER):
            self._answer_received(refs[0], RefusedByServer(refusal.code, refusal.sentence))
        elif refs:
            self.abort(refusal.sentence)

    def _no_answer(self) -> None:
        self._answer_timer = None
        self.abort(f"The server has not answered a request for {REQUEST_TIMEOUT:g} seconds.")

    def _check_idle(self) -> None:
        """Send a `Ping` to a silent server; abort the connection if it did not answer one."""
        if self._data_received:
            self._data_received = self._ping_sent = False
        elif self._ping_sent:
            self.abort(f"The server has not answered for {self.idle_timeout:g} seconds.")
            return
        else:
            self._ping_sent = True
            self.request(c.Ping(0)).addErrback(lambda failure: failure.trap(ConnectionClosed))
        self._idle_timer = self._clock.callLater(self.idle_timeout, self._check_idle)

    def _abort_other_protocol(self, reason: str) -> None:
        self.abort(f"This is not a chatd server that speaks version 1: {reason}.")

    def abort(self, reason: str) -> None:
        """Close the connection at once, discarding unsent data. The first `reason` given, a
        sentence or empty, goes to the handler."""
        self._aborted = True
        self._abort_reason = self._abort_reason or reason
        if self.transport is not None:
            self.transport.abortConnection()

    def close(self) -> Deferred[None]:
        """Close the connection after sending what was written; fires when it is closed."""
        closed: Deferred[None] = Deferred()
        if self._lost or self.transport is None:
            closed.callback(None)
        else:
            self._close_waiters.append(closed)
            self.transport.loseConnection()
        return closed

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """Notify the handler, then fail the pending requests."""
        self._lost = True
        for timer in (self._idle_timer, self._answer_timer):
            if timer is not None and timer.active():
                timer.cancel()
        pending, self._pending = self._pending, {}
        explanation = self._server_reason or tls_failure(reason)
        sentence = self._abort_reason or explanation
        ended_here = self._aborted or bool(self._close_waiters)
        self._handler.connection_lost(
            self, sentence or ("" if ended_here else _how_it_ended(reason))
        )
        for _, answer in pending.values():
            error = ConnectionClosed(sentence)
            error.explained = bool(explanation)
            answer.errback(error)
        for closed in self._close_waiters:
            closed.callback(None)


def _how_it_ended(reason: Failure) -> str:
    """A sentence for the end of a connection that nothing else explains."""
    return "The server closed the connection." if reason.check(ConnectionDone) else LOST
