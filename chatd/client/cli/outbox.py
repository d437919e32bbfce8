"""Messages under way: sent, and not yet known to be durable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.client.cli.message_cache import Said
from chatd.client.library.client import Client
from chatd.codecs import v1_messages as c
from chatd.core.errors import Fatal, Refused

WINDOW = 64
"""messages that may be under way before the next line is read"""

Keyed: TypeAlias = c.Send | c.Edit | c.Retract | c.React
"""the requests that are sent as often as it takes"""


class Outbox:
    """Posts messages. Of each, either `accepted` is called, with the text that it is about and the
    number that a program gave it, or `refused`; or, when there will be no connection any more, it
    is `lost`."""

    def __init__(
        self,
        accepted: Callable[[Keyed, c.Accepted, Said | None, int], None],
        refused: Callable[[Refused, Keyed, int], None],
    ) -> None:
        self.outstanding = 0
        self.lost = 0
        self._accepted = accepted
        self._refused = refused
        self._room: list[Deferred[None]] = []
        self._settled: list[Deferred[None]] = []

    def post(self, client: Client, message: Keyed, about: Said | None, ref: int) -> None:
        """Send it, without waiting for what becomes of it."""
        if message.key is None:
            message.key = client.new_key()

        def accepted(answer: c.Accepted) -> None:
            self._done()
            self._accepted(message, answer, about, ref)
            self._wake()

        def failed(failure: Failure) -> None:
            self._done()
            if isinstance(failure.value, Refused):
                self._refused(failure.value, message, ref)
            else:
                failure.trap(Fatal)
                self.lost += 1
            self._wake()

        self.outstanding += 1
        client.post(message).addCallbacks(accepted, failed)

    def room(self) -> Deferred[None]:
        """Fires when another message may be sent."""
        return self._wait(self._room, WINDOW)

    def settled(self) -> Deferred[None]:
        """Fires when none is under way."""
        return self._wait(self._settled, 1)

    def _wait(self, waiting: list[Deferred[None]], bound: int) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        if self.outstanding < bound:
            waiter.callback(None)
        else:
            waiting.append(waiter)
        return waiter

    def _done(self) -> None:
        self.outstanding -= 1

    def _wake(self) -> None:
        waiting: list[Deferred[None]] = []
        if self.outstanding < WINDOW:
            waiting, self._room = self._room, []
        if not self.outstanding:
            waiting, self._settled = waiting + self._settled, []
        for waiter in waiting:
            waiter.callback(None)
