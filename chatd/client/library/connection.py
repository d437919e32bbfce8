"""One connection of protocol version 1, client side: requests, their answers, and events.

    -> Hello 1 "my bot" 1.0 receipts       <- Welcome 1
    -> LogIn 2 alice password positions    <- LoggedIn 2 and Alice's logs
                                           <- Pushed ...                  an event, at any time
    -> Send 3 bob "hi" key                 <- Accepted 3, or Refusal 3
    -> Ack 0 @alice 7                      no answer
    -> Ping 4                              <- Pong 4
                                           <- Ping 9
    -> Pong 9

Each request has a number, `ref`; its answer carries the same one. If no data arrives from the
server for `Connection.idle_timeout` seconds, a `Ping` is sent; if none arrives for as long again,
the connection is aborted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.client.library.tls import tls_failure
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import LONGEST_REPLY, Broken, Malformed, client_decoder, encode
from chatd.core.errors import Refused

IDLE_TIMEOUT = 60.0
"""the initial `Connection.idle_timeout`, until `Welcome.idle` is known"""

# The codes of refusals after which a server closes the connection.
_CLOSING_CODES = frozenset({"broken", "too-slow"})


class ConnectionHandler(Protocol):
    """What a `Connection` calls."""

    def event_received(self, message: c.Message) -> None:
        """Handle an event of the catalogue."""

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """Handle the end of the connection. `reason` is a sentence, or empty after a normal
        close."""


class Connection(protocol.Protocol):
    """A connection to a server. Events and the end of the connection go to `handler`."""

    transport: Any = None

    def __init__(self, handler: ConnectionHandler, clock: Any) -> None:
        self.idle_timeout = IDLE_TIMEOUT
        """seconds without data from the server after which it is sent a `Ping`"""
        self._handler = handler
        self._clock = IReactorTime(clock)
        self._decoder = client_decoder(LONGEST_REPLY)
        self._pending: dict[int, Deferred[Any]] = {}
        self._last_ref = 0
        self._lost = False
        self._data_received = True
        self._ping_sent = False
        self._abort_reason = ""
        self._server_reason = ""
        self._idle_timer: IDelayedCall | None = None
        self._close_waiters: list[Deferred[None]] = []

    def connectionMade(self) -> None:
        """Start the idle timer, and disable Nagle's algorithm on TCP."""
        self._idle_timer = self._clock.callLater(self.idle_timeout, self._check_idle)
        set_no_delay: Callable[[bool], None] | None = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)

    def request(self, message: Any) -> Deferred[Any]:
        """Send a request, after setting its `ref`; the Deferred fires with the answer.

        Fails with `RefusedByServer`, or with `ConnectionClosed` if there is no connection or it is
        lost before the answer.
        """
        if self._lost or self.transport is None:
            return fail(ConnectionClosed())
        self._last_ref += 1
        message.ref = self._last_ref
        answer: Deferred[Any] = Deferred()
        self._pending[message.ref] = answer
        self.transport.write(encode(message))
        return answer

    def send(self, message: c.Message) -> None:
        """Send a message that has no answer; without a connection, do nothing."""
        if not self._lost:
            self.transport.write(encode(message))

    def dataReceived(self, data: bytes) -> None:
        """Handle bytes from the server."""
        self._data_received = True
        for message in self._decoder.feed(data):
            if self._abort_reason:
                return
            self._message_received(message)

    def _message_received(self, message: object) -> None:
        match message:
            case Malformed(code="unknown-command"):
                return  # An event of a later version of the protocol.
            case Malformed(reason=reason) | Broken(reason=reason):
                self.abort(f"This is not a chatd server that speaks version 1: {reason}.")
            case c.Ping():
                self.send(c.Pong(message.ref))
            case c.Refusal():
                self._answer_received(message.ref, RefusedByServer(message.code, message.sentence))
            case c.Message() if message.command < c.Pushed.command:
                self._answer_received(message.ref, message)  # type: ignore[attr-defined]
            case c.Goodbye():
                self._server_reason = message.sentence
                self._handler.event_received(message)
            case c.Message():
                self._handler.event_received(message)

    def _answer_received(self, ref: int, answer: object) -> None:
        pending = self._pending.pop(ref, None)
        if pending is None:
            if isinstance(answer, Refused) and answer.code in _CLOSING_CODES:
                self._server_reason = str(answer)
        elif isinstance(answer, Refused):
            pending.errback(answer)
        else:
            pending.callback(answer)

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

    def abort(self, reason: str) -> None:
        """Close the connection at once, discarding unsent data. The first `reason` given, a
        sentence or empty, goes to the handler."""
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
        if self._idle_timer is not None and self._idle_timer.active():
            self._idle_timer.cancel()
        pending, self._pending = self._pending, {}
        explanation = self._server_reason or tls_failure(reason)
        sentence = self._abort_reason or explanation
        self._handler.connection_lost(self, sentence)
        for answer in pending.values():
            error = ConnectionClosed(sentence)
            error.explained = bool(explanation)
            answer.errback(error)
        for closed in self._close_waiters:
            closed.callback(None)
