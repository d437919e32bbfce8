"""The event pump: takes events from the library one at a time, no faster than they are printed."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from chatd.client.library.client import Client
from chatd.client.library.events import Event

DRAIN_TIMEOUT = 5.0
"""seconds without an event after which `EventPump.drain` waits no longer"""


@implementer(IPushProducer)
class EventPump:
    """Passes the events of a client to `handle`.

    It is a producer that the screen can pause; while it is paused, the library's queue fills and
    the library stops receiving entries.
    """

    def __init__(
        self, client: Client, handle: Callable[[Event], None], clock: IReactorTime
    ) -> None:
        self._client = client
        self._handle = handle
        self._clock = clock
        self._paused = False
        self._stopped = False
        self._resumed: Deferred[None] | None = None
        self._handled: Deferred[None] | None = None
        self._expected_seqs: dict[str, int] = {}

    async def run(self) -> None:
        """Pass on events until the client is closed. Raises `Refused` and `Fatal` if the client
        will not connect again."""
        async for event in self._client.events():
            while self._paused or self._stopped:
                self._resumed = Deferred()
                await self._resumed
            self._handle(event)
            handled, self._handled = self._handled, None
            if handled is not None:
                # In the next iteration of the loop the library marks this event as handled.
                self._clock.callLater(0, handled.callback, None)

    def expect(self, log: str, seq: int) -> None:
        """Let `drain` wait for this entry, which is known to exist in a followed log."""
        self._expected_seqs[log] = max(seq, self._expected_seqs.get(log, 0))

    async def drain(self) -> None:
        """Wait until all known entries are handled, or none arrives for `DRAIN_TIMEOUT` seconds."""
        while self._is_behind():
            self._handled = Deferred()
            try:
                await self._handled.addTimeout(DRAIN_TIMEOUT, self._clock)
            except TimeoutError:
                if not self._paused:
                    return

    def _is_behind(self) -> bool:
        return any(
            log.handled < max(log.head, self._expected_seqs.get(name, 0))
            for name, log in self._client.logs.items()
        )

    def stop(self) -> None:
        """Pass on no more events. Entries that arrive now are not acknowledged."""
        self._stopped = True

    def pauseProducing(self) -> None:
        """Stop for now: the screen is behind."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Continue after `pauseProducing`."""
        self._paused = False
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """Do nothing: when the screen is closed, its owner ends the client."""
