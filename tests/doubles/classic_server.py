"""A daemon small enough to be obviously right, in memory and on the codec, for tests of the
client."""

from __future__ import annotations

import fnmatch
from collections import deque

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatd.client.classic.connection import Audience, Connection
from chatd.codecs import classic


class FakeTransport(StringTransport):
    """The client's end: what is written goes to the daemon when it is pumped."""

    def __init__(self, daemon: FakeDaemon) -> None:
        super().__init__()
        self.daemon = daemon
        self.connection: Connection
        self.decoder = classic.server_decoder(1 << 20)
        self.name = ""

    def write(self, data: bytes) -> None:
        """Keep it in order."""
        self.daemon.written.append((self, data))

    def loseWriteConnection(self) -> None:
        """The daemon closes when it has read everything."""
        self.daemon.written.append((self, None))

    def abortConnection(self) -> None:
        """As TCP does."""
        self.aborting = True
        self.loseConnection()


class FakeDaemon:
    """Accounts with or without passwords, mailboxes, and who is connected."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.passwords: dict[str, str | None] = {}
        self.mail: dict[str, list[bytes]] = {}
        self.online: dict[str, FakeTransport] = {}
        self.written: deque[tuple[FakeTransport, bytes | None]] = deque()
        self.seen: list[object] = []

    def connect(self, audience: Audience, clock: IReactorTime | None = None) -> Connection:
        """A new connection."""
        transport = FakeTransport(self)
        transport.connection = Connection(audience, clock or self.clock)
        transport.connection.makeConnection(transport)
        return transport.connection

    def pump(self) -> None:
        """Carry out what was written, until nothing is left to do."""
        while self.written:
            transport, data = self.written.popleft()
            if data is None:
                self.online.pop(transport.name, None)
                transport.connection.connectionLost(Failure(ConnectionDone()))
                continue
            for command in transport.decoder.feed(data):
                self.seen.append(command)
                transport.connection.dataReceived(b"".join(self._obey(transport, command)))

    def _obey(self, transport: FakeTransport, command: object) -> list[bytes]:
        match command:
            case classic.Create(name, password):
                error = "username already exists" if name in self.passwords else ""
                if not error:
                    self.passwords[name] = password
                    self.mail[name] = []
                    self._logged_in(transport, name)
                return [_response(error)]
            case classic.Login(name, password):
                error = self._why_not(name, password)
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

    def _why_not(self, name: str, password: str | None) -> str:
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
