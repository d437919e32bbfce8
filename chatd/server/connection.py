"""What every protocol's connections have in common: messages taken in order, and all the reasons to
wait.

A subclass turns bytes into messages (`decoder`), takes as many as it can at once (`burst`) and the
rest one by one (`perform`). While something has to be waited for, further messages queue here and
the transport is paused, so that a peer that sends on fills its own buffers, not ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from typing import Protocol as TypingProtocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.core.errors import StoreUnavailable
from chatd.realm.session import Session
from chatd.server.rate_limit import TokenBucket
from chatd.server.tcp_transport import tune
from chatd.server.tls import fingerprint_of
from chatd.server.write_tracker import WriteTracker

M = TypeVar("M", covariant=True)

# Why a connection takes no messages at the moment.
OUTPUT = 1  # the peer does not read what it was sent
PACE = 2  # it has sent more commands than its allowance
STORE = 4  # too much waits for the store
ANSWERS = 8  # what it sent has to be answered first
RETRY = 16  # the store failed and is asked again soon
CLOSING = 32  # it is being closed
RECORDING = 64  # what it was sent from the log has to be recorded first

_ARRIVAL_POLL = 0.01
_ARRIVAL_TIME = 1.0
_LINGER_TIME = 2.0
_LOGGED_REFUSALS = 10


class Decoder(TypingProtocol[M]):
    """Bytes to messages."""

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and not ended."""

    def feed(self, data: bytes) -> Sequence[M]:
        """The messages that `data` completes."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class Connection(Protocol):
    """One peer. `factory` is a `chatd.server.factory.ConnectionFactory`."""

    logger = Logger(namespace="chatd")
    transport: Any

    session: Session | None = None
    held = 0
    heard = True
    unanswered = 0
    gone = False
    _ended = False
    _left = False
    _working = False
    _paused = False
    _timed = False
    _deaf = False
    _leaving_since: float | None = None
    _allowance: TokenBucket | None = None
    _refusals = 0

    def __init__(self, factory: Any, decoder: Decoder[Any]) -> None:
        self.factory = factory
        self.realm = factory.realm
        self.delivery = factory.realm.delivery
        self.clock = factory.clock
        self._decoder = decoder
        self._queue: list[Any] = []

    # What a subclass brings

    def burst(self, messages: Sequence[Any]) -> int:
        """Take what can be taken without waiting, from the front; how many that was."""
        raise NotImplementedError

    async def perform(self, message: Any) -> None:
        """Take one message."""
        raise NotImplementedError

    def too_slow(self) -> None:
        """An unfinished message has been that for too long: say so and close."""
        raise NotImplementedError

    # Bytes in

    def connectionMade(self) -> None:
        """Count it as a stranger until it logs in."""
        self.receipts = WriteTracker(self.transport)
        self.transport.registerProducer(self, True)
        tune(self.transport)
        limits = self.factory.limits
        if limits.rate is not None:
            self._allowance = TokenBucket(
                limits.rate, limits.rate * limits.burst_seconds, self.clock.seconds()
            )
        self.factory.came(self)

    def dataReceived(self, data: bytes) -> None:
        """Take the messages that have become complete, or queue them."""
        self.heard = True
        if self._deaf:
            return
        messages = self._decoder.feed(data)
        if self._decoder.unfinished:
            if messages or not self._timed:
                self._timed = True
                self.factory.unfinished.touch(self)
        elif self._timed:
            self._timed = False
            self.factory.unfinished.discard(self)
        if not messages:
            return
        if self.session is None:
            self.factory.strangers.touch(self)
        if self._allowance is not None:
            self.spend(len(messages))
        if self.held or self._working or self._queue:
            self._queue.extend(messages)
        else:
            done = self.burst(messages)
            if done < len(messages):
                self._queue = list(messages[done:])
                self._work()
        if self.delivery.congested:
            self.hold(STORE)
            self.delivery.when_clear(self._release_store)
        if self.held or self._working or self._paused:
            self._settle_reading()

    def look_alive(self) -> bool:
        """Called every `Limits.idle_time` seconds: whether the peer may still be there."""
        return True

    def spend(self, commands: float) -> None:
        """Count commands against the allowance; over it, wait."""
        if self._allowance is not None:
            now = self.clock.seconds()
            wait = self._allowance.spend(commands, now)
            if self.session is not None:
                wait = max(wait, self.session.mailbox.allowance.spend(commands, now))
            if wait and not self.held & PACE:
                self.hold(PACE)
                self.clock.callLater(wait, self.release, PACE)

    # One after another

    def hold(self, reason: int) -> None:
        """Take no further messages for this reason."""
        self.held |= reason

    def release(self, reason: int) -> None:
        """The reason is gone; if it was the last one, go on."""
        if self.held & reason:
            self.held &= ~reason
            self._work()

    def _release_store(self) -> None:
        self.release(STORE)

    def put_back(self, message: Any) -> None:
        """Take this message again once all that was sent before it has been answered."""
        self._queue.insert(0, message)
        self.hold(ANSWERS)

    def answered(self, count: int) -> None:
        """So many of the messages sent have been answered."""
        self.unanswered -= count
        if not self.unanswered and (self.held or self._ended):
            self.release(ANSWERS)
            self._leave_when_done()

    def _work(self) -> None:
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work_on()).addErrback(self._failed)

    async def _work_on(self) -> None:
        try:
            while not self.held:
                session = self.session
                if session is not None and session.behind and not self.gone:
                    await self._catch_up(session)
                elif self._queue:
                    await self.perform(self._queue.pop(0))
                else:
                    break
        finally:
            self._working = False
            self.realm.flush()
        self._settle_reading()
        self._leave_when_done()

    async def _caught_up(self, session: Session) -> bool:
        """Have a session catch up, or try again soon."""
        try:
            await session.catch_up()
        except StoreUnavailable:
            self.hold(RETRY)
            self.clock.callLater(1.0, self.release, RETRY)
            return False
        return True

    async def _catch_up(self, session: Session) -> None:
        if await self._caught_up(session):
            # Whoever gets the answer to a later command may rely on not getting this mail again.
            self.hold(RECORDING)
            session.mailbox.when_kept(self._release_recording)

    def _release_recording(self) -> None:
        self.release(RECORDING)

    def _failed(self, failure: Failure) -> None:
        """A programming error: it costs this connection, no other."""
        self.logger.failure("Client {peer} failed", failure, peer=self.peer)
        self.transport.abortConnection()

    def _settle_reading(self) -> None:
        if self.gone or self._ended:
            return
        wanted = bool(self.held or self._working)
        if wanted != self._paused:
            self._paused = wanted
            if wanted:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    # Bytes out: this end as a producer (IPushProducer)

    @property
    def writable(self) -> bool:
        """See `chatd.realm.session.Peer`."""
        return not self.held & OUTPUT

    def pauseProducing(self) -> None:
        """The transport could not send all of it at once."""
        self.hold(OUTPUT)
        self._settle_reading()

    def resumeProducing(self) -> None:
        """The transport has sent everything."""
        self.release(OUTPUT)
        self._leave_when_done()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` is about to say so."""

    def unsent(self) -> list[int]:
        """See `chatd.realm.session.Peer`."""
        return self.receipts.unsent()

    def unread(self) -> list[int]:
        """See `chatd.realm.session.Peer`."""
        return self.receipts.unread()

    def hung_up(self) -> bool:
        """See `chatd.realm.session.Peer`."""
        return bool(getattr(self.transport, "hung_up", bool)())

    # The end

    def readConnectionLost(self) -> None:
        """The peer sends no more: do what it asked for, send what it is owed, then close."""
        if self._deaf:
            self.transport.loseConnection()
            return
        self._end()

    def writeConnectionLost(self) -> None:
        """Our own half-close, for lingering, has been done."""

    def shut(self) -> None:
        """Close, from our side: what was begun is finished and answered, what was not is
        dropped."""
        self._queue.clear()
        self.hold(CLOSING)
        self._settle_reading()
        self._end()

    def dismiss(self, code: str, sentence: str) -> None:
        """See `chatd.realm.session.Peer`."""
        session, self.session = self.session, None
        if session is not None:
            self.log_offline(session)
        self.shut()

    def break_off(self) -> None:
        """Close because the peer's stream means nothing any more, but let it read what was said of
        that."""
        self._queue.clear()
        self._deaf = True
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self.session is not None:
            self.session.leaving = True
        self._leave_when_done()

    def _leave_when_done(self) -> None:
        """Log out and close as soon as nothing is owed in either direction."""
        if not self._ended or self._working or self._queue or self.unanswered:
            return
        if not self.gone:
            if self._left:
                return
            if self.held & OUTPUT:
                self.factory.closing.touch(self)
                return
            # Mail that has not arrived would wait again and come twice; a moment tells.
            now = self.clock.seconds()
            if self._leaving_since is None:
                self._leaving_since = now
            if (
                self.session is not None
                and self.unread()
                and now - self._leaving_since < _ARRIVAL_TIME
            ):
                self.clock.callLater(_ARRIVAL_POLL, self._leave_when_done)
                return
        self.log_out()
        if self.gone:
            self.factory.went(self)
        else:
            self._left = True
            self.transport.unregisterProducer()
            if self.held & CLOSING and getattr(self.transport, "input_waits", bool)():
                self._deaf = True
            if self._deaf:
                # Closing with input unread would reset the connection and take our last words with
                # it.
                self.transport.loseWriteConnection()
                self.transport.resumeProducing()
                self.clock.callLater(_LINGER_TIME, self._lose)
            else:
                self.transport.loseConnection()
            self.factory.closing.touch(self)

    def _lose(self) -> None:
        if not self.gone:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Gone. What it had asked for before is still done; then it is logged out."""
        self.gone = True
        self.held &= ~(OUTPUT | PACE | CLOSING)
        self.factory.lost(self)
        self._end()
        self._work()

    # Who it is

    @property
    def address(self) -> str:
        """Where it comes from, without the port."""
        return str(getattr(self.transport.getPeer(), "host", "local"))

    @property
    def certificate(self) -> str | None:
        """The fingerprint of the certificate that it has shown, if it has."""
        return fingerprint_of(self.transport)

    @property
    def peer(self) -> str:
        """The address, as the log shows it."""
        return f"({self.address}, {getattr(self.transport.getPeer(), 'port', '')})"

    def logged_in(self, session: Session) -> None:
        """This connection is now `session`."""
        self.session = session
        session.leaving = self._ended
        if session.mailbox.allowance is None and self._allowance is not None:
            rate = self.factory.limits.rate * self.factory.limits.account_rate
            burst = rate * self.factory.limits.burst_seconds
            session.mailbox.allowance = TokenBucket(rate, burst, self.clock.seconds())
        self.factory.strangers.discard(self)
        self.logger.info(
            "Client {peer} connected  [ {account} ]", peer=self.peer, account=session.name
        )

    def log_out(self) -> None:
        """This connection is nobody any more."""
        session, self.session = self.session, None
        if session is not None:
            session.end()
            self.log_offline(session)

    def log_offline(self, session: Session) -> None:
        """Tell the operator."""
        if not self.gone:
            self.factory.strangers.touch(self)
        self.logger.info(
            "Client {peer} is offline  [ {account} ]", peer=self.peer, account=session.name
        )

    def log_refusal(self, reason: str) -> None:
        """Tell the operator, a few times."""
        self._refusals += 1
        if self._refusals <= _LOGGED_REFUSALS:
            last = (
                " (the last time this is told of this client)"
                if self._refusals == _LOGGED_REFUSALS
                else ""
            )
            account = self.session.name if self.session is not None else ""
            self.logger.info(
                "Client {peer} refused: {reason}  [ {account} ]{last}",
                peer=self.peer,
                reason=reason,
                account=account,
                last=last,
            )
