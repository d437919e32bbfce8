"""Clients of the classic protocol in memory, and a server with a port of that protocol."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatd.codecs.classic import CREATE, LOGIN, Reply, Response, client_decoder, encode, encode_send
from chatd.protocols.classic import ClassicProtocol
from chatd.server.connection import Connection
from tests.doubles.memory_server import MemoryServer


class ClassicClient:
    """The client's end of one connection; `protocol` is the server's end."""

    def __init__(self, server: MemoryServer) -> None:
        self.transport = server.new_transport()
        protocol = server.factory.buildProtocol(None)
        assert isinstance(protocol, Connection)
        self.protocol = protocol
        self._decoder = client_decoder(1 << 20)
        self.protocol.makeConnection(self.transport)

    def send(self, *frames: bytes) -> None:
        """Send frames in one segment. Fails if the server has paused reading."""
        assert self.transport.producerState == "producing", "the server does not read"
        self.protocol.dataReceived(b"".join(frames))

    def receive(self) -> list[Reply]:
        """The messages received since the last call."""
        data, self.transport.output = self.transport.output, b""
        return self._decoder.feed(data)  # type: ignore[return-value]

    def receive_texts(self) -> list[str]:
        """The messages received since the last call, as text.

        Of a SEND its text, of a RESPONSE its error, of a list its names with commas, or the name of
        the message's class if that is empty.
        """
        return [
            getattr(message, "text", None)
            or getattr(message, "error", None)
            or ",".join(getattr(message, "names", ()))
            or type(message).__name__
            for message in self.receive()
        ]

    def register(self, name: str, *password: str) -> ClassicClient:
        """CREATE an account, which logs in to it. Fails if that is refused."""
        return self._change_account(CREATE, name, *password)

    def log_in(self, name: str, *password: str) -> ClassicClient:
        """LOGIN. Fails if that is refused."""
        return self._change_account(LOGIN, name, *password)

    def _change_account(self, command: int, name: str, *password: str) -> ClassicClient:
        self.send(encode(command, name, *password))
        answer = self.receive()
        assert answer == [Response("")], answer
        return self

    def send_texts(self, sender: str, recipient: str, *texts: str) -> None:
        """SEND texts in one segment."""
        self.send(*[encode_send(sender, recipient, text) for text in texts])

    def half_close(self) -> None:
        """Close the sending side of the client."""
        self.protocol.readConnectionLost()

    def disconnect(self) -> None:
        """Close the connection."""
        self.transport.disconnected = True
        self.protocol.connectionLost(Failure(ConnectionDone()))


class ClassicServer(MemoryServer):
    """A server in memory with a port of the classic protocol."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(ClassicProtocol, **limits)

    def connect(self) -> ClassicClient:
        """A new client, not logged in."""
        return ClassicClient(self)

    def register(self, name: str) -> ClassicClient:
        """A new client that has created an account."""
        return self.connect().register(name)

    def log_in(self, name: str) -> ClassicClient:
        """A new client, logged in to an open account that exists."""
        return self.connect().log_in(name)
