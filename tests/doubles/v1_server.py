"""A server of version 1 in memory, for tests of the client library, scripted by the test."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode, server_decoder

LIMITS = c.Limits(65_536, 256, 256, 256, 1000.0, 98_304)
WELCOME = c.Welcome(0, "chatd", "1", LIMITS, "open", True, 0, 60.0)


class ServerTransport(StringTransport):
    """The transport of the client's connection; what it writes goes to the server at once."""

    def __init__(self, server: ScriptedServer) -> None:
        super().__init__()
        self._server = server
        self._decoder = server_decoder(1 << 20)

    def write(self, data: bytes) -> None:
        """Decode messages for the server."""
        for message in self._decoder.feed(data):
            self._server.message_received(message)

    def abortConnection(self) -> None:
        """See `ITCPTransport`."""
        self.disconnect()

    def loseConnection(self) -> None:
        """See `ITransport`."""
        self.disconnect()

    def disconnect(self) -> None:
        """Close the connection."""
        if not self.disconnected:
            self.disconnected = True
            self._server.connection.connectionLost(Failure(ConnectionDone()))


class ScriptedServer:
    """An endpoint whose server answers `Hello`, `LogIn`, `Resume`, `Register` and `LogOut`.

    Other requests are recorded in `requests` (as are `Register` and `LogOut`), for the test to
    answer with `send`.
    """

    def __init__(self) -> None:
        self.transport: ServerTransport
        self.connection: Any
        self.welcome = WELCOME
        self.requests: list[Any] = []
        self.hellos: list[c.Hello] = []
        self.logins: list[c.LogIn] = []
        self.resumes: list[c.Resume] = []
        self.acknowledged: list[tuple[str, int]] = []
        self.login_refusals: list[tuple[str, str]] = []
        """(code, sentence) of the answers to the next logins"""
        self.register_refusal: tuple[str, str] | None = None
        """(code, sentence) of the answer to `Register`"""
        self.silent = False
        """whether nothing is answered"""
        self.down = False
        """whether connections are refused"""
        self.state = [c.LogState("@ann", 1, 0, 0, 0)]
        self.connections = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        """See `IStreamClientEndpoint`."""
        if self.down:
            return fail(ConnectionRefusedError())
        self.connections += 1
        self.connection = factory.buildProtocol(None)
        self.transport = ServerTransport(self)
        self.connection.makeConnection(self.transport)
        return succeed(self.connection)

    def send(self, *messages: c.Message) -> None:
        """Send messages to the client, in one segment."""
        self.connection.dataReceived(b"".join(map(encode, messages)))

    def message_received(self, message: Any) -> None:
        """Answer or record a message of the client."""
        if self.silent:
            return
        match message:
            case c.Hello():
                self.hellos.append(message)
                self.send(msgspec.structs.replace(self.welcome, ref=message.ref))
            case c.LogIn() | c.Resume():
                logins: list[Any] = self.logins if type(message) is c.LogIn else self.resumes
                logins.append(message)
                if self.login_refusals:
                    self.send(c.Refusal(message.ref, *self.login_refusals.pop(0), message.command))
                else:
                    self.send(c.LoggedIn(message.ref, "Ann", self.state))
            case c.Ack():
                self.acknowledged.append((message.log, message.last))
            case c.Register() if self.register_refusal is not None:
                self.send(c.Refusal(message.ref, *self.register_refusal, message.command))
            case c.Register() | c.LogOut():
                self.requests.append(message)
                self.send(c.Done(message.ref))
            case _:
                self.requests.append(message)

    def entry(self, seq: int, body: str = "", log: str = "@ann") -> c.Pushed:
        """A text from bob, by default the seq in digits, in Ann's mailbox."""
        return c.Pushed(log, seq, 1000 + seq, 0, "bob", "text", body or str(seq))
