"""How a connection ends, and its session with it.

What is being handled is finished and answered, the output is sent, and the last mail has a moment
to arrive. Then the session ends, and the transport is closed (`chatd.server.states.Phase`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.core.errors import Refused
from chatd.realm.peer import Peer
from chatd.realm.session import Session
from chatd.server.identity import IdentifiedProtocol
from chatd.server.rate_limit import new_bucket
from chatd.server.states import PauseReason, Phase
from chatd.server.tracked_transport import TrackedTransport
from chatd.server.write_tracker import WriteTracker

if TYPE_CHECKING:
    from chatd.server.factory import ConnectionFactory

logger = Logger(namespace="chatd")

_ARRIVAL_POLL = 0.01
_ARRIVAL_TIME = 1.0
"""seconds that a closing connection waits for the last mail to arrive"""
LINGER_TIME = 2.0
"""seconds that the peer has to read the last reply if closing at once would reset the connection"""
DISCARD_LIMIT = 256 * 1024
"""bytes of input that are read and discarded while lingering; then the transport is paused"""
_LOGGED_REFUSALS = 10


class ClosingConnection(IdentifiedProtocol, Peer):
    """A connection's session, and the phases in which the connection ends.

    `session` is the peer's session while it is logged in. `paused_for` holds the bits of
    `PauseReason`. `tracked_transport` and `writes` are set when the connection is made.
    """

    session: Session | None = None
    paused_for = 0
    phase = Phase.OPEN
    tracked_transport: TrackedTransport
    writes: WriteTracker
    _discarding_input = False
    _discarded = 0
    _finishing_since: float | None = None
    _refusals = 0

    def __init__(self, factory: ConnectionFactory) -> None:
        self.factory: ConnectionFactory = factory
        self.clock = factory.clock

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

    # What is on its way to the client

    def wrote_entries(self, log: str, first: int, sizes: Sequence[int], size: int) -> None:
        """Acknowledge entries, for a client that cannot, when they have arrived. Called before they
        are written; see `WriteTracker.record_entries`."""
        self.factory.arrivals.watch(self)
        self.writes.record_entries(log, first, sizes, size)

    def acknowledge_arrived(self) -> tuple[bool, bool]:
        """See `chatd.server.arrivals.Watched`."""
        session = self.session
        if session is None or session.ended:
            self.writes.reset()
            return False, False
        arrived = self.writes.take(self.tracked_transport.bytes_arrived())
        for log, first, last in arrived:
            # Entries whose acknowledgement is refused are shown again to another session.
            with suppress(Refused):
                session.acknowledge(log, first, last)
        return bool(arrived), self.writes.outstanding

    async def entries_arrive(self) -> None:
        """Wait a moment until all entries on their way have arrived, before the account changes."""
        until = self.clock.seconds() + _ARRIVAL_TIME
        while self.acknowledge_arrived()[1]:
            if self.disconnected or self.clock.seconds() >= until:
                return
            await deferLater(self.clock, _ARRIVAL_POLL)

    def session_ending(self) -> None:
        """See `chatd.realm.peer.Peer`."""
        self.acknowledge_arrived()

    def hung_up(self) -> bool:
        """See `chatd.realm.peer.Peer`."""
        return self.tracked_transport.hung_up()

    # Closing

    @property
    def disconnected(self) -> bool:
        """Whether the transport is closed."""
        return self.phase >= Phase.DISCONNECTED

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
        session, self.session = self.session, None
        if session is not None:
            self.log_session_end(session)
        self.close()

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
        late = now - self._finishing_since >= _ARRIVAL_TIME
        if self.session is not None and not late and self.acknowledge_arrived()[1]:
            self.clock.callLater(_ARRIVAL_POLL, self._close_when_done)
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

    # Sessions and log

    def logged_in(self, session: Session) -> None:
        """Use `session` from now on."""
        self.session = session
        session.closing = self.phase is not Phase.OPEN
        if session.mailbox.token_bucket is None:
            limits = self.factory.limits
            session.mailbox.token_bucket = new_bucket(
                limits, self.clock.seconds(), limits.account_rate
            )
        self.factory.unauthenticated.discard(self)
        logger.info("Client {peer} connected  [ {account} ]", peer=self.peer, account=session.name)

    def end_former_session(self) -> None:
        """Log the account of this connection out, if there is one, before another logs in. Entries
        that are still on their way to the client (`entries_arrive`) wait for its next session."""
        former = self.session
        if former is not None:
            former.end()
            self.log_session_end(former)
        self.writes.reset()

    def log_out(self) -> None:
        """End the session, if there is one."""
        session = self.session
        if session is not None:
            session.end()
            self.session = None
            self.log_session_end(session)
        self.writes.reset()

    def log_session_end(self, session: Session) -> None:
        """Log that the session has ended."""
        if not self.disconnected:
            self.factory.unauthenticated.touch(self)
        logger.info("Client {peer} is offline  [ {account} ]", peer=self.peer, account=session.name)

    def log_refusal(self, reason: str) -> None:
        """Log a refusal; of each connection only the first few are logged."""
        self._refusals += 1
        if self._refusals <= _LOGGED_REFUSALS:
            last = (
                " (further refusals of this client are not logged)"
                if self._refusals == _LOGGED_REFUSALS
                else ""
            )
            account = self.session.name if self.session is not None else ""
            logger.info(
                "Client {peer} refused: {reason}  [ {account} ]{last}",
                peer=self.peer,
                reason=reason,
                account=account,
                last=last,
            )
