"""Protocols without framing: a message is what one read of the socket returns."""

from __future__ import annotations

from chatd.server.connection import Connection

_QUEUE_LIMIT = 1_000
"""messages that may wait in the queue of a connection"""


class Unframed(Connection):
    """A connection whose transport is never paused while `framed` is false.

    Two messages that wait in one socket buffer would become one. So messages wait in the queue, and
    a client that sends more than the queue holds is disconnected (`flooded`).
    """

    framed = False

    def dataReceived(self, data: bytes) -> None:
        """Handle or queue the messages; close if the queue is over its limit."""
        super().dataReceived(data)
        if not self.framed and len(self._queue) > _QUEUE_LIMIT:
            self.log_refusal("too many messages at once")
            self.flooded()
            self.close_after_error()

    def flooded(self) -> None:
        """Send the protocol's reply to a client that is disconnected because it sent too much."""
        raise NotImplementedError

    def _update_read_pause(self) -> None:
        if self.framed:
            super()._update_read_pause()
