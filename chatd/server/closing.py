"""How a connection ends.

What is being handled is finished and answered, the output is sent, and the last mail has a moment
to arrive. Then the session ends, and the transport is closed (`chatd.server.states.Phase`).
"""

from __future__ import annotations

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chatd.core.errors import AddressBanned, Suspended
from chatd.server.session_connection import ARRIVAL_POLL, ARRIVAL_TIME, SessionConnection
from chatd.server.states import PauseReason, Phase

LINGER_TIME = 2.0
"""seconds that the peer has to read the last reply if closing at once would reset the connection"""
DISCARD_LIMIT = 256 * 1024
"""bytes of input that are read and discarded while lingering; then the transport is paused"""


class ClosingConnection(SessionConnection):
    """The phases in which a connection ends. `paused_for` holds the bits of `PauseReason`."""

    paused_for = 0
    _discarding_input = False
    _discarded = 0
    _finishing_since: float | None = None

    # What `chatd.server.connection` implements

    @property
    def _busy(self) -> bool:
        """Whether messages are being handled, or wait for that or for their answers."""
        raise NotImplementedError

    def _process_queue(self) -> None:
        """Handle queued messages unless there is a reason to pause."""
        raise NotImplementedError

    def _drop_input(self) -> None:
        """Drop the messages that have arrived and are not being handled."""
        raise NotImplementedError

    def _update_read_pause(self) -> None:
        """Pause or resume the transport, as `paused_for` is now."""
        raise NotImplementedError

    def pause_for(self, reason: int) -> None:
        """Handle no further messages while there is this reason."""
        self.paused_for |= reason

    def is_alive(self) -> bool:
        """Whether the peer may still be there; called every `Limits.idle_time` seconds."""
        return True

    # Closing

    def _enter(self, phase: Phase) -> None:
        """Move forward to a phase; the only place where it changes."""
        self.phase = max(self.phase, phase)

    def readConnectionLost(self) -> None:
        """The peer sends no more: handle its messages, send what is due, then close."""
        if self._discarding_input:
            self.transport.loseConnection()
            return
        self._finish()

    def writeConnectionLost(self) -> None:
        """This end's half-close, before lingering, is complete."""

    def close(self) -> None:
        """Close from this end: messages being handled are finished and answered, queued ones are
        dropped."""
        self._drop_input()
        self.pause_for(PauseReason.CLOSING)
        self._update_read_pause()
        self._finish()

    def session_ended(self, code: str, sentence: str) -> None:
        """See `chatd.realm.peer.Peer`."""
        self.show_reason(code, sentence)
        session, self.session = self.session, None
        if session is not None:
            self.log_session_end(session)
        self.close()

    def show_reason(self, code: str, sentence: str) -> None:
        """Show the client why its session has ended: as an announcement, where the protocol has
        nothing better, and only what it cannot learn, or guess, when it logs in again."""
        if code in (Suspended.code, AddressBanned.code):
            self.announcement(self.factory.realm.now(), sentence)

    def close_after_error(self) -> None:
        """Close after a framing error: stop parsing, flush the error reply, then close."""
        self._drop_input()
        self._discarding_input = True
        self._finish()

    def _discard(self, data: bytes) -> None:
        """Discard input; pause the transport after too much of it."""
        self._discarded += len(data)
        if self._discarded > DISCARD_LIMIT:
            self.transport.pauseProducing()

    def _finish(self) -> None:
        self._enter(Phase.FINISHING)
        if self.session is not None:
            self.session.closing = True
        self._close_when_done()

    def _close_when_done(self) -> None:
        """Log out and close as soon as all messages are handled and all output is sent."""
        if self._busy:
            return
        if self.phase is Phase.DISCONNECTED:
            self.log_out()
            self._enter(Phase.CLOSED)
            self.factory.connection_closed(self)
        elif self.phase is Phase.FINISHING and self._output_is_done():
            self.log_out()
            self._close_transport()

    def _output_is_done(self) -> bool:
        """Whether all output is sent; if not, `_close_when_done` is called again later."""
        if self.paused_for & PauseReason.OUTPUT:
            self.factory.closing.touch(self)
            return False
        # Mail that has not arrived would be delivered again: give it a moment to arrive.
        now = self.clock.seconds()
        if self._finishing_since is None:
            self._finishing_since = now
        late = now - self._finishing_since >= ARRIVAL_TIME
        if self.session is not None and not late and self.acknowledge_arrived()[1]:
            self.clock.callLater(ARRIVAL_POLL, self._close_when_done)
            return False
        return True

    def _close_transport(self) -> None:
        """Close the transport, or linger where closing would reset the connection: unread input
        makes the kernel send RST, and the peer would lose its last reply."""
        self.transport.unregisterProducer()
        if self.paused_for & PauseReason.CLOSING and self.tracked_transport.close_resets():
            self._discarding_input = True
        if self._discarding_input:
            self._enter(Phase.LINGERING)
            self.transport.loseWriteConnection()
            if self._discarded <= DISCARD_LIMIT:
                self.transport.resumeProducing()
            self.clock.callLater(LINGER_TIME, self._lose_connection)
        else:
            self._enter(Phase.CLOSING)
            self.transport.loseConnection()
        self.factory.closing.touch(self)

    def _lose_connection(self) -> None:
        if not self.disconnected:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is closed: finish the messages received before, then log out."""
        self._enter(Phase.DISCONNECTED)
        self.factory.arrivals.forget(self)
        self.paused_for &= ~(PauseReason.OUTPUT | PauseReason.RATE | PauseReason.CLOSING)
        self.factory.cancel_deadlines(self)
        self._finish()
        self._process_queue()
