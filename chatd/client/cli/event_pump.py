"""The event pump: takes events from the library one at a time, no faster than they are written."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from chatd.client.library.client import Client
from chatd.client.library.events import Event

DRAIN_TIMEOUT = 5.0
"""seconds without an event after which `EventPump.drain` waits no longer"""


class EventPump:
    """Passes the events of a client to `handle`, which prints them.

    An entry counts as handled, and the library acknowledges it, when it is `written`: a client that
    is killed before gets it again. While the output is behind, events wait in the library.
    """

    def __init__(
        self,
        client: Client,
        handle: Callable[[Event], None],
        written: Callable[[], Deferred[None]],
        clock: IReactorTime,
    ) -> None:
        self._client = client
        self._handle = handle
        self._written = written
        self._clock = clock
        self._writing = False
        self._stopped = False
        self._handled: Deferred[None] | None = None
        self._expected_seqs: dict[str, int] = {}

    async def run(self) -> None:
        """Pass on events until the client is closed. Raises `Refused` and `Fatal` if the client
        will not connect again."""
        async for event in self._client.events():
            if self._stopped:
                await Deferred()  # For ever: asking for the next event acknowledges this one.
            self._handle(event)
            self._writing = True
            await self._written()
            self._writing = False
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
                if not self._writing:
                    return

    def _is_behind(self) -> bool:
        return any(
            log.handled < max(log.head, self._expected_seqs.get(name, 0))
            for name, log in self._client.logs.items()
        )

    def stop(self) -> None:
        """Pass on no more events. Entries that arrive now are not acknowledged."""
        self._stopped = True
