"""One open ReceiveMessages call: a session of its own, and the messages that wait to be written.

A server that uses gRPC learns when a message was written, which means that it is in a buffer. gRPC
pings a silent connection (`KEEPALIVE_INTERVAL`), and ends its calls if the client does not answer.
So a message counts as read when its stream is still open a whole round of these pings after the
write, and one written to a stream that has ended by then is shown by the next stream again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.codecs.chat_pb2 import ChatMessage
from chatd.core.addresses import LOCAL, network_of
from chatd.core.entries import Entry, described, without_controls
from chatd.core.errors import Refused, StoreUnavailable
from chatd.core.names import NOTICE_SENDER
from chatd.protocols.grpc.unconfirmed import Unconfirmed
from chatd.realm.live_log import Run
from chatd.realm.peer import Peer, SessionOptions
from chatd.realm.positions import VERY_SOON
from chatd.realm.session import Session
from chatd.stores import Append

if TYPE_CHECKING:
    from chatd.protocols.grpc.account import GrpcAccount

logger = Logger(namespace="chatd")

MAX_WAITING = 256
"""messages that may wait to be written to a stream before it counts as full"""
MAX_WAITING_BYTES = 64 * 1024
"""bytes that they may have together before it counts as full"""
KEEPALIVE_INTERVAL = 30.0
"""seconds of silence after which gRPC pings a connection"""
KEEPALIVE_TIMEOUT = 20.0
"""seconds without an answer after which gRPC closes the connection, and its calls end"""
ACK_DELAY = KEEPALIVE_INTERVAL + KEEPALIVE_TIMEOUT + 10.0
"""seconds after which a message counts as read if its stream is still open. The last ten are those
that gRPC takes to notice, and to end the calls."""
_LATE = 5.0
"""seconds by which the daemon may be late: beyond that it stood still, as its pings did"""
_RETRY_DELAY = 1.0
"""seconds to wait after the store has failed"""


class Waiting(NamedTuple):
    """A message that waits: `seq` is that of the entry that it shows, `notice` the number of the
    notice; the other one is 0. Both are 0 if nothing has to be remembered of it."""

    message: ChatMessage
    seq: int = 0
    notice: int = 0


class Stream(Peer):
    """A stream of an account. `connection` is the peer of its call, as gRPC writes it, `address`
    that of its client without the port."""

    session_options = SessionOptions(rooms=False, save_within=VERY_SOON)
    address = network = LOCAL

    def __init__(self, account: GrpcAccount, connection: str = "", address: str = "local") -> None:
        self.account = account
        self.connection = connection
        self.address = address
        self.network = network_of(address)
        self.session: Session | None = None
        self.noticed = 0
        """the number of the last notice that was queued"""
        self._clock = account.clock
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._ready: Deferred[None] | None = None
        # Whether nothing more is queued, and whether the client is still to read what is.
        self._ended = False
        self._finishing = False
        self._catching_up = False
        self._entries = Unconfirmed()
        self._notices = Unconfirmed()
        self._confirming: IDelayedCall | None = None
        self._confirm_at = 0.0
        self._retrying: IDelayedCall | None = None

    def begin(self, session: Session) -> None:
        """Show the mail of a session, which was opened for this peer."""
        self.session = session
        session.begin({})
        self.fill()

    def finish(self) -> None:
        """End the session; the call ends after what is queued and the notices."""
        self._end_session()
        while self._queue_notice():
            pass
        self._ended = self._finishing = True
        self._fire()

    def close(self) -> None:
        """The call has ended: what does not count as read is shown by the next stream."""
        self._end_session()
        self._ended = True
        self._finishing = False
        self._waiting.clear()
        self._bytes = 0

    def _end_session(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.end()
        for call in (self._confirming, self._retrying):
            if call is not None:
                call.cancel()
        self._confirming = self._retrying = None

    # What waits

    def fill(self) -> None:
        """Queue what there is room for: mail, and the notices after the mail that waits."""
        if self._ended or self._catching_up or self._retrying is not None:
            return
        session = self.session
        if session is None or not session.behind:
            while self.writable and self._queue_notice():
                pass
        elif self.writable:
            self._catching_up = True
            Deferred.fromCoroutine(self._catch_up(session)).addErrback(self._failed)

    async def _catch_up(self, session: Session) -> None:
        try:
            await session.catch_up()
        except StoreUnavailable:
            if not self._ended:
                self._retrying = self._clock.callLater(_RETRY_DELAY, self._retry)
            return
        finally:
            self._catching_up = False
        self.fill()

    def _retry(self) -> None:
        self._retrying = None
        self.fill()

    def _queue_notice(self) -> bool:
        """Queue the next notice; whether there was one."""
        notice = self.account.notices.after(self.noticed)
        if notice is None:
            return False
        self.noticed, text = notice
        self._put(Waiting(self._from_server(text), notice=self.noticed))
        return True

    def _from_server(self, text: str) -> ChatMessage:
        return ChatMessage(
            thread_id=1, message=text, sender_id=NOTICE_SENDER, recipient_id=self.account.name
        )

    def _put(self, waiting: Waiting) -> None:
        if not self._ended:
            self._waiting.append(waiting)
            self._bytes += waiting.message.ByteSize()
            self._fire()

    def _fire(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.callback(None)

    # Writing

    def ready(self) -> Deferred[None]:
        """Fires when `next` has a message, or the stream is at its end."""
        ready = self._ready = Deferred()
        if self._waiting or self._ended:
            self._fire()
        return ready

    def next(self) -> Waiting | None:
        """The next message, None at the end of the stream. Only when `ready`.

        The client has read the notices of a stream that was written to its end.
        """
        if not self._waiting:
            if self._finishing:
                self.account.notices_read(self.noticed)
            return None
        full = not self.writable
        waiting = self._waiting.popleft()
        self._bytes -= waiting.message.ByteSize()
        if full:
            self.fill()
        return waiting

    def written(self, waiting: Waiting) -> None:
        """A message has been written to the call."""
        now = self._clock.seconds()
        if waiting.notice:
            self._notices.add(waiting.notice, now)
        elif waiting.seq and self.session is not None:
            self._entries.add(waiting.seq, now)
        if self._confirming is None and not self._ended:
            self._confirm_after(ACK_DELAY)

    def _confirm_after(self, seconds: float) -> None:
        self._confirm_at = self._clock.seconds() + seconds
        self._confirming = self._clock.callLater(seconds, self._confirm_due)

    def _confirm_due(self) -> None:
        self._confirming = None
        now = self._clock.seconds()
        if now > self._confirm_at + _LATE:
            # The client may have disappeared meanwhile, which takes another round to notice.
            self._confirm_after(ACK_DELAY)
            return
        self.confirm(now - ACK_DELAY)
        oldest = [at for at in (self._entries.oldest, self._notices.oldest) if at is not None]
        if oldest:
            self._confirm_after(max(min(oldest) + ACK_DELAY - now, 0.001))

    def confirm(self, until: float) -> None:
        """What was written until a moment, in the clock's seconds, has been read."""
        for _, last in self._notices.take(until):
            self.account.notices_read(last)
        session = self.session
        for first, last in self._entries.take(until):
            if session is not None and not session.ended:
                # Entries whose acknowledgement is refused are shown again.
                with suppress(Refused):
                    session.acknowledge(session.mailbox.name, first, last)

    # The peer of its session (`chatd.realm.peer.Peer`)

    @property
    def writable(self) -> bool:
        """See `Peer`."""
        return (
            not self._ended and len(self._waiting) < MAX_WAITING and self._bytes < MAX_WAITING_BYTES
        )

    @property
    def about(self) -> str:
        """See `Peer`."""
        return f"gRPC stream, from {self.address}"

    def show(self, runs: Sequence[Run]) -> None:
        """See `Peer`."""
        for run in runs:
            for entry in run.entries:
                self._put(Waiting(self._shown(entry), seq=entry.seq))

    def _shown(self, entry: Append | Entry) -> ChatMessage:
        return ChatMessage(
            id=entry.id,
            thread_id=self.account.thread_ids.get(entry.id, 1),
            message=without_controls(described(entry.kind, entry.body)),
            sender_id=entry.sender,
            recipient_id=self.account.name,
        )

    def announcement(self, time: int, text: str) -> None:
        """See `Peer`. Unlike a notice it does not wait for other streams."""
        if self.writable:
            self._put(Waiting(self._from_server(text)))

    def failed(self) -> None:
        """See `Peer`."""
        self._failed(Failure())

    def _failed(self, failure: Failure) -> None:
        """A programming error ends this stream, and affects no other."""
        logger.failure("A gRPC stream of {account} failed", failure, account=self.account.name)
        self.finish()

    def session_ended(self, code: str, sentence: str) -> None:
        """See `Peer`."""
        self.account.session_ended(code, sentence)
