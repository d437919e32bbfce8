"""The factory of all protocols' connections: what they share, and the bounds on all of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from chatd.credentials import Passwords
from chatd.limits import Limits
from chatd.protocols.connection import Connection
from chatd.protocols.pacing import Deadlines
from chatd.realm import Realm


class ConnectionFactory(Factory):
    """Makes connections with `protocol` and keeps count of them."""

    log = Logger()
    noisy = False
    protocol: Callable[[ConnectionFactory], Connection]

    def __init__(
        self,
        protocol: Callable[[ConnectionFactory], Connection],
        realm: Realm,
        portal: Portal,
        passwords: Passwords,
        limits: Limits,
        clock: Any,
    ) -> None:
        self.protocol = protocol
        self.realm = realm
        self.portal = portal
        self.passwords = passwords
        self.limits = limits
        self.clock = IReactorTime(clock)
        self.connections: set[Connection] = set()
        self.strangers: Deadlines[Connection] = Deadlines(clock, limits.login_time, self._too_long_a_stranger)
        self.unfinished: Deadlines[Connection] = Deadlines(clock, limits.frame_time, self._too_slow)
        self.closing: Deadlines[Connection] = Deadlines(clock, limits.flush_time, self._abort)
        self._closed: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """A connection for a peer at `addr`."""
        return self.protocol(self)

    def came(self, connection: Connection) -> None:
        """One more; if there are too many strangers, the one that has been idle longest goes."""
        self.connections.add(connection)
        self.strangers.touch(connection)
        if len(self.strangers) > self.limits.strangers:
            oldest = self.strangers.oldest()
            self.strangers.discard(oldest)
            oldest.log_refusal("too many connections that have not logged in; idle longest")
            oldest.transport.abortConnection()

    def lost(self, connection: Connection) -> None:
        """It has no deadlines any more."""
        self.strangers.discard(connection)
        self.unfinished.discard(connection)
        self.closing.discard(connection)

    def went(self, connection: Connection) -> None:
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

    def forget_deadlines(self) -> None:
        """Leave no timer behind."""
        for deadlines in (self.strangers, self.unfinished, self.closing):
            deadlines.stop()

    def _too_long_a_stranger(self, connection: Connection) -> None:
        connection.log_refusal("idle too long without logging in")
        connection.transport.abortConnection()

    def _too_slow(self, connection: Connection) -> None:
        connection.too_slow()

    def _abort(self, connection: Connection) -> None:
        connection.transport.abortConnection()
