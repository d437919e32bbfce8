"""Protocols without framing: a message is what one read of the socket returns.

A full read is followed by the rest of its message, unless nothing follows for a while: the client
has sent more at once than a read returns. Of a TCP connection a read returns at most 65,536 bytes,
and of TLS one record, at most 16,384 bytes (RFC 8446, section 5.1).
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chatd.server.connection import Connection
from chatd.server.sniffer import PAUSE
from chatd.server.states import Phase

_QUEUE_LIMIT = 1_000
"""messages that may wait in the queue of a connection"""


class Unframed(Connection):
    """A connection whose transport is never paused unless `framed` is true.

    Two messages that wait in one socket buffer would become one. So messages wait in the queue, and
    a client that sends more than the queue holds is disconnected (`flooded`).

    While `framed` is false, the decoder gets one message at a time, however many reads it took; of
    a message of more than `longest` bytes it gets the first `longest` + 1. While `framed` is None,
    it is not known whether reads are messages, and the decoder gets what is read.
    """

    framed: bool | None = False
    longest: int
    """bytes that a message may have; the decoder refuses a longer one"""
    _begun = b""
    _pause: IDelayedCall | None = None

    def dataReceived(self, data: bytes) -> None:
        """Handle or queue the messages that end with this read."""
        if self.framed is not False or self._discarding_input:
            self.take_read(data)
            return
        self.cancel_pause()
        self._begun = (self._begun + data)[: self.longest + 1]
        if len(data) < self.tracked_transport.longest_read():
            self._end_message()
        else:
            self.await_pause()

    def take_read(self, data: bytes) -> None:
        """Decode what was read, and handle or queue it; close if the queue is over its limit."""
        super().dataReceived(data)
        if not self.framed and len(self._queue) > _QUEUE_LIMIT:
            self.disconnect_flooding()

    def disconnect_flooding(self) -> None:
        """Disconnect a client that has sent too much."""
        self.log_refusal("too many messages at once")
        self.flooded()
        self.close_after_error()

    def flooded(self) -> None:
        """Send the protocol's reply to a client that is disconnected because it sent too much."""
        raise NotImplementedError

    def await_pause(self) -> None:
        """Have `input_paused` called when nothing has been read for a while."""
        self.cancel_pause()
        self._pause = self.clock.callLater(PAUSE, self._pause_is_over)

    def cancel_pause(self) -> None:
        """Stop waiting for a pause."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _pause_is_over(self) -> None:
        self._pause = None
        if self.tracked_transport.input_waits():
            # It arrived before the pause was over, and the daemon has been busy.
            self.await_pause()
        else:
            self.input_paused()

    def input_paused(self) -> None:
        """Nothing follows for now: the message was as long as a read."""
        self._end_message()

    def _end_message(self) -> None:
        message, self._begun = self._begun, b""
        if message:
            self.take_read(message)

    def _end_input(self) -> None:
        """Count the end of the input as a pause."""
        if self._pause is not None:
            self.cancel_pause()
            self.input_paused()

    def _update_read_pause(self) -> None:
        if self.framed:
            super()._update_read_pause()

    def readConnectionLost(self) -> None:
        """See `Connection`. The end of the input ends the last message."""
        self._end_input()
        super().readConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `Connection`. The end of the connection ends the last message."""
        self._enter(Phase.DISCONNECTED)
        self._end_input()
        super().connectionLost(reason)

    def _drop_input(self) -> None:
        self.cancel_pause()
        self._begun = b""
        super()._drop_input()
