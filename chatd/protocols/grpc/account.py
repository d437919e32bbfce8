"""One account at the gRPC service: its session, its streams, and the notices of the server.

The service has no connections that log in: a call names its account, and what the account receives
goes to streams, which are calls of their own, opened sooner or later or several times. So each
account that has logged in has one session, and this is its peer. Without a stream the session falls
behind, and the mail waits in the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.codecs.chat_pb2 import ChatMessage
from chatd.core.entries import Entry, described, ranges, without_controls
from chatd.core.errors import Refused, StoreUnavailable
from chatd.protocols.grpc.stream import Shown, Stream
from chatd.realm.live_log import Run
from chatd.realm.positions import VERY_SOON
from chatd.realm.session import Peer, Session, SessionOptions
from chatd.stores import Append

logger = Logger(namespace="chatd")

NOTICE_SENDER = "Server"
"""the sender of notices"""
MAX_NOTICES = 1_000
"""notices that wait for a stream; older ones are dropped"""
ACK_DELAY = 0.1
"""seconds after which an entry written to a stream that is still open is acknowledged"""
_RETRY_DELAY = 1.0
"""seconds to wait after the store has failed"""


class GrpcAccount(Peer):
    """An account as the service holds it. `name` is spelled as the client spells it."""

    session_options = SessionOptions(rooms=False, save_within=VERY_SOON)

    def __init__(self, name: str, clock: Any, thread_ids: Mapping[int, int]) -> None:
        """`thread_ids` are those of the messages being sent by this service, by the entry's id."""
        self.name = name
        self.session: Session | None = None
        self.last_call = 0.0
        """when the last call was made, in the clock's seconds"""
        self.streams: list[Stream] = []
        self._clock = IReactorTime(clock)
        self._thread_ids = thread_ids
        self._notices: deque[str] = deque(maxlen=MAX_NOTICES)
        # Entries of the mailbox of `session`, and when they were written.
        self._written: deque[tuple[float, int]] = deque()
        self._acknowledging: IDelayedCall | None = None
        self._catching_up = False
        self._sent: dict[int, Deferred[Append]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is lost when the service drops this object."""
        return self.session is None and not self.streams and not self._notices

    def notice(self, text: str) -> None:
        """Send a notice, after the mail that waits."""
        self._notices.append(text)
        self._send_waiting()

    def log_in(self, session: Session) -> None:
        """Use a session, which was opened for this peer."""
        self.session = session
        self._written.clear()
        session.begin({})
        session.fall_behind()
        self._send_waiting()

    def log_out(self) -> None:
        """End the session, and the streams after what is waiting for them."""
        session, self.session = self.session, None
        if session is not None:
            session.end()
        self._written.clear()
        self._send_waiting()

    # Streams

    def open(self) -> Stream:
        """Open a stream. Without a session it gets the waiting notices, and ends."""
        stream = Stream(self._send_waiting)
        self.streams.append(stream)
        self._send_waiting()
        return stream

    def close(self, stream: Stream) -> None:
        """Close a stream; entries that were not acknowledged are shown again by the next one."""
        if stream not in self.streams:
            return
        self.streams.remove(stream)
        if not self.streams:
            self._show_again()

    def _show_again(self) -> None:
        """Have the next stream show the entries that were not acknowledged."""
        session = self.session
        if session is not None and not session.ended:
            self._written.clear()
            session.rewind()

    def entry_written(self, shown: Shown | None) -> None:
        """A message has been written to a stream; `shown` is the entry that it shows. That of a
        former session is not acknowledged."""
        if shown is not None and shown.session is self.session:
            self._written.append((self._clock.seconds(), shown.seq))
            if self._acknowledging is None:
                self._acknowledging = self._clock.callLater(ACK_DELAY, self._acknowledge_due)

    def _acknowledge_due(self) -> None:
        self._acknowledging = None
        self.acknowledge(self._clock.seconds() - ACK_DELAY)
        if self._written:
            wait = self._written[0][0] + ACK_DELAY - self._clock.seconds()
            self._acknowledging = self._clock.callLater(max(wait, 0.001), self._acknowledge_due)

    def acknowledge(self, until: float = inf) -> None:
        """Acknowledge the entries that were written until a moment, in the clock's seconds."""
        seqs: set[int] = set()
        while self._written and self._written[0][0] <= until:
            seqs.add(self._written.popleft()[1])
        session = self.session
        if session is None or session.ended:
            return
        for first, last in ranges(seqs):
            # Entries whose acknowledgement is refused are shown again.
            with suppress(Refused):
                session.acknowledge(session.mailbox.name, first, last)

    def _send_waiting(self) -> None:
        """Send what can be sent: waiting mail, then notices, then the end of the streams."""
        if not self.streams or self._catching_up:
            return
        session = self.session
        if session is not None and session.behind:
            if self.writable:
                self._catching_up = True
                Deferred.fromCoroutine(self._catch_up(session)).addErrback(self._failed)
            return
        while self._notices:
            text = self._notices.popleft()
            self._put(
                ChatMessage(
                    thread_id=1, message=text, sender_id=NOTICE_SENDER, recipient_id=self.name
                )
            )
        if session is None:
            self._end_streams()

    async def _catch_up(self, session: Session) -> None:
        try:
            await session.catch_up()
        except StoreUnavailable:
            self._clock.callLater(_RETRY_DELAY, self._send_waiting)
            return
        finally:
            self._catching_up = False
        self._send_waiting()

    def _failed(self, failure: Failure) -> None:
        """A programming error ends the streams of this account, and affects no other."""
        logger.failure("gRPC account {account} failed", failure, account=self.name)
        self._end_streams()
        self._show_again()

    def _end_streams(self) -> None:
        streams, self.streams = self.streams, []
        for stream in streams:
            stream.end()

    def _put(self, message: ChatMessage, shown: Shown | None = None) -> None:
        for stream in self.streams:
            stream.put(message, shown)

    # The peer of its session (`chatd.realm.session.Peer`)

    @property
    def writable(self) -> bool:
        """See `Peer`."""
        return bool(self.streams) and not any(stream.full for stream in self.streams)

    @property
    def about(self) -> str:
        """See `Peer`."""
        return "gRPC"

    def show(self, runs: Sequence[Run]) -> None:
        """See `Peer`."""
        for run in runs:
            for entry in run.entries:
                self._show(entry)

    def _show(self, entry: Append | Entry) -> None:
        self._put(
            ChatMessage(
                id=entry.id,
                thread_id=self._thread_ids.get(entry.id, 1),
                message=without_controls(described(entry.kind, entry.body)),
                sender_id=entry.sender,
                recipient_id=self.name,
            ),
            None if self.session is None else Shown(self.session, entry.seq),
        )

    def sent(self, append: Append) -> Deferred[Append]:
        """Fires when an append of this account is durable, or refused."""
        self._sent[append.id] = Deferred()
        return self._sent[append.id]

    def answer(self, appends: Sequence[Append]) -> None:
        """See `Peer`."""
        for append in appends:
            answered = self._sent.pop(append.id, None)
            if answered is not None:
                answered.callback(append)

    def failed(self) -> None:
        """See `Peer`."""
        self._failed(Failure())

    def session_ended(self, code: str, sentence: str) -> None:
        """See `Peer`."""
        self.session = None
        self._written.clear()
        self.notice(sentence)
