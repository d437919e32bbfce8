"""A small daemon of the classic protocol in memory, for tests of the classic client."""

from __future__ import annotations

import fnmatch
from collections import deque

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatd.client.classic.connection import Connection, ConnectionHandler
from chatd.codecs import classic
from chatd.core.errors import InviteInvalid, InviteRequired, OpenAccountsForbidden


class RecordingHandler:
    """A handler that records what it is called with, in `calls`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def message_received(self, sender: str, text: str) -> None:
        """Record a message."""
        self.calls.append((sender, text))

    def error_received(self, error: str) -> None:
        """Record an error."""
        self.calls.append(("error", error))

    def connection_lost(self, reason: str) -> None:
        """Record the end."""
        self.calls.append(("lost", reason))


class FakeTransport(StringTransport):
    """The transport of the client's connection; the daemon reads what is written in `pump`."""

    def __init__(self, daemon: FakeDaemon) -> None:
        super().__init__()
        self.daemon = daemon
        self.connection: Connection
        self.decoder = classic.server_decoder(1 << 20)
        self.name = ""

    def write(self, data: bytes) -> None:
        """Queue data for the daemon."""
        self.daemon.written.append((self, data))

    def loseWriteConnection(self) -> None:
        """Let the daemon close the connection when it has read everything."""
        self.daemon.written.append((self, None))

    def abortConnection(self) -> None:
        """See ITCPTransport."""
        self.aborting = True
        self.loseConnection()


class FakeDaemon:
    """Accounts, their passwords (None: open) and mailboxes, and the connections logged in.

    `invite` is the token that a new account requires, which then has a password; None: neither.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.invite: str | None = None
        self.passwords: dict[str, str | None] = {}
        self.mail: dict[str, list[bytes]] = {}
        self.online: dict[str, FakeTransport] = {}
        self.written: deque[tuple[FakeTransport, bytes | None]] = deque()
        self.received: list[object] = []

    def connect(self, handler: ConnectionHandler, clock: IReactorTime | None = None) -> Connection:
        """Return a new connection."""
        transport = FakeTransport(self)
        transport.connection = Connection(handler, clock or self.clock)
        transport.connection.makeConnection(transport)
        return transport.connection

    def pump(self) -> None:
        """Carry out all commands that the clients have written."""
        while self.written:
            transport, data = self.written.popleft()
            if data is None:
                self.online.pop(transport.name, None)
                transport.connection.connectionLost(Failure(ConnectionDone()))
                continue
            for command in transport.decoder.feed(data):
                self.received.append(command)
                transport.connection.dataReceived(b"".join(self._carry_out(transport, command)))

    def _carry_out(self, transport: FakeTransport, command: object) -> list[bytes]:
        match command:
            case classic.Create(name, password, invite):
                error = self._creation_error(name, password, invite)
                if not error:
                    self.passwords[name] = password
                    self.mail[name] = []
                    self._logged_in(transport, name)
                return [_response(error)]
            case classic.Login(name, password):
                error = self._login_error(name, password)
                if not error:
                    self._logged_in(transport, name)
                return [_response(error)]
            case classic.List(pattern):
                names = [
                    name for name in self.passwords if fnmatch.fnmatchcase(name, pattern or "*")
                ]
                return [classic.encode_names(names)]
            case classic.Send(_, recipient, _, frame):
                if recipient not in self.passwords:
                    return [
                        _response(
                            f"specific recipient {recipient} does not exist, for message: ..."
                        )
                    ]
                if recipient == transport.name:
                    return [frame, frame]
                if recipient in self.online:
                    self.online[recipient].connection.dataReceived(frame)
                else:
                    self.mail[recipient].append(frame)
                return [frame]
            case classic.Deliver():
                waiting, self.mail[transport.name] = self.mail[transport.name], []
                return waiting
            case classic.Delete():
                del self.passwords[transport.name], self.online[transport.name]
                return []
        return [_response("what?")]

    def _creation_error(self, name: str, password: str | None, invite: str | None) -> str:
        if name in self.passwords:
            return "username already exists"
        if self.invite is None:
            return ""
        if invite is None:
            return str(InviteRequired())
        if not password:
            return str(OpenAccountsForbidden())
        return "" if invite.lower() == self.invite else str(InviteInvalid())

    def _login_error(self, name: str, password: str | None) -> str:
        if name not in self.passwords:
            return "username does not exist"
        if name in self.online:
            return "user is already logged in"
        if self.passwords[name] is None or password == self.passwords[name]:
            return ""
        return "password required: this account has one" if password is None else "wrong password"

    def _logged_in(self, transport: FakeTransport, name: str) -> None:
        transport.name = name
        self.online[name] = transport


def _response(error: str) -> bytes:
    return classic.encode(classic.RESPONSE, *([error] if error else []))
