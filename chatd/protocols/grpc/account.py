"""One account at the gRPC service: whether it is logged in, its streams, and its notices.

The service has no connections that log in: a call names its account, and what the account receives
goes to streams, which are calls of their own, opened sooner or later or several times. Each stream
has a session of its own (`chatd.protocols.grpc.stream`), so that one that is not read holds up no
other. The account has one more, by which it is online and sends; it ends with the last stream. An
account that is logged in without a session gets one by its next call or stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.core.addresses import LOCAL
from chatd.protocols.grpc.notices import Notices
from chatd.protocols.grpc.stream import Stream
from chatd.realm.live_log import Run
from chatd.realm.peer import Peer, SessionOptions
from chatd.realm.positions import VERY_SOON
from chatd.realm.session import Session
from chatd.stores import Append

logger = Logger(namespace="chatd")

LOGOUT_ACK_DELAY = 5.0
"""seconds after which a message counts as read if the client that it was written to logs out by the
same connection, which is alive then and delivers in order"""


class GrpcAccount(Peer):
    """An account as the service holds it. `name` is spelled as the client spells it, `id` is the
    account's."""

    session_options = SessionOptions(rooms=False, save_within=VERY_SOON)
    address = network = LOCAL
    """those of the call that opened the session"""

    def __init__(self, name: str, id: int, clock: Any, thread_ids: Mapping[int, int]) -> None:
        """`thread_ids` are those of the messages being sent by this service, by the entry's id."""
        self.name = name
        self.id = id
        self.clock = IReactorTime(clock)
        self.thread_ids = thread_ids
        self.logged_in = False
        """whether streams receive mail"""
        self.session: Session | None = None
        """the session by which the account sends"""
        self.streams: list[Stream] = []
        """those that receive what comes"""
        self.notices = Notices()
        self.last_call = 0.0
        """when the last call was made, in the clock's seconds"""
        self.waiting_calls = 0
        """calls that wait because the account is over its rate"""
        self._calls = 0
        self._deleting = False
        self._sent: dict[int, Deferred[Append]] = {}

    @property
    def in_use(self) -> bool:
        """Whether there is a stream, or a call under way that needs this object."""
        return bool(self.streams or self._calls)

    @property
    def idle(self) -> bool:
        """Whether nothing is lost when the service drops this object."""
        return not (self.in_use or self.logged_in or self.notices.waiting)

    @contextmanager
    def used(self) -> Iterator[None]:
        """A call is under way that needs this object."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def log_in(self, session: Session) -> None:
        """Use a session, which was opened for this peer."""
        self.session = session
        self.logged_in = True
        # Mail is shown by the sessions of the streams.
        session.begin({session.mailbox.name: session.mailbox.head})

    def log_out(self, connection: str | None = None) -> None:
        """End the sessions, and the streams after the notices that wait. `connection` is that of
        the client, if it has asked for that and the connection is known."""
        self.logged_in = False
        streams, self.streams = self.streams, []
        for stream in streams:
            if stream.connection == connection:
                stream.confirm(self.clock.seconds() - LOGOUT_ACK_DELAY)
            stream.finish()
        self._end_session()

    def _end_session(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.end()

    @contextmanager
    def deleting(self) -> Iterator[None]:
        """A call deletes the account, and notifies the client itself."""
        self._deleting = True
        try:
            yield
        finally:
            self._deleting = False

    # Streams and their notices

    def open(self, stream: Stream, session: Session | None) -> None:
        """Open a stream with its session. Without one it gets the waiting notices, and ends."""
        stream.noticed = self.notices.read
        if session is None:
            stream.finish()
        else:
            self.streams.append(stream)
            stream.begin(session)

    def close(self, stream: Stream) -> None:
        """The call of a stream has ended."""
        stream.close()
        if stream in self.streams:
            self.streams.remove(stream)
            if not self.streams:
                self._end_session()

    def notice(self, *texts: str) -> None:
        """Send notices that belong together, after the mail that waits."""
        self.notices.add(*texts)
        for stream in self.streams:
            stream.fill()

    def notices_read(self, number: int) -> None:
        """The client has read the notices up to a number."""
        self.notices.read = max(self.notices.read, number)
        # The other streams show them, too.
        self.notices.discard(min([self.notices.read, *(stream.noticed for stream in self.streams)]))

    # Sending

    @contextmanager
    def sent(self, append: Append) -> Iterator[Deferred[Append]]:
        """A Deferred that fires when an append of this account is durable, or refused."""
        answered = self._sent[append.id] = Deferred()
        try:
            yield answered
        finally:
            self._sent.pop(append.id, None)

    # The peer of its session (`chatd.realm.peer.Peer`)

    @property
    def writable(self) -> bool:
        """See `Peer`. The session is behind with nothing, since it shows nothing."""
        return True

    @property
    def about(self) -> str:
        """See `Peer`."""
        return "gRPC"

    def show(self, runs: Sequence[Run]) -> None:
        """See `Peer`. Entries are shown by the streams."""

    def answer(self, appends: Sequence[Append]) -> None:
        """See `Peer`."""
        for append in appends:
            answered = self._sent.pop(append.id, None)
            if answered is not None:
                answered.callback(append)

    def failed(self) -> None:
        """See `Peer`."""
        logger.failure("gRPC account {account} failed", Failure(), account=self.name)

    def session_ended(self, code: str, sentence: str) -> None:
        """See `Peer`; called for each session of the account."""
        if self.logged_in and not (self._deleting and code == "account-deleted"):
            self.notices.add(sentence)
            self.log_out()
