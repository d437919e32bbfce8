"""Messages with a key that are not answered yet: sent again over each new connection, and after a
refusal that is temporary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatd.client.library.backoff import Backoff
from chatd.client.library.connection import Connection
from chatd.client.library.errors import TEMPORARY_REFUSALS
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused


class _PendingSend:
    """A message, the Deferred of its answer, and the connection over which it is sent."""

    __slots__ = ("answer", "connection", "message")

    def __init__(self, message: Any) -> None:
        self.message = msgspec.structs.replace(message)
        # The canceller does nothing: a caller that stops waiting does not take the message back.
        self.answer: Deferred[c.Accepted] = Deferred(lambda _: None)
        self.connection: Connection | None = None


class PendingSends:
    """The unanswered messages of a client, in the order in which they were posted.

    While messages wait to be sent again after a temporary refusal, later ones wait behind them.
    `retrying` is called with the refusal and the seconds until they are sent again.
    """

    def __init__(
        self, clock: IReactorTime, backoff: Backoff, retrying: Callable[[Refused, float], None]
    ) -> None:
        self._clock = clock
        self._backoff = backoff
        self._retrying = retrying
        self._connection: Connection | None = None
        self._retry_timer: IDelayedCall | None = None
        self._sends: dict[_PendingSend, None] = {}  # in order, without values

    def post(self, message: Any) -> Deferred[c.Accepted]:
        """Send a message over the connection, or keep it for the next one; fires with the answer.

        Fails with `Refused`, or with the reason given to `fail`.
        """
        send = _PendingSend(message)
        self._sends[send] = None
        if self._connection is not None and self._retry_timer is None:
            self._send(send, self._connection)
        return send.answer

    def resend(self, connection: Connection) -> None:
        """Send every message over `connection`, except those already sent over it."""
        self._connection = connection
        self._cancel_retry()
        for send in list(self._sends):
            if send.connection is not connection:
                self._send(send, connection)

    def _send(self, send: _PendingSend, connection: Connection) -> None:
        send.connection = connection

        def answered(result: Any) -> None:
            # A request that failed with its connection is sent again over the next one.
            if send.connection is not connection or send not in self._sends:
                return
            if isinstance(result, Failure) and isinstance(result.value, Refused):
                if result.value.code in TEMPORARY_REFUSALS:
                    self._refused_for_now(send, result.value)
                    return
            else:
                self._backoff.reset()
            del self._sends[send]
            if not send.answer.called:
                send.answer.callback(result)

        connection.request(msgspec.structs.replace(send.message)).addBoth(answered)

    def _refused_for_now(self, send: _PendingSend, refusal: Refused) -> None:
        send.connection = None
        if self._retry_timer is None:
            delay = self._backoff.next_delay()
            self._retry_timer = self._clock.callLater(delay, self._retry)
            self._retrying(refusal, delay)

    def _retry(self) -> None:
        self._retry_timer = None
        if self._connection is not None:
            self.resend(self._connection)

    def _cancel_retry(self) -> None:
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None

    def connection_lost(self, connection: Connection) -> None:
        """Keep the messages sent over `connection` for the next one."""
        if self._connection is connection:
            self._connection = None
            self._cancel_retry()
        for send in self._sends:
            if send.connection is connection:
                send.connection = None

    def fail(self, reason: BaseException) -> None:
        """Fail all messages with `reason`, since they will not be sent again."""
        self._cancel_retry()
        self._connection = None
        sends, self._sends = self._sends, {}
        for send in sends:
            if not send.answer.called:
                send.answer.errback(reason)
