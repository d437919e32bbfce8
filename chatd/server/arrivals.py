"""Acknowledging for clients that cannot: what has arrived at the client counts as read.

The kernel knows how much of its output the other TCP has acknowledged. It is asked a moment after
entries were written, once for all that was written to a connection until then. What it has not
acknowledged is asked for again, less and less often while nothing more of it arrives.
"""

from __future__ import annotations

from itertools import islice
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

INTERVAL = 0.02
"""seconds after a write until the kernel is asked whether it has arrived"""
LONGEST_INTERVAL = 2.0
"""seconds between two questions about a connection whose client does not read"""
_AT_ONCE = 500
"""connections that are asked about before other work goes on"""


class Watched(Protocol):
    """A connection to a client that cannot acknowledge."""

    def acknowledge_arrived(self) -> tuple[bool, bool]:
        """Acknowledge the entries that have arrived; whether there were any, and whether there are
        others."""


class Arrivals:
    """The connections with entries that have not been acknowledged."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._written: dict[Watched, None] = {}
        # When to ask again, and the interval after that.
        self._stalled: dict[Watched, tuple[float, float]] = {}
        # Those that are being asked about, and whether entries were written to them since the
        # last time.
        self._asking: dict[Watched, bool] = {}
        self._call: IDelayedCall | None = None

    def watch(self, connection: Watched) -> None:
        """Entries were written to a connection."""
        if not self._written:
            self._check_within(INTERVAL)
        self._written[connection] = None

    def _check_within(self, seconds: float) -> None:
        """Ask in so many seconds, unless it is asked sooner."""
        due = self._clock.seconds() + seconds
        if self._call is not None:
            if self._call.getTime() <= due:
                return
            self._call.cancel()
        self._call = self._clock.callLater(seconds, self._check)

    def forget(self, connection: Watched) -> None:
        """A connection is closed."""
        self._written.pop(connection, None)
        self._stalled.pop(connection, None)
        self._asking.pop(connection, None)

    def _check(self) -> None:
        self._call = None
        now = self._clock.seconds()
        if not self._asking:
            due = [connection for connection, (at, _) in self._stalled.items() if at <= now]
            written, self._written = self._written, {}
            self._asking = {**dict.fromkeys(due, False), **dict.fromkeys(written, True)}
        for connection in list(islice(self._asking, _AT_ONCE)):
            was_written = self._asking.pop(connection)
            _, interval = self._stalled.pop(connection, (0.0, INTERVAL))
            if was_written:
                interval = INTERVAL
            arrived, others = connection.acknowledge_arrived()
            if others:
                interval = INTERVAL if arrived else min(2 * interval, LONGEST_INTERVAL)
                self._stalled[connection] = (now + interval, interval)
        if self._asking:
            self._check_within(0.0)
            return
        if self._written:
            self._check_within(INTERVAL)
        if self._stalled:
            self._check_within(max(INTERVAL, min(at for at, _ in self._stalled.values()) - now))

    def stop(self) -> None:
        """Ask no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
