"""The base class of all connections: messages in order, and no reading while they wait.

A subclass has a decoder (bytes to messages), handles as many messages as it can without waiting
(`burst`), and the others one at a time (`perform`). While the connection waits for anything,
further messages are queued here and the transport is paused, so that a peer that goes on sending
fills its own buffers and not the daemon's memory.

A long read is parsed in steps (`INPUT_STEP`), and a connection that has handled messages for a
while lets others have their turn (`chatd.server.turns`). So connections that send much delay others
by a few milliseconds, whatever they send. The session of a connection is in
`chatd.server.session_connection`, how it ends in `chatd.server.closing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from typing import Protocol as TypingProtocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.core.errors import StoreUnavailable
from chatd.realm.requester import Disconnected
from chatd.realm.session import Session
from chatd.server.closing import ClosingConnection
from chatd.server.rate_limit import TokenBucket, new_bucket
from chatd.server.states import PauseReason, Phase
from chatd.server.tcp_transport import tune
from chatd.server.tracked_transport import tracked
from chatd.server.write_tracker import WriteTracker
from chatd.stores import Append

if TYPE_CHECKING:
    from chatd.server.factory import ConnectionFactory

logger = Logger(namespace="chatd")

M = TypeVar("M", covariant=True)

INPUT_STEP = 4 * 1024
"""bytes of input that are parsed, and handled as far as nothing has to wait, at a stretch"""
SHORT_READ = 512
"""bytes of input that wait for no other connection"""


class Decoder(TypingProtocol[M]):
    """Bytes to messages."""

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and not ended."""

    def feed(self, data: bytes) -> Sequence[M]:
        """The messages that `data` completes."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class Connection(ClosingConnection):
    """One connection of a peer, made by a `chatd.server.factory.ConnectionFactory`.

    `received_data` is true if the peer has sent anything since the last idle check. `pending` holds
    the messages whose answer comes with a commit of the store, in order.
    """

    received_data = True
    framed: bool | None = True
    """whether messages do not depend on how the input is split into reads"""
    only_read: tuple[type, ...] = ()
    """the messages that have no effect but their answers; of a peer that has disconnected they are
    dropped"""
    _working = False
    _paused = False
    _frame_unfinished = False
    _token_bucket: TokenBucket | None = None
    _answered = 0

    def __init__(self, factory: ConnectionFactory, decoder: Decoder[Any]) -> None:
        super().__init__(factory)
        self.realm = factory.realm
        self.delivery = factory.realm.delivery
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
        self._token_bucket = new_bucket(self.factory.limits, self.clock.seconds())
        self.factory.connection_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Handle the messages that `data` completes, or queue them."""
        self.received_data = True
        if self._discarding_input:
            self._discard(data)
            return
        others = len(data) > SHORT_READ and len(self.factory.turns) > 0
        if (len(data) > INPUT_STEP or self._input or others) and self.framed:
            self._input += data
            if others and not (self.paused_for or self._working):
                self._wait_for_turn()
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
        """See `chatd.realm.peer.Peer`. The appends are those of the oldest pending messages."""
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

    @property
    def _busy(self) -> bool:
        return bool(self._working or self._queue or self._input or self.pending)

    def _drop_input(self) -> None:
        self._queue.clear()
        self._input = b""

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
                    message = self._queue.pop(0)
                    # `Phase.OPEN` is 0, see `answer`.
                    if self.phase and self.disconnected and isinstance(message, self.only_read):
                        continue
                    await self.perform(message)
                elif self._input:
                    self._take_input()
                else:
                    break
                if self._queue or self._input:
                    self._check_turn(began)
        except Disconnected:
            # The messages behind that one may change something.
            self.clock.callLater(0, self._process_queue)
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
        if self.factory.turns.over(began):
            self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        self.pause_for(PauseReason.TURN)
        self.factory.turns.wait(self._go_on)

    def _go_on(self) -> None:
        self.resume_after(PauseReason.TURN)

    async def _catch_up(self, session: Session) -> None:
        """Have the session catch up; retry soon if the store is unavailable."""
        try:
            await session.catch_up()
        except StoreUnavailable:
            self.pause_for(PauseReason.RETRY)
            self.clock.callLater(1.0, self.resume_after, PauseReason.RETRY)

    def failed(self) -> None:
        """See `chatd.realm.peer.Peer`."""
        self._failed(Failure())

    def _failed(self, failure: Failure) -> None:
        """Handle a programming error: abort this connection, and no other."""
        logger.failure("Client {client} failed", failure, client=self.address_and_port)
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
        """See `chatd.realm.peer.Peer`."""
        return not self.paused_for & PauseReason.OUTPUT

    def pauseProducing(self) -> None:
        """Called by the transport when it could not send everything at once."""
        self.pause_for(PauseReason.OUTPUT)
        self._update_read_pause()

    def resumeProducing(self) -> None:
        """Called by the transport when it has sent everything."""
        self.factory.unread_listings.discard(self)
        self.paused_for &= ~PauseReason.OUTPUT
        self.write_unread()
        if self.writable:
            self._process_queue()
        self._close_when_done()

    def wrote_listing(self, size: int) -> None:
        """Count a listing that was written just now, until the client has read it."""
        if not self.writable:
            self.factory.unread_listings.add(self, size)

    def bytes_arrived(self) -> int:
        """See `chatd.server.listings.Reader`."""
        return self.tracked_transport.bytes_arrived()

    def write_unread(self) -> None:
        """Write what a subclass has held back while the peer did not read."""

    def stopProducing(self) -> None:
        """Called by the transport when the connection is lost; `connectionLost` follows."""
