"""Messages with a key that are not answered yet: they are sent again over each new connection."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from chatd.client.library.connection import Connection
from chatd.codecs import v1_messages as c


class _PendingSend:
    """A message, the Deferred of its answer, and the connection it was last sent over."""

    __slots__ = ("answer", "connection", "message")

    def __init__(self, message: Any) -> None:
        self.message = message
        # The canceller does nothing: a caller that stops waiting does not take the message back.
        self.answer: Deferred[c.Accepted] = Deferred(lambda _: None)
        self.connection: Connection | None = None


class PendingSends:
    """The unanswered messages of a client, in the order in which they were posted."""

    def __init__(self) -> None:
        self._sends: list[_PendingSend] = []

    def post(self, message: Any, connection: Connection | None) -> Deferred[c.Accepted]:
        """Send a message over `connection`, or keep it for the next one; fires with the answer.

        Fails with `Refused`, or with the reason given to `fail`.
        """
        send = _PendingSend(message)
        self._sends.append(send)
        if connection is not None:
            self._send(send, connection)
        return send.answer

    def resend(self, connection: Connection) -> None:
        """Send every message over `connection`, except those already sent over it."""
        for send in list(self._sends):
            if send.connection is not connection:
                self._send(send, connection)

    def _send(self, send: _PendingSend, connection: Connection) -> None:
        send.connection = connection

        def answered(result: Any) -> None:
            # A request that failed with its connection is sent again over the next one.
            if send.connection is connection and send in self._sends:
                self._sends.remove(send)
                if not send.answer.called:
                    send.answer.callback(result)

        connection.request(msgspec.structs.replace(send.message)).addBoth(answered)

    def connection_lost(self, connection: Connection) -> None:
        """Keep the messages sent over `connection` for the next one."""
        for send in self._sends:
            if send.connection is connection:
                send.connection = None

    def fail(self, reason: BaseException) -> None:
        """Fail all messages: there will be no other connection."""
        sends, self._sends = self._sends, []
        for send in sends:
            if not send.answer.called:
                send.answer.errback(reason)
