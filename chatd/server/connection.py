"""The base class of all connections: messages in order, and no reading while they wait.

A subclass has a decoder (bytes to messages), handles as many messages as it can without waiting
(`burst`), and the others one at a time (`perform`). While the connection waits for anything,
further messages are queued here and the transport is paused, so that a peer that goes on sending
fills its own buffers and not the daemon's memory.

A long read is parsed in steps (`INPUT_STEP`), and a connection that has handled messages for a
while (`TURN`) lets others have their turn. So one connection delays others by a few milliseconds,
whatever it sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from typing import Protocol as TypingProtocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.core.errors import Refused, StoreUnavailable
from chatd.realm.session import Peer, Session
from chatd.server.identity import IdentifiedProtocol
from chatd.server.rate_limit import TokenBucket
from chatd.server.states import PauseReason, Phase
from chatd.server.tcp_transport import tune
from chatd.server.tracked_transport import tracked
from chatd.server.write_tracker import WriteTracker
from chatd.stores import Append

if TYPE_CHECKING:
    from chatd.server.factory import ConnectionFactory

logger = Logger(namespace="chatd")

M = TypeVar("M", covariant=True)

_ARRIVAL_POLL = 0.01
_ARRIVAL_TIME = 1.0
"""seconds that a closing connection waits for the last mail to arrive"""
LINGER_TIME = 2.0
"""seconds that the peer has to read the last reply if closing at once would reset the connection"""
DISCARD_LIMIT = 256 * 1024
"""bytes of input that are read and discarded while lingering; then the transport is paused"""
INPUT_STEP = 4 * 1024
"""bytes of input that are parsed, and handled as far as nothing has to wait, at a stretch"""
TURN = 0.004
"""seconds after which other connections have their turn, if there is more to do"""
_LOGGED_REFUSALS = 10


class Decoder(TypingProtocol[M]):
    """Bytes to messages."""

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and not ended."""

    def feed(self, data: bytes) -> Sequence[M]:
        """The messages that `data` completes."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class Connection(IdentifiedProtocol, Peer):
    """One connection of a peer, made by a `chatd.server.factory.ConnectionFactory`.

    `session` is the peer's session while it is logged in. `paused_for` holds the bits of
    `PauseReason`. `received_data` is true if the peer has sent anything since the last idle check.
    `pending` holds the messages whose answer comes with a commit of the store, in order.
    """

    session: Session | None = None
    paused_for = 0
    received_data = True
    phase = Phase.OPEN
    framed = True
    """whether messages do not depend on how the input is split into reads"""
    _working = False
    _paused = False
    _frame_unfinished = False
    _discarding_input = False
    _discarded = 0
    _finishing_since: float | None = None
    _token_bucket: TokenBucket | None = None
    _refusals = 0
    _answered = 0

    def __init__(self, factory: ConnectionFactory, decoder: Decoder[Any]) -> None:
        self.factory: ConnectionFactory = factory
        self.realm = factory.realm
        self.delivery = factory.realm.delivery
        self.clock = factory.clock
        self._decoder = decoder
        self._queue: list[Any] = []
        self._input = b""
        self.pending: list[Any] = []

    # What a subclass implements

    def burst(self, messages: Sequence[Any]) -> int:
        """Handle messages from the front that need no waiting; return how many were handled."""
        raise NotImplementedError

    async def perform(self, message: Any) -> None:
        """Handle one message."""
        raise NotImplementedError

    def write_answers(self, messages: Sequence[Any], appends: Sequence[Append]) -> None:
        """Answer messages of this peer: the n-th append is the outcome of the n-th message."""
        raise NotImplementedError

    def frame_timed_out(self) -> None:
        """A message was not completed in time (`Limits.frame_time`): report that and close."""
        raise NotImplementedError

    # Input

    def connectionMade(self) -> None:
        """Register with the factory, as unauthenticated until the peer logs in."""
        self.tracked_transport = tracked(self.transport)
        self.writes = WriteTracker()
        self.transport.registerProducer(self, True)
        tune(self.transport)
        self._token_bucket = self._new_token_bucket()
        self.factory.connection_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Handle the messages that `data` completes, or queue them."""
        self.received_data = True
        if self._discarding_input:
            self._discarded += len(data)
            if self._discarded > DISCARD_LIMIT:
                self.transport.pauseProducing()
            return
        if (len(data) > INPUT_STEP or self._input) and self.framed:
            self._input += data
            self._process_queue()
            self._update_read_pause()
            return
        messages = self._parse(data)
        if not messages:
            return
        if self.paused_for or self._working or self._queue:
            self._queue.extend(messages)
            self._update_read_pause()
        else:
            done = self.burst(messages)
            if done < len(messages):
                self._queue = list(messages[done:])
                self._process_queue()
                self._update_read_pause()
        # What was not sent, or is stored by now, adds nothing to the backlog.
        if self.pending and self.delivery.congested:
            self._pause_for_store()

    def _parse(self, data: bytes) -> Sequence[Any]:
        """The messages that `data` completes, which are charged."""
        messages = self._decoder.feed(data)
        # A closed connection has no deadlines any more, although its input is still handled.
        if self._decoder.unfinished and not self.disconnected:
            if messages or not self._frame_unfinished:
                self._frame_unfinished = True
                self.factory.unfinished.touch(self)
        elif self._frame_unfinished:
            self._frame_unfinished = False
            self.factory.unfinished.discard(self)
        if messages:
            if self.session is None and not self.disconnected:
                self.factory.unauthenticated.touch(self)
            if self._token_bucket is not None:
                self.charge(len(messages))
        return messages

    @property
    def reading(self) -> bool:
        """Whether everything that the peer has sent is read and parsed as it arrives."""
        return not self._paused and not self._input

    def is_alive(self) -> bool:
        """Whether the peer may still be there; called every `Limits.idle_time` seconds."""
        return True

    def _new_token_bucket(self, share: float = 1.0) -> TokenBucket | None:
        """A bucket for the rate of one connection times `share`; None if there is no limit."""
        limits = self.factory.limits
        if limits.rate is None:
            return None
        rate = limits.rate * share
        return TokenBucket(rate, rate * limits.burst_seconds, self.clock.seconds())

    def charge(self, commands: float) -> None:
        """Count commands against the rate limits of connection and account; over one, pause."""
        if self._token_bucket is not None:
            now = self.clock.seconds()
            wait = self._token_bucket.consume(commands, now)
            if self.session is not None:
                wait = max(wait, self.session.mailbox.token_bucket.consume(commands, now))
            if wait and not self.paused_for & PauseReason.RATE and not self.disconnected:
                self.pause_for(PauseReason.RATE)
                self.clock.callLater(wait, self.resume_after, PauseReason.RATE)
                self._update_read_pause()

    # Handling messages one at a time

    def pause_for(self, reason: int) -> None:
        """Handle no further messages until `resume_after` is called with this reason."""
        self.paused_for |= reason

    def resume_after(self, reason: int) -> None:
        """Drop a reason to pause; handle queued messages if it was the last one."""
        if self.paused_for & reason:
            self.paused_for &= ~reason
            self._process_queue()

    def _pause_for_store(self) -> None:
        self.pause_for(PauseReason.STORE)
        self.delivery.when_clear(self._resume_after_store)
        self._update_read_pause()

    def _resume_after_store(self) -> None:
        self.resume_after(PauseReason.STORE)

    def requeue(self, message: Any) -> None:
        """Handle this message again once all messages before it have been answered."""
        self._queue.insert(0, message)
        self.pause_for(PauseReason.ANSWERS)

    def answer(self, appends: Sequence[Append]) -> None:
        """See `chatd.realm.session.Peer`. The appends are those of the oldest pending messages."""
        messages = self.pending
        if len(appends) == len(messages):
            self.pending = []
        else:
            messages = self._oldest_pending(len(appends))
        self.write_answers(messages, appends)
        # `Phase.OPEN` is 0: a look-up in an Enum would take as long as all else here.
        if (self.paused_for or self.phase) and not self.pending:
            self.resume_after(PauseReason.ANSWERS)
            self._close_when_done()

    def _oldest_pending(self, count: int) -> list[Any]:
        """Take the oldest pending messages. The first `_answered` of `pending` have been taken;
        they are removed half of the list at a time, so that each message is moved about once."""
        first, last = self._answered, self._answered + count
        messages = self.pending[first:last]
        if 2 * last > len(self.pending):
            del self.pending[:last]
            last = 0
        self._answered = last
        return messages

    def _process_queue(self) -> None:
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._process()).addErrback(self._failed)

    async def _process(self) -> None:
        began = self.clock.seconds()
        try:
            while not self.paused_for:
                session = self.session
                if session is not None and session.behind and not self.disconnected:
                    await self._catch_up(session)
                elif self._queue:
                    await self.perform(self._queue.pop(0))
                elif self._input:
                    self._take_input()
                else:
                    break
                if self._queue or self._input:
                    self._check_turn(began)
        finally:
            self._working = False
            self.realm.flush()
        self._update_read_pause()
        self._close_when_done()

    def _take_input(self) -> None:
        """Parse a part of the waiting input, and handle it as far as no message has to wait."""
        data, self._input = self._input[:INPUT_STEP], self._input[INPUT_STEP:]
        messages = self._parse(data)
        done = 0 if self.paused_for or not messages else self.burst(messages)
        self._queue += messages[done:]
        if self.pending and self.delivery.congested:
            self._pause_for_store()

    def _check_turn(self, began: float) -> None:
        """Pause until others have had their turn, if messages have been handled since `began` for
        too long, or the clock has been set back."""
        if not 0.0 <= self.clock.seconds() - began < TURN:
            self.pause_for(PauseReason.TURN)
            self.clock.callLater(0, self.resume_after, PauseReason.TURN)

    async def _catch_up(self, session: Session) -> None:
        """Have the session catch up; retry soon if the store is unavailable."""
        try:
            await session.catch_up()
        except StoreUnavailable:
            self.pause_for(PauseReason.RETRY)
            self.clock.callLater(1.0, self.resume_after, PauseReason.RETRY)

    def failed(self) -> None:
        """See `chatd.realm.session.Peer`."""
        self._failed(Failure())

    def _failed(self, failure: Failure) -> None:
        """Handle a programming error: abort this connection, and no other."""
        logger.failure("Client {peer} failed", failure, peer=self.peer)
        self.transport.abortConnection()

    def _update_read_pause(self) -> None:
        if self.phase is not Phase.OPEN:
            return
        wanted = bool(self.paused_for or (self._working and not self.reads_while_working()))
        if wanted != self._paused:
            self._paused = wanted
            if wanted:
                self.transport.pauseProducing()
            else:
                if self._frame_unfinished:
                    # Its deadline runs only while the rest of it can be read.
                    self.factory.unfinished.touch(self)
                self.transport.resumeProducing()

    def reads_while_working(self) -> bool:
        """Whether input is read, and queued, while a message is being handled."""
        return False

    # Output: this end as a producer (IPushProducer)

    @property
    def writable(self) -> bool:
        """See `chatd.realm.session.Peer`."""
        return not self.paused_for & PauseReason.OUTPUT

    def pauseProducing(self) -> None:
        """Called by the transport when it could not send everything at once."""
        self.pause_for(PauseReason.OUTPUT)
        self._update_read_pause()

    def resumeProducing(self) -> None:
        """Called by the transport when it has sent everything."""
        self.paused_for &= ~PauseReason.OUTPUT
        self.write_unread()
        if self.writable:
            self._process_queue()
        self._close_when_done()

    def write_unread(self) -> None:
        """Write what a subclass has held back while the peer did not read."""

    def stopProducing(self) -> None:
        """Called by the transport when the connection is lost; `connectionLost` follows."""

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

    def session_ending(self) -> None:
        """See `chatd.realm.session.Peer`."""
        self.acknowledge_arrived()

    def hung_up(self) -> bool:
        """See `chatd.realm.session.Peer`."""
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
        """See `chatd.realm.session.Peer`."""
        session, self.session = self.session, None
        if session is not None:
            self.log_session_end(session)
        self.close()

    def close_after_error(self) -> None:
        """Close after a framing error: stop parsing, flush the error reply, then close."""
        self._drop_input()
        self._discarding_input = True
        self._finish()

    def _drop_input(self) -> None:
        """Drop the messages that have arrived and are not being handled."""
        self._queue.clear()
        self._input = b""

    def _finish(self) -> None:
        self._enter(Phase.FINISHING)
        if self.session is not None:
            self.session.closing = True
        self._close_when_done()

    def _close_when_done(self) -> None:
        """Log out and close as soon as all messages are handled and all output is sent."""
        if self._working or self._queue or self._input or self.pending:
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
            session.mailbox.token_bucket = self._new_token_bucket(self.factory.limits.account_rate)
        self.factory.unauthenticated.discard(self)
        logger.info("Client {peer} connected  [ {account} ]", peer=self.peer, account=session.name)

    def end_former_session(self) -> None:
        """Log the account of this connection out, if there is one, before another logs in. Entries
        that are on their way to the client wait for its next session."""
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
