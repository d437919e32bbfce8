"""Clients of version 1 in memory, and a server with the main port, which has every protocol."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import client_decoder, encode
from chatd.protocols.doors import main_port
from tests.doubles.memory_server import MemoryServer

M = TypeVar("M", bound=c.Message)


class V1Client:
    """The client's end of one connection.

    The answer of a request is returned by the method that sent it; all other messages received
    meanwhile wait for `receive_events`.
    """

    def __init__(self, server: MainPortServer) -> None:
        self.server = server
        self.transport = server.new_transport()
        self.transport.protocol = server.factory.buildProtocol(None)  # type: ignore[attr-defined]
        self.protocol.makeConnection(self.transport)
        self._events: list[c.Message] = []
        self._decoder = client_decoder(1 << 24)
        self._ref = 0

    @property
    def protocol(self) -> Any:
        """The server's end."""
        return self.transport.protocol  # type: ignore[attr-defined]

    def send_bytes(self, data: bytes) -> None:
        """Send bytes in one segment. Fails if the server has paused reading."""
        assert self.transport.producerState == "producing", "the server does not read"
        self.protocol.dataReceived(data)

    def send(self, *messages: c.Message) -> None:
        """Send messages in one segment."""
        self.send_bytes(b"".join(map(encode, messages)))

    def receive(self) -> list[c.Message]:
        """The messages received since the last call."""
        data, self.transport.output = self.transport.output, b""
        messages = self._decoder.feed(data)
        assert all(isinstance(message, c.Message) for message in messages), messages
        return messages  # type: ignore[return-value]

    def answer_to(self, request: Any) -> Any:
        """Send a request, and return its answer, which may be a refusal."""
        self._ref += 1
        request.ref = self._ref
        self.send(request)
        self.server.runner.clock.advance(0)
        answer = None
        for message in self.receive():
            if getattr(message, "ref", 0) == self._ref and message.command < c.Pushed.command:
                assert answer is None, "two answers"
                answer = message
            else:
                self._events.append(message)
        assert answer is not None, f"no answer to {request}; {self._events}"
        return answer

    def request(self, request: Any) -> Any:
        """Send a request, and return its answer. Fails if it is refused."""
        answer = self.answer_to(request)
        assert not isinstance(answer, c.Refusal), answer
        return answer

    def refusal_code(self, request: Any) -> str:
        """Send a request, and return the code of its refusal. Fails if it is not refused."""
        answer = self.answer_to(request)
        assert isinstance(answer, c.Refusal), answer
        assert answer.sentence and answer.request == request.command
        return answer.code

    def receive_events(self, *kinds: type[M]) -> list[M]:
        """The events of these classes since the last call; other events are discarded."""
        events, self._events = self._events + self.receive(), []
        return [event for event in events if isinstance(event, kinds)]

    def receive_entries(self) -> list[tuple[str, str, str]]:
        """(log, sender, body) of the entries pushed since the last call.

        The kind of an entry that is not a text precedes its body. Other events are discarded.
        """
        return [
            (
                entry.log,
                entry.sender,
                entry.body if entry.kind == "text" else f"{entry.kind} {entry.body}".strip(),
            )
            for entry in self.receive_events(c.Pushed)
        ]

    def receive_bodies(self) -> list[str]:
        """The bodies of `receive_entries`."""
        return [body for _, _, body in self.receive_entries()]

    def disconnect(self) -> None:
        """Close the connection."""
        self.transport.disconnected = True
        self.protocol.connectionLost(Failure(ConnectionDone()))


class MainPortServer(MemoryServer):
    """A server in memory with the main port, on which every protocol is recognised."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(main_port(), **limits)
        self.run(self.realm.start())

    def connect(self) -> V1Client:
        """A new client, not logged in."""
        return V1Client(self)

    def log_in(
        self, name: str, *features: str, rooms: tuple[str, ...] = (), password: str | None = None
    ) -> V1Client:
        """A new client, logged in to an account, which is created if it does not exist.

        The client has asked for `features` and joined `rooms`; the events of that are discarded.
        """
        client = self.connect()
        client.answer_to(c.Register(0, name, password))
        client.request(c.Hello(0, "test", "1", list(features)))
        client.request(c.LogIn(0, name, password))
        for room in rooms:
            client.request(c.Join(0, room))
        client.receive_events()
        return client

    def log_in_again(self, name: str) -> V1Client:
        """A new client, logged in to an open account that exists; waiting entries are pushed."""
        client = self.connect()
        client.request(c.LogIn(0, name))
        return client
