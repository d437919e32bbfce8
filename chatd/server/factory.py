"""The factory of all protocols' connections: what they share, and the bounds on all of them
together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from chatd.auth.credentials import AccountChecker
from chatd.auth.passwords import Passwords
from chatd.core.limits import Limits
from chatd.realm.realm import Realm
from chatd.server.connection import Connection
from chatd.server.deadlines import Deadlines
from chatd.server.sniffer import Rejection, Sniffer

AnyConnection = Connection | Sniffer | Rejection


class ConnectionFactory(Factory):
    """Makes connections with `protocol` and keeps count of them."""

    logger = Logger(namespace="chatd")
    noisy = False
    protocol: Callable[[ConnectionFactory], AnyConnection]

    def __init__(
        self,
        protocol: Callable[[ConnectionFactory], AnyConnection],
        realm: Realm,
        portal: Portal,
        passwords: Passwords,
        limits: Limits,
        clock: Any,
    ) -> None:
        self.protocol = protocol
        self.realm = realm
        self.portal = portal
        self.checker = cast("AccountChecker", portal.checkers[IUsernamePassword])
        self.passwords = passwords
        self.limits = limits
        self.clock = IReactorTime(clock)
        self.connections: set[AnyConnection] = set()
        self.strangers: Deadlines[AnyConnection] = Deadlines(
            clock, limits.login_time, self._too_long_a_stranger
        )
        self.unfinished: Deadlines[Connection] = Deadlines(clock, limits.frame_time, self._too_slow)
        self.closing: Deadlines[AnyConnection] = Deadlines(clock, limits.flush_time, self._abort)
        self._closed: Deferred[None] | None = None
        self._looking: IDelayedCall | None = None

    def buildProtocol(self, addr: IAddress | None) -> AnyConnection:
        """A connection for a peer at `addr`."""
        return self.protocol(self)

    def came(self, connection: AnyConnection) -> None:
        """One more; if there are too many strangers, the one that has been idle longest goes."""
        self.connections.add(connection)
        if self._looking is None:
            self._looking = self.clock.callLater(self.limits.idle_time, self._look)
        self.strangers.touch(connection)
        if len(self.strangers) > self.limits.strangers:
            oldest = self.strangers.oldest()
            self.strangers.discard(oldest)
            oldest.log_refusal("too many connections that have not logged in; idle longest")
            oldest.transport.abortConnection()

    def lost(self, connection: AnyConnection) -> None:
        """It has no deadlines any more."""
        self.strangers.discard(connection)
        if isinstance(connection, Connection):
            self.unfinished.discard(connection)
        self.closing.discard(connection)

    def went(self, connection: AnyConnection) -> None:
        """One less: gone, and logged out."""
        self.connections.discard(connection)
        if self._closed is not None and not self.connections:
            closed, self._closed = self._closed, None
            closed.callback(None)

    def close_all(self) -> Deferred[None]:
        """Shut every connection (`Connection.shut`); fires when the last one is gone."""
        if not self.connections:
            return succeed(None)
        self._closed = Deferred()
        closed = self._closed
        for connection in list(self.connections):
            connection.shut()
        return closed

    def abort_all(self) -> None:
        """Close what has not closed by itself."""
        for connection in list(self.connections):
            connection.transport.abortConnection()

    def _look(self) -> None:
        """Find those that are gone without a word."""
        self._looking = None
        for connection in list(self.connections):
            if not connection.look_alive():
                connection.log_refusal("silent for too long")
                connection.transport.abortConnection()
        if self.connections:
            self._looking = self.clock.callLater(self.limits.idle_time, self._look)

    def forget_deadlines(self) -> None:
        """Leave no timer behind."""
        for deadlines in (self.strangers, self.unfinished, self.closing):
            deadlines.stop()
        if self._looking is not None and self._looking.active():
            self._looking.cancel()

    def _too_long_a_stranger(self, connection: AnyConnection) -> None:
        connection.log_refusal("idle too long without logging in")
        connection.transport.abortConnection()

    def _too_slow(self, connection: Connection) -> None:
        connection.too_slow()

    def _abort(self, connection: AnyConnection) -> None:
        connection.transport.abortConnection()


class PortFactory(Factory):
    """Another port's way in: its connections are among those of `connections`, made with
    `protocol`."""

    noisy = False
    protocol: Callable[[ConnectionFactory], AnyConnection]

    def __init__(
        self, connections: ConnectionFactory, protocol: Callable[[ConnectionFactory], AnyConnection]
    ) -> None:
        self.protocol = protocol
        self._connections = connections

    def buildProtocol(self, addr: IAddress | None) -> AnyConnection:
        """A connection for a peer at `addr`."""
        return self.protocol(self._connections)
