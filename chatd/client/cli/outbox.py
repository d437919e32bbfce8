"""The outbox: requests with a key that are sent but not yet answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.client.cli.message_cache import CachedMessage
from chatd.client.library.client import Client
from chatd.codecs import v1_messages as c
from chatd.core.errors import Fatal, Refused

WINDOW = 64
"""requests that may be outstanding before the next line is read"""

KeyedRequest: TypeAlias = c.Send | c.Edit | c.Retract | c.React
"""the requests that the library sends again after a reconnection until they are answered"""


class Outbox:
    """Sends keyed requests without waiting for each answer.

    For each request either `accepted` is called, with the message that it refers to and the number
    that a program gave it, or `refused`; if the client will not connect again, it counts as `lost`.
    """

    def __init__(
        self,
        accepted: Callable[[KeyedRequest, c.Accepted, CachedMessage | None, int], None],
        refused: Callable[[Refused, KeyedRequest, int], None],
    ) -> None:
        self.outstanding = 0
        self.lost = 0
        self._accepted = accepted
        self._refused = refused
        self._waiting_for_not_full: list[Deferred[None]] = []
        self._waiting_for_empty: list[Deferred[None]] = []

    def post(
        self, client: Client, request: KeyedRequest, about: CachedMessage | None, ref: int
    ) -> None:
        """Send a request; a key is added if it has none."""
        if request.key is None:
            request.key = client.new_key()

        def accepted(answer: c.Accepted) -> None:
            self.outstanding -= 1
            self._accepted(request, answer, about, ref)
            self._wake()

        def failed(failure: Failure) -> None:
            self.outstanding -= 1
            if isinstance(failure.value, Refused):
                self._refused(failure.value, request, ref)
            else:
                failure.trap(Fatal)
                self.lost += 1
            self._wake()

        self.outstanding += 1
        client.post(request).addCallbacks(accepted, failed)

    def when_not_full(self) -> Deferred[None]:
        """Fires when fewer than `WINDOW` requests are outstanding."""
        return self._wait(self._waiting_for_not_full, WINDOW)

    def when_empty(self) -> Deferred[None]:
        """Fires when no request is outstanding."""
        return self._wait(self._waiting_for_empty, 1)

    def _wait(self, waiting: list[Deferred[None]], bound: int) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        if self.outstanding < bound:
            waiter.callback(None)
        else:
            waiting.append(waiter)
        return waiter

    def _wake(self) -> None:
        ready: list[Deferred[None]] = []
        if self.outstanding < WINDOW:
            ready, self._waiting_for_not_full = self._waiting_for_not_full, []
        if not self.outstanding:
            ready, self._waiting_for_empty = ready + self._waiting_for_empty, []
        for waiter in ready:
            waiter.callback(None)
