"""One account at the gRPC service: what it is to be told, and the streams it is told by.

The service has no connections that could be logged in: a call says whose it is, and what the person
reads comes by streams of their own, opened sooner or later, or several times. So there is a session
for each account that has logged in, and this is its peer. Without a stream it takes nothing; the
log keeps the mail.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.codecs.chat_pb2 import ChatMessage
from chatd.core.entries import Entry, described, ranges
from chatd.core.errors import Refused, StoreUnavailable
from chatd.realm.ack_session import AckSession
from chatd.realm.live_log import Run
from chatd.realm.session import Peer
from chatd.stores import Append

NOTICE_SENDER = "Server"
"""whose notices are"""
NOTICES = 1_000
"""notices that are kept for somebody without a stream"""
CONFIRM = 0.1
"""seconds after which what was written to a stream that is still open counts as read"""
_AHEAD = 256
"""messages that a stream may have before it that have not been written"""
_RETRY = 1.0


class Stream:
    """What goes to one open call. `taken` is called when there is room again."""

    def __init__(self, taken: Callable[[], None]) -> None:
        self._taken = taken
        self._waiting: deque[tuple[ChatMessage, int]] = deque()
        self._wanted: Deferred[None] | None = None
        self._ended = False

    @property
    def full(self) -> bool:
        """Whether it is not read as fast as it is filled."""
        return len(self._waiting) >= _AHEAD

    def put(self, message: ChatMessage, seq: int = 0) -> None:
        """One more; `seq` is that of an entry."""
        if not self._ended:
            self._waiting.append((message, seq))
            self._wake()

    def end(self) -> None:
        """There will be no more after these."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted.callback(None)

    def ready(self) -> Deferred[None]:
        """Fires when `next` has something to say."""
        self._wanted = Deferred()
        wanted = self._wanted
        if self._waiting or self._ended:
            self._wake()
        return wanted

    def next(self) -> tuple[ChatMessage, int] | None:
        """The next message and its seq; None: that was all. Only when `ready`."""
        if not self._waiting:
            return None
        full = self.full
        found = self._waiting.popleft()
        if full:
            self._taken()
        return found


