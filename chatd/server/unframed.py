"""Protocols in which a message is what one read of the socket gives: it must be read as soon as it
comes."""

from __future__ import annotations

from chatd.server.connection import Connection

_WAITING = 1_000
"""messages that may wait their turn"""


class Unframed(Connection):
    """A connection that is never paused while `framed` is false, since two messages that wait in
    one buffer become one. So what waits is bounded here: who sends more is cut off (`flooded`)."""

    framed = False

    def dataReceived(self, data: bytes) -> None:
        """As inherited."""
        super().dataReceived(data)
        if not self.framed and len(self._queue) > _WAITING:
            self.log_refusal("too many messages at once")
            self.flooded()
            self.break_off()

    def flooded(self) -> None:
        """Say that it was too much."""
        raise NotImplementedError

    def _settle_reading(self) -> None:
        if self.framed:
            super()._settle_reading()
