"""The factory of all connections: what they share, and the limits on all of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import msgspec
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory

from chatd.auth.credentials import AccountChecker, ISession, NameOnly, NamePassword, NameToken
from chatd.core.errors import AddressBanned, Refused
from chatd.core.limits import Limits
from chatd.realm.accounts import Account
from chatd.realm.peer import Peer
from chatd.realm.realm import Realm
from chatd.realm.requester import Client
from chatd.realm.session import Session
from chatd.server.admission import Admission
from chatd.server.arrivals import Arrivals
from chatd.server.client_log import ClientLog
from chatd.server.closing import ClosingConnection
from chatd.server.connection import Connection
from chatd.server.deadlines import Deadlines
from chatd.server.listings import Listings, UnreadListings
from chatd.server.session_connection import SessionConnection
from chatd.server.sniffer import Rejection, Sniffer
from chatd.server.tls import in_handshake
from chatd.server.turns import Turns
from chatd.server.unauthenticated import Unauthenticated

AnyConnection: TypeAlias = ClosingConnection | Sniffer | Rejection
Credentials: TypeAlias = NameOnly | NamePassword | NameToken


class ConnectionFactory(Factory):
    """Makes connections with `protocol`, counts them and holds their deadlines."""

    noisy = False
    protocol: Callable[[ConnectionFactory], AnyConnection]  # type: ignore[assignment]

    def __init__(
        self,
        protocol: Callable[[ConnectionFactory], AnyConnection],
        realm: Realm,
        portal: Portal,
        limits: Limits,
        clock: Any,
    ) -> None:
        self.protocol = protocol
        self.realm = realm
        self._portal = portal
        self.limits = limits
        self.clock = IReactorTime(clock)
        self.admission = Admission(realm.counters)
        self.client_log = ClientLog(clock)
        # In the order in which they were made, which a set does not keep.
        self.connections: dict[AnyConnection, None] = {}
        self.unauthenticated: Unauthenticated[SessionConnection | Sniffer | Rejection] = (
            Unauthenticated(clock, limits, self._login_timed_out, self._too_many)
        )
        self.handshakes: Deadlines[AnyConnection] = Deadlines(
            clock, limits.handshake_time, self._handshake_timed_out
        )
        self.unfinished: Deadlines[Connection] = Deadlines(
            clock, limits.frame_time, self._frame_timed_out
        )
        self.closing: Deadlines[AnyConnection] = Deadlines(clock, limits.flush_time, self._abort)
        self.arrivals = Arrivals(self.clock)
        self.turns = Turns(self.clock)
        realm.address_bans.on_banned.append(self.close_banned)
        self.listings = Listings(self.turns)
        self.unread_listings = UnreadListings(limits.unread_listings, _listing_unread)
        realm.counters.watch_queue("listings", self.listings.__len__)
        realm.counters.watch_queue("connections before log-in", self.unauthenticated.__len__)
        realm.counters.watch_queue("connections with more to do", self.turns.__len__)
        self._all_closed: Deferred[None] | None = None
        self._idle_timer: IDelayedCall | None = None

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> AnyConnection | None:
        """Return a connection for a peer at `addr`; None, which closes it, if that is banned."""
        return self.protocol(self) if self.admits(addr) else None

    def admits(self, address: IAddress | None) -> bool:
        """Whether a client at an address may connect. A refusal is counted, and not logged: there
        may be thousands in a second."""
        ban = self.realm.address_bans.find(getattr(address, "host", ""))
        if ban is not None:
            self.realm.counters.refused(AddressBanned.code)
        return ban is None

    def close_banned(self, banned: Callable[[str], bool]) -> int:
        """Abort the connections without a session whose addresses are banned. Returns how many."""
        connections = [
            connection
            for connection in self.connections
            if getattr(connection, "session", None) is None and banned(connection.address)
        ]
        for connection in connections:
            connection.log_refusal(AddressBanned.code)
            connection.transport.abortConnection()
        return len(connections)

    async def log_in(self, credentials: Credentials, peer: Peer) -> Session:
        """Open a session for a peer. Raises what `AccountChecker` and `Sessions.open` do.

        A connection is not idle while the store is asked for its account, however many log in at
        the same moment. With a password, it may wait for longer, and can be given up.
        """
        # Behind a proxy, the address may not have been known when the connection was accepted.
        self.realm.address_bans.check(credentials.address)
        if isinstance(peer, Connection) and not isinstance(credentials, NamePassword):
            self.unauthenticated.discard(peer)
        try:
            _, session, _ = await self._portal.login(credentials, peer, ISession)
        except Refused:
            if isinstance(peer, Connection) and peer.session is None and not peer.disconnected:
                self.unauthenticated.touch(peer)
            raise
        return cast("Session", session)

    @property
    def _checker(self) -> AccountChecker:
        return cast("AccountChecker", self._portal.checkers[IUsernamePassword])

    async def prove(
        self, name: str, password: str | None, client: Client, logging_in: bool = True
    ) -> Account:
        """See `AccountChecker.prove`."""
        return await self._checker.prove(name, password, client, logging_in)

    async def register(
        self, name: str, password: str | None, invite: str | None, client: Client
    ) -> Account:
        """Create an account for a client, which need not wait when it logs in to it. Raises what
        `Realm.register` does."""
        account = await self.realm.register(name, password, invite, client)
        self._checker.throttle.proven(account.id, client.address)
        return account

    def connection_opened(self, connection: AnyConnection) -> None:
        """Count a connection as open and unauthenticated."""
        self.connections[connection] = None
        self.admission.connections_changed(len(self.connections))
        if self._idle_timer is None:
            self._idle_timer = self.clock.callLater(self.limits.idle_time, self._check_idle)
        self.unauthenticated.touch(connection)
        if in_handshake(connection.transport):
            self.handshakes.touch(connection)

    def cancel_deadlines(self, connection: AnyConnection) -> None:
        """Cancel all deadlines of a connection: its transport is closed."""
        self.unauthenticated.discard(connection)
        self.handshakes.discard(connection)
        if isinstance(connection, Connection):
            self.unfinished.discard(connection)
            self.unread_listings.discard(connection)
            self.listings.forget(connection)
        self.closing.discard(connection)

    def connection_closed(self, connection: AnyConnection) -> None:
        """Count a connection no longer: its transport is closed and its session has ended."""
        self.connections.pop(connection, None)
        self.admission.connections_changed(len(self.connections))
        if self._all_closed is not None and not self.connections:
            all_closed, self._all_closed = self._all_closed, None
            all_closed.callback(None)

    def set_capacity(self, most: int) -> None:
        """Accept so many connections; half of them may be without login, if that is less than
        `Limits.unauthenticated`. So that one address leaves some to others, its sessions may have
        half of them, and its connections without login a quarter, if its limits are greater."""
        self.admission.most = most
        self.unauthenticated.most = min(self.limits.unauthenticated, max(1, most // 2))
        limits, share = self.realm.limits, self.unauthenticated.share
        if share is not None:
            self.unauthenticated.share = min(share, max(1, most // 4))
        if limits.address_sessions is not None:
            sessions = min(limits.address_sessions, max(1, most // 2))
            self.realm.limits = msgspec.structs.replace(limits, address_sessions=sessions)

    def close_all(self) -> Deferred[None]:
        """Close every connection (`Connection.close`), and refuse log-ins that wait; fires when the
        last one is closed."""
        self._checker.throttle.stop()
        if not self.connections:
            return succeed(None)
        self._all_closed = Deferred()
        all_closed = self._all_closed
        for connection in list(self.connections):
            connection.close()
        return all_closed

    def abort_all(self) -> None:
        """Abort every connection that is still open."""
        for connection in list(self.connections):
            connection.transport.abortConnection()

    def _check_idle(self) -> None:
        """Abort connections that failed the idle check."""
        self._idle_timer = None
        for connection in list(self.connections):
            if not connection.is_alive():
                connection.log_refusal("silent for too long")
                connection.transport.abortConnection()
        if self.connections:
            self._idle_timer = self.clock.callLater(self.limits.idle_time, self._check_idle)

    def cancel_timers(self) -> None:
        """Cancel every deadline and the idle check."""
        for deadlines in (self.unauthenticated, self.handshakes, self.unfinished, self.closing):
            deadlines.stop()
        self.arrivals.stop()
        self.client_log.stop()
        if self._idle_timer is not None and self._idle_timer.active():
            self._idle_timer.cancel()

    def _login_timed_out(self, connection: SessionConnection | Sniffer | Rejection) -> None:
        connection.log_refusal("idle too long without logging in")
        connection.transport.abortConnection()

    def _too_many(self, connection: SessionConnection | Sniffer | Rejection, bound: str) -> None:
        of = " from its address" if bound == "address_unauthenticated" else ""
        reason = f"too many connections{of} that have not logged in; idle longest"
        connection.log_refusal(reason, bound)
        connection.transport.abortConnection()

    def _handshake_timed_out(self, connection: AnyConnection) -> None:
        if in_handshake(connection.transport):
            connection.log_refusal("TLS handshake not finished in time", "handshake_time")
            connection.transport.abortConnection()

    def _frame_timed_out(self, connection: Connection) -> None:
        if connection.reading:
            connection.frame_timed_out()
        else:
            # The rest of the frame may have arrived.
            self.unfinished.touch(connection)

    def _abort(self, connection: AnyConnection) -> None:
        connection.transport.abortConnection()


def _listing_unread(connection: Connection) -> None:
    connection.log_refusal(
        "too many listings that are not read; oldest of the address with the most",
        quota="unread_listings",
    )
    connection.transport.abortConnection()


class PortFactory(Factory):
    """The factory of one port: makes its connections with `protocol`, counted in `connections`."""

    noisy = False
    protocol: Callable[[ConnectionFactory], AnyConnection]  # type: ignore[assignment]

    def __init__(
        self, connections: ConnectionFactory, protocol: Callable[[ConnectionFactory], AnyConnection]
    ) -> None:
        self.protocol = protocol
        self._connections = connections

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> AnyConnection | None:
        """See `ConnectionFactory.buildProtocol`."""
        if not self._connections.admits(addr):
            return None
        return self.protocol(self._connections)