class GrpcAccount(Peer):
    """An account as the service knows it. `name` is spelled as its client spells it."""

    def __init__(self, name: str, clock: Any, thread_ids: Mapping[int, int]) -> None:
        """`thread_ids` are those of the messages being sent by this service, by the entry's id."""
        self.name = name
        self.session: AckSession | None = None
        self.seen = 0.0
        """when it was last heard of, in the clock's seconds"""
        self.streams: list[Stream] = []
        self._clock = IReactorTime(clock)
        self._thread_ids = thread_ids
        self._notices: deque[str] = deque(maxlen=NOTICES)
        self._written: deque[tuple[float, int]] = deque()
        self._confirming: IDelayedCall | None = None
        self._catching_up = False
        self._sent: dict[int, Deferred[Append]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing here would be missed."""
        return self.session is None and not self.streams and not self._notices

    # What it is told

    def notice(self, text: str) -> None:
        """Tell it something, behind the mail that waits."""
        self._notices.append(text)
        self._flow()

    def log_in(self, session: AckSession) -> None:
        """It has a session now."""
        self.session = session
        for log in list(session.subscriptions):
            if log != session.mailbox.log:
                session.unsubscribe(log)
        session.begin({})
        session.fall_behind()
        self._flow()

    def open(self) -> Stream:
        """One more stream. Where there is no session, it has what was owed, and ends."""
        stream = Stream(self._flow)
        self.streams.append(stream)
        self._flow()
        return stream

    def close(self, stream: Stream) -> None:
        """That stream is over; what it may not have brought home comes again."""
        if stream not in self.streams:
            return
        self.streams.remove(stream)
        session = self.session
        if not self.streams and session is not None and not session.ended:
            self._written.clear()
            session.rewind()

    def wrote(self, seq: int) -> None:
        """An entry has been written to a stream."""
        if self.session is not None and seq:
            self._written.append((self._clock.seconds(), seq))
            if self._confirming is None:
                self._confirming = self._clock.callLater(CONFIRM, self._confirm)

    def _confirm(self) -> None:
        self._confirming = None
        self.confirm(self._clock.seconds() - CONFIRM)
        if self._written:
            wait = self._written[0][0] + CONFIRM - self._clock.seconds()
            self._confirming = self._clock.callLater(max(wait, 0.001), self._confirm)

    def confirm(self, until: float = inf) -> None:
        """Acknowledge what was written until then, in the clock's seconds."""
        seqs: set[int] = set()
        while self._written and self._written[0][0] <= until:
            seqs.add(self._written.popleft()[1])
        session = self.session
        if session is None or session.ended:
            return
        for first, last in ranges(seqs):
            # Entries that are refused are shown again.
            with suppress(Refused):
                session.acknowledge(session.mailbox.log, first, last)

    def log_out(self) -> None:
        """Its session ends, and its streams with what is owed."""
        session, self.session = self.session, None
        if session is not None:
            session.end()
        self._written.clear()
        self._flow()

    def _flow(self) -> None:
        """Pass on what can be passed on: waiting mail first, then notices; after all of it, the
        end."""
        if not self.streams or self._catching_up:
            return
        session = self.session
        if session is not None and session.behind and self.writable:
            self._catching_up = True
            Deferred.fromCoroutine(self._catch_up(session)).addErrback(self._failed)
            return
        if session is not None and session.behind:
            return
        while self._notices:
            text = self._notices.popleft()
            self._put(
                ChatMessage(
                    thread_id=1, message=text, sender_id=NOTICE_SENDER, recipient_id=self.name
                )
            )
        if session is None:
            self._end()

    async def _catch_up(self, session: AckSession) -> None:
        try:
            await session.catch_up()
        except StoreUnavailable:
            self._clock.callLater(_RETRY, self._flow)
            return
        finally:
            self._catching_up = False
        self._flow()

    def _failed(self, failure: Any) -> None:
        """A programming error: it costs this account its streams, and nobody else anything."""
        self._end()

    def _end(self) -> None:
        streams, self.streams = self.streams, []
        for stream in streams:
            stream.end()

    def _put(self, message: ChatMessage, seq: int = 0) -> None:
        for stream in self.streams:
            stream.put(message, seq)

    # As a peer of its session (`chatd.realm.session.Peer`)

    @property
    def writable(self) -> bool:
        """See `chatd.realm.session.Peer`."""
        return bool(self.streams) and not any(stream.full for stream in self.streams)

    @property
    def about(self) -> str:
        """See `chatd.realm.session.Peer`."""
        return "gRPC"

    def show(self, runs: Sequence[Run]) -> None:
        """See `chatd.realm.session.Peer`."""
        for run in runs:
            for entry in run:
                self._show(entry)

    def _show(self, entry: Append | Entry) -> None:
        self._put(
            ChatMessage(
                id=entry.id,
                thread_id=self._thread_ids.get(entry.id, 1),
                message=described(entry.kind, entry.body),
                sender_id=entry.sender,
                recipient_id=self.name,
            ),
            entry.seq,
        )

    def sent(self, append: Append) -> Deferred[Append]:
        """Fires when what was sent is durable, or refused."""
        self._sent[append.id] = Deferred()
        return self._sent[append.id]

    def answer(self, appends: Sequence[Append]) -> None:
        """See `chatd.realm.session.Peer`."""
        for append in appends:
            waiting = self._sent.pop(append.id, None)
            if waiting is not None:
                waiting.callback(append)

    def session_ended(self, code: str, sentence: str) -> None:
        """See `chatd.realm.session.Peer`."""
        self.session = None
        self.notice(sentence)

    def joined(self, log: str) -> None:
        """See `chatd.realm.session.Peer`. The service has no rooms."""
        if self.session is not None:
            self.session.unsubscribe(log)
