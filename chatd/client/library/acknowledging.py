"""Acknowledgements of handled entries, gathered so that many entries cost one message."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.client.library.connection import Connection
from chatd.client.library.followed_log import FollowedLogs
from chatd.codecs import v1_messages as c

ACK_DELAY = 0.02
"""seconds for which acknowledgements are gathered"""


class Acknowledger:
    """Sends, for each log, how far its entries have been handled."""

    def __init__(self, logs: FollowedLogs, clock: IReactorTime) -> None:
        self.connection: Connection | None = None
        """the connection that is logged in; None: acknowledgements wait for the next one"""
        self._logs = logs
        self._clock = clock
        self._timer: IDelayedCall | None = None

    def schedule(self) -> None:
        """Acknowledge after `ACK_DELAY` seconds at most, if there is a connection."""
        if self._timer is None and self.connection is not None:
            self._timer = self._clock.callLater(ACK_DELAY, self.flush)

    def flush(self) -> None:
        """Acknowledge now what has been handled and is not acknowledged yet."""
        self.cancel()
        if self.connection is None:
            return
        for log in self._logs.by_name.values():
            if log.handled > log.acknowledged:
                log.acknowledged = log.handled
                self.connection.send(c.Ack(0, log.name, log.handled, since=log.since))

    def cancel(self) -> None:
        """Drop a scheduled acknowledgement."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
