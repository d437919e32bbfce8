"""Listening to the server: events one at a time, no faster than they can be shown."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from chatd.client.library.client import Client
from chatd.client.library.events import Event

DRAIN_TIME = 5.0
"""seconds without an entry, after which no more are waited for"""


@implementer(IPushProducer)
class Hearing:
    """Hands the events of a client to `tell`. As a producer it can be paused by the screen; then
    the library stops reading from the server after a while."""

    def __init__(self, client: Client, tell: Callable[[Event], None], clock: IReactorTime) -> None:
        self._client = client
        self._tell = tell
        self._clock = clock
        self._paused = False
        self._stopped = False
        self._resumed: Deferred[None] | None = None
        self._moved: Deferred[None] | None = None
        self._expected: dict[str, int] = {}

    async def run(self) -> None:
        """Until we have left. Raises `Refused` and `Fatal` when the server has nothing more to
        say."""
        async for event in self._client.events():
            while self._paused or self._stopped:
                self._resumed = Deferred()
                await self._resumed
            self._tell(event)
            moved, self._moved = self._moved, None
            if moved is not None:
                # Asking for the next event, just now, will say that this one has been handled.
                self._clock.callLater(0, moved.callback, None)

    def expect(self, log: str, seq: int) -> None:
        """This entry of a log that is followed is known to come."""
        self._expected[log] = max(seq, self._expected.get(log, 0))

    async def drained(self) -> None:
        """Done when every entry that waits for us has been told, or none has come for a while."""
        while self._behind():
            self._moved = Deferred()
            try:
                await self._moved.addTimeout(DRAIN_TIME, self._clock)
            except TimeoutError:
                if not self._paused:
                    return

    def _behind(self) -> bool:
        return any(
            log.handled < max(log.head, self._expected.get(name, 0))
            for name, log in self._client.logs.items()
        )

    def stop(self) -> None:
        """Tell no more at all: what comes now has not been told, so it is not acknowledged."""
        self._stopped = True

    def pauseProducing(self) -> None:
        """Tell no more for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """The screen is gone; whoever owns both will leave."""
