"""The session of a connection: from login to logout, and the entries on their way to the client."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from twisted.internet.task import deferLater

from chatd.core.errors import Refused, WrongPassword
from chatd.realm.peer import Peer
from chatd.realm.session import Session
from chatd.server.identity import IdentifiedProtocol
from chatd.server.rate_limit import account_bucket
from chatd.server.states import Phase
from chatd.server.tracked_transport import TrackedTransport
from chatd.server.write_tracker import WriteTracker

if TYPE_CHECKING:
    from chatd.server.factory import ConnectionFactory

ARRIVAL_POLL = 0.01
"""seconds between two questions whether the last entries have arrived"""
ARRIVAL_TIME = 1.0
"""seconds that the last entries have to arrive before a session ends"""


class SessionConnection(IdentifiedProtocol, Peer):
    """A connection with the session of its client.

    `session` is the session while the client is logged in, `phase` how far the end of the
    connection has come. `tracked_transport` and `writes` are set when the connection is made.
    """

    session: Session | None = None
    phase = Phase.OPEN
    tracked_transport: TrackedTransport
    writes: WriteTracker
    _refusals = _guesses = 0

    def __init__(self, factory: ConnectionFactory) -> None:
        self.factory: ConnectionFactory = factory
        self.clock = factory.clock

    @property
    def disconnected(self) -> bool:
        """Whether the transport is closed."""
        return self.phase >= Phase.DISCONNECTED

    # Entries on their way to the client

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
        until = self.clock.seconds() + ARRIVAL_TIME
        while self.acknowledge_arrived()[1]:
            if self.disconnected or self.clock.seconds() >= until:
                return
            await deferLater(self.clock, ARRIVAL_POLL)

    def session_ending(self) -> None:
        """See `chatd.realm.peer.Peer`."""
        self.acknowledge_arrived()

    def hung_up(self) -> bool:
        """See `chatd.realm.peer.Peer`."""
        return self.tracked_transport.hung_up()

    # Login and logout

    def logged_in(self, session: Session) -> None:
        """Use `session` from now on."""
        self.session = session
        session.closing = self.phase is not Phase.OPEN
        account_bucket(session.mailbox, self.factory.limits, self.clock.seconds())
        self.factory.unauthenticated.discard(self)
        self.factory.client_log.connected(self.address, self.address_and_port, session.name)

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
        self.factory.client_log.offline(self.address, self.address_and_port, session.name)

    def log_refusal(self, reason: str, quota: str = "", account: str = "") -> None:
        """Log a refusal, and count it; of each connection only the first few are logged.

        `quota` is the bound that was met, if any (`chatd.realm.counters`), `account` the name that
        the client gave to log in, empty for that of its session.
        """
        self.factory.realm.counters.refused(reason, quota)
        # Other refusals do not hide guesses.
        if reason == WrongPassword.code:
            count = self._guesses = self._guesses + 1
        else:
            count = self._refusals = self._refusals + 1
        if not account and self.session is not None:
            account = self.session.name
        self.factory.client_log.refused(self.address, self.address_and_port, reason, account, count)
