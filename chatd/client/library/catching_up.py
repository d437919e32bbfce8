"""Entries for which the queue has no room: they are fetched later, page by page, from each log in
turn.

The server pushes an entry once. If the program handles entries more slowly than they are pushed,
the log is *behind*: what is pushed of it is ignored, and as soon as there is room for them, the
entries after the last received one are requested from its history. A log that has no more of them
is up to date, and is pushed again.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatd.client.library.backoff import Backoff
from chatd.client.library.connection import Connection
from chatd.client.library.errors import TEMPORARY_REFUSALS, ConnectionClosed
from chatd.client.library.events import MAX_OF_ONE_LOG, EventQueue
from chatd.client.library.followed_log import FollowedLog, FollowedLogs
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused

_SMALLEST_PAGE = MAX_OF_ONE_LOG // 2
"""room for entries of a log that is worth a request"""


class CatchingUp:
    """Passes pushed entries to `receive`, or fetches them later if they have no room in `queue`."""

    def __init__(
        self,
        logs: FollowedLogs,
        queue: EventQueue,
        receive: Callable[[FollowedLog, c.Pushed], None],
        clock: IReactorTime,
        backoff: Backoff,
    ) -> None:
        self._logs = logs
        self._queue = queue
        self._receive = receive
        self._clock = clock
        self._backoff = backoff
        self._connection: Connection | None = None
        self._fetching = False
        self._retry_timer: IDelayedCall | None = None
        # The logs that are behind, in the order of their turns, without values.
        self._behind: dict[FollowedLog, None] = {}

    def logged_in(self, connection: Connection) -> None:
        """Fetch over `connection`, which pushes what follows the entries received."""
        self._connection = connection
        self._behind.clear()

    def stop(self) -> None:
        """Fetch nothing before the next login."""
        self._connection = None
        self._end_fetching()
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None

    def pushed(self, log: FollowedLog, entry: c.Pushed) -> None:
        """Receive an entry that the server has pushed, if there is room for it."""
        log.head = max(log.head, entry.seq)
        if log in self._behind or entry.seq <= log.received:
            return
        if self._queue.room_for(log):
            self._receive(log, entry)
        else:
            self._behind[log] = None

    def fetch(self) -> None:
        """Request the next page, if a log is behind and has room."""
        if self._connection is None or self._fetching or self._retry_timer is not None:
            return
        log = next(filter(self._worth_a_request, self._behind), None)
        if log is None:
            return
        # Its next turn is after those of the others.
        del self._behind[log]
        self._behind[log] = None
        self._fetching = True
        connection, head = self._connection, log.head
        limit = self._queue.room_for(log)
        self._queue.reserved = limit
        request = c.History(0, log.name, log.received, 0, limit)
        connection.request(request).addCallbacks(
            self._page_received,
            self._not_received,
            callbackArgs=(connection, log, head),
            errbackArgs=(connection, log),
        )

    def _worth_a_request(self, log: FollowedLog) -> bool:
        return self._is_followed(log) and self._queue.room_for(log) >= _SMALLEST_PAGE

    def _is_followed(self, log: FollowedLog) -> bool:
        """Whether this is not an earlier log of the same name."""
        return self._logs.get(log.name) is log

    def _page_received(
        self, page: c.Page, connection: Connection, log: FollowedLog, head: int
    ) -> None:
        """`head` is the last seq that was known when the page was requested."""
        if connection is not self._connection:
            return
        self._backoff.reset()
        received = log.received
        for item in page.entries:
            # The program may handle an entry at once, and close the client.
            if connection is self._connection and self._is_followed(log):
                self._receive(log, _pushed(log, item))
        if connection is not self._connection:
            return
        self._end_fetching()
        if not self._is_followed(log):
            self._behind.pop(log, None)
        elif page.more and log.received == received:
            connection.abort("The server has sent a page of history without entries.")
        elif not page.more and max(log.received, head) >= log.head:
            # Entries that are not retained are not on any page.
            self._behind.pop(log, None)
        self.fetch()

    def _not_received(self, failure: Failure, connection: Connection, log: FollowedLog) -> None:
        if connection is not self._connection:
            failure.trap(Refused, ConnectionClosed)
            return
        self._end_fetching()
        refused = failure.value
        if isinstance(refused, Refused) and refused.code in TEMPORARY_REFUSALS:
            self._retry_timer = self._clock.callLater(self._backoff.next_delay(), self._retry)
        elif self._is_followed(log):
            # The next login pushes what follows the entries received.
            connection.abort(str(refused))
        else:
            self._behind.pop(log, None)
            self.fetch()

    def _end_fetching(self) -> None:
        self._fetching = False
        self._queue.reserved = 0

    def _retry(self) -> None:
        self._retry_timer = None
        self.fetch()


def _pushed(log: FollowedLog, item: c.Item) -> c.Pushed:
    """The event of an entry that is on a page of the history of `log`."""
    return c.Pushed(
        log.name, item.seq, item.id, item.time, item.sender, item.kind, item.body, item.about
    )
