"""The connections of operators: one request at a time, and who may connect.

Every connection may ask for everything, so only the daemon's own user and root can connect.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections import deque
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.codecs import admin as c
from chatd.core.errors import BadRequest, ChatdError, Refused
from chatd.core.log_text import one_line
from chatd.protocols.admin import audited
from chatd.protocols.admin.requests import is_read_only, perform
from chatd.realm.operations import Operations
from chatd.realm.permissions import may_administer

logger = Logger(namespace="chatd")

MAX_CONNECTIONS = 16
"""connections of operators"""
_CREDENTIALS = struct.Struct("3i")
"""struct ucred of Linux: process, user, group"""


_SUBJECT = "network", "room", "name", "pattern", "path", "level", "seq", "names", "note", "text"
"""the fields that say what a request is about; nothing secret"""


def _subject(request: c.Request) -> str:
    """The account, room, file or text that a request is about, for the log."""
    fields = [field for field in _SUBJECT if field in request.__struct_fields__]
    values = [getattr(request, field) for field in fields]
    return " ".join(" ".join(each) if isinstance(each, list) else str(each) for each in values)


@implementer(IHalfCloseableProtocol, IPushProducer)
class AdminProtocol(LineOnlyReceiver):
    """The connection of one operator.

    Requests are carried out one at a time, in order. Reading is paused while one is carried out,
    and while the operator does not read the answers. An operator that closes its sending side gets
    the answers that are due.
    """

    delimiter = b"\n"
    MAX_LENGTH = c.MAX_LINE
    factory: AdminFactory
    transport: Any

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._busy = False
        self._user = ""
        self._output_paused = False
        self._disconnected = False
        self._input_ended = False

    def connectionMade(self) -> None:
        """Accept the connection if it is of this user or root."""
        self.factory.connection_opened(self)
        if self.factory.stopping or not is_permitted(self.transport):
            logger.warn("Admin: a connection was refused")
            self.transport.loseConnection()
            return
        self._user = user_name(peer_user(self.transport))
        self.transport.registerProducer(self, True)

    @property
    def busy(self) -> bool:
        """Whether a request is being carried out."""
        return self._busy

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Drop the requests that wait. The one that has begun is carried out and not answered."""
        self._disconnected = True
        self._lines.clear()
        if not self._busy:
            self.factory.connection_ended(self)

    def readConnectionLost(self) -> None:
        """The operator sends no more: close, after the requests that wait."""
        self._input_ended = True
        if not self._busy and not self._lines:
            self._close()

    def writeConnectionLost(self) -> None:
        """Required by `IHalfCloseableProtocol`; this end never closes only its sending side."""

    def pauseProducing(self) -> None:
        """The transport's write buffer is full: the operator does not read the answers."""
        self._output_paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport's write buffer has room again."""
        self._output_paused = False
        self._start_work()

    def stopProducing(self) -> None:
        """The connection is being closed."""
        self._lines.clear()

    def lineReceived(self, line: bytes) -> None:
        """Queue a request."""
        self._lines.append(line)
        self._start_work()

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse the line and close: where the next request begins is unknown."""
        self._refuse(BadRequest(f"a line has at most {c.MAX_LINE} bytes"))
        self._lines.clear()
        self._close()

    def _start_work(self) -> None:
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._work())

    async def _work(self) -> None:
        while self._lines and not self._output_paused and not self._disconnected:
            self.transport.pauseProducing()
            await self._perform(self._lines.popleft())
        self._busy = False
        if self._disconnected:
            self.factory.connection_ended(self)
        elif self.factory.stopping or (self._input_ended and not self._lines):
            self._close()
        elif not self._output_paused:
            self.transport.resumeProducing()

    async def _perform(self, line: bytes) -> None:
        try:
            self.factory.used(self)
            request = c.decode_request(line)
        except ChatdError as error:
            self._refuse(error)
            return
        if not is_read_only(request):
            logger.info(
                "Admin: {command} {subject}  [ {user} ]",
                command=c.command(request),
                subject=one_line(_subject(request).strip()),
                user=self._user,
            )
        try:
            answer = await perform(self.factory.operations, request)
        except ChatdError as error:
            await self._record(request, refused=error.code)
            self._refuse(error)
        except Exception:
            logger.failure("Admin: a request failed")
            await self._record(request, refused=ChatdError.code)
            self._refuse(ChatdError("The request failed; the reason is in the daemon's log."))
        else:
            await self._record(request, answer)
            self._write({"ok": True, **answer})

    async def _record(
        self, request: c.AnyRequest, answer: Mapping[str, object] | None = None, refused: str = ""
    ) -> None:
        """Add a request that changes something to the audit log."""
        if is_read_only(request):
            return
        try:
            operation = audited.operation(request, answer, refused)
            await self.factory.operations.audit.record(self._user, operation)
        except Refused as failure:
            logger.critical(
                "Admin: {command} of {user} is not in the audit log: {reason}",
                command=c.command(request),
                user=self._user,
                reason=str(failure),
            )

    def _refuse(self, error: ChatdError) -> None:
        self._write({"ok": False, "code": error.code, "sentence": str(error)})

    def _write(self, answer: Mapping[str, object]) -> None:
        if not self._disconnected:
            self.transport.write(c.encode(answer))

    def finish(self) -> None:
        """Close the connection, after the request that is being carried out."""
        self._lines.clear()
        if not self._busy:
            self._close()

    def _close(self) -> None:
        self.transport.unregisterProducer()
        self.transport.loseConnection()


class AdminFactory(Factory):
    """The connections of all operators."""

    protocol = AdminProtocol  # type: ignore[assignment]
    noisy = False

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self.connections: dict[AdminProtocol, None] = {}
        self.stopping = False
        self._finished: Deferred[None] | None = None

    def finish(self) -> Deferred[None]:
        """Close all connections, each after the request that it is carrying out.

        The Deferred fires when they are closed.
        """
        self.stopping = True
        self._finished = Deferred()
        for connection in list(self.connections):
            connection.finish()
        self._check_finished()
        return self._finished

    def connection_opened(self, connection: AdminProtocol) -> None:
        """Count a connection; if there are too many, the one that was idle longest is closed."""
        self.connections[connection] = None
        if len(self.connections) > MAX_CONNECTIONS:
            oldest = next((each for each in self.connections if not each.busy), connection)
            logger.warn("Admin: too many connections; the one that was idle longest is closed")
            oldest.transport.abortConnection()

    def used(self, connection: AdminProtocol) -> None:
        """A connection makes a request."""
        if connection in self.connections:
            del self.connections[connection]
            self.connections[connection] = None

    def connection_ended(self, connection: AdminProtocol) -> None:
        """A connection is closed and carries out no request any more."""
        self.connections.pop(connection, None)
        self._check_finished()

    def _check_finished(self) -> None:
        if self._finished is not None and not self.connections and not self._finished.called:
            self._finished.callback(None)

    def abort(self) -> None:
        """Close the remaining connections at once."""
        for connection in list(self.connections):
            connection.transport.abortConnection()


def is_permitted(transport: Any) -> bool:
    """Whether the process at the other end of a unix socket belongs to this user or to root.

    Only Linux tells (SO_PEERCRED, unix(7)). On other systems the answer is always True, and the
    permissions of the socket's file are the only check.
    """
    user = peer_user(transport)
    return user is None or may_administer(user, os.geteuid())


def peer_user(transport: Any) -> int | None:
    """The id of the user of the process at the other end of a unix socket; None if the system, or
    the transport, does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    connected = getattr(transport, "socket", None)
    if option is None or connected is None:
        return None
    credentials = connected.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(credentials)[1]
    return user


def user_name(user: int | None) -> str:
    """The name of a user of the system, or its id if it has none."""
    if user is None:
        return "unknown"
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
