"""Clients of version 1 on transports in memory, beside classic ones, at a port that knows both."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatd.auth.credentials import portal
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import client_decoder, encode
from chatd.protocols.doors import main_port
from chatd.server.factory import ConnectionFactory
from tests.doubles.classic_clients import ClassicServer, MemoryTransport

M = TypeVar("M", bound=c.Message)


class V1Client:
    """One connection, seen from the other end. Answers are given to who asked; the rest is in
    `events`."""

    def __init__(self, server: MainPortServer, port: int) -> None:
        self.server = server
        self.transport = MemoryTransport(port)
        self.transport.protocol = server.factory.buildProtocol(None)  # type: ignore[attr-defined]
        self.transport.protocol.makeConnection(self.transport)  # type: ignore[attr-defined]
        self.events: list[c.Message] = []
        self._decoder = client_decoder(1 << 24)
        self._ref = 0

    @property
    def protocol(self) -> Any:
        """The server's end."""
        return self.transport.protocol  # type: ignore[attr-defined]

    def raw(self, data: bytes) -> None:
        """Bytes, if the server reads at all."""
        assert self.transport.producerState == "producing", "the server does not read"
        self.protocol.dataReceived(data)

    def take(self) -> list[c.Message]:
        """What has come since the last time."""
        data, self.transport.out = self.transport.out, b""
        messages = self._decoder.feed(data)
        assert all(isinstance(message, c.Message) for message in messages), messages
        return messages  # type: ignore[return-value]

    def send(self, *messages: c.Message) -> None:
        """All in one piece."""
        self.raw(b"".join(map(encode, messages)))

    def ask(self, message: Any) -> Any:
        """A request and its answer."""
        self._ref += 1
        message.ref = self._ref
        self.send(message)
        self.server.runner.clock.advance(0)
        answer = None
        for got in self.take():
            if getattr(got, "ref", 0) == self._ref and got.command < c.Pushed.command:
                assert answer is None, "two answers"
                answer = got
            else:
                self.events.append(got)
        assert answer is not None, f"no answer to {message}; {self.events}"
        return answer

    def done(self, message: Any) -> Any:
        """A request that succeeds, and its answer."""
        answer = self.ask(message)
        assert not isinstance(answer, c.Refusal), answer
        return answer

    def refused(self, message: Any) -> str:
        """The code with which a request is refused."""
        answer = self.ask(message)
        assert isinstance(answer, c.Refusal), answer
        assert answer.sentence and answer.request == message.command
        return answer.code

    def told(self, *kinds: type[M]) -> list[M]:
        """The events of these kinds since the last time; others are forgotten."""
        events, self.events = self.events + self.take(), []
        return [event for event in events if isinstance(event, kinds)]

    def texts(self) -> list[tuple[str, str, str]]:
        """(log, sender, body) of what was pushed since the last time; before the body a kind but
        text."""
        return [
            (
                each.log,
                each.sender,
                each.body if each.kind == "text" else f"{each.kind} {each.body}".strip(),
            )
            for each in self.told(c.Pushed)
        ]

    def lose(self) -> None:
        """The connection is gone."""
        self.transport.disconnected = True
        self.protocol.connectionLost(Failure(ConnectionDone()))


class MainPortServer(ClassicServer):
    """A server in memory behind the main port: version 1, classic, CHAT/1.0 and ops."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        passwords: Any = self.passwords
        self.factory = ConnectionFactory(
            main_port(),
            self.realm,
            portal(self.realm, passwords, self.clock),
            self.limits,
            self.clock,
        )
        self.run(self.realm.start())

    def run(self, coroutine: Any) -> None:
        """Something that needs nothing but the store."""
        self.runner.spawn(coroutine)
        assert not self.runner.failures, self.runner.failures

    def connect(self) -> V1Client:
        """A stranger."""
        self._ports += 1
        return V1Client(self, self._ports)

    def come(
        self, name: str, *features: str, rooms: tuple[str, ...] = (), password: str | None = None
    ) -> V1Client:
        """An account, made if need be, logged in and in these rooms; what that brought is
        forgotten."""
        client = self.connect()
        client.ask(c.Register(0, name, password))
        client.done(c.Hello(0, "test", "1", list(features)))
        client.done(c.LogIn(0, name, password))
        for room in rooms:
            client.done(c.Join(0, room))
        client.told()
        return client

    def come_raw(self, name: str) -> V1Client:
        """An open account that exists, logged in; what that brought is kept."""
        client = self.connect()
        client.done(c.LogIn(0, name))
        return client
