"""The server's side of a connection of version 1 on a real socket, scripted by the test."""

from __future__ import annotations

import socket
from typing import TypeVar

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.v1 import encode, server_decoder
from chatd.codecs.v1_messages import (
    Accepted,
    Ack,
    Done,
    Hello,
    Join,
    Limits,
    LoggedIn,
    LogIn,
    LogOut,
    LogState,
    Message,
    Pushed,
    Register,
    RoomInfo,
    RoomState,
    Send,
    Welcome,
)
from tests.doubles.node import PATIENCE

SINCE = 1_767_225_600_000
ID = 2**53 + 1

M = TypeVar("M", bound=Message)


def mailbox(head: int = 0, upto: int = 0, since: int = SINCE) -> LogState:
    """The state of Ann's mailbox at her login."""
    return LogState("@ann", since, head, upto, 0)


def room(name: str, head: int = 0, upto: int = 0) -> LogState:
    """The state of a room of which Ann is a member."""
    return LogState(name, SINCE, head, upto, 0, RoomInfo(name, SINCE, "", False, "", 1, "member"))


def entry(log: str, seq: int, body: str, kind: str = "text") -> Pushed:
    """An entry by Bob."""
    return Pushed(log, seq, ID + seq, SINCE, "Bob", kind, body)


class SocketServer:
    """The server's side of one connection, accepted from `listener`."""

    def __init__(self, case: SynchronousTestCase, listener: socket.socket) -> None:
        self.case = case
        self.socket, _ = listener.accept()
        self.socket.settimeout(PATIENCE)
        case.addCleanup(self.socket.close)
        self._decoder = server_decoder(100_000)
        self._received: list[object] = []

    def send(self, *messages: Message) -> None:
        """Send messages in one write."""
        self.socket.sendall(b"".join(map(encode, messages)))

    def receive(self, kind: type[M]) -> M:
        """Wait for the next message, which must be of this class."""
        while not self._received:
            data = self.socket.recv(65_536)
            if not data:
                raise self.case.failureException("the client closed the connection")
            self._received += self._decoder.feed(data)
        message = self._received.pop(0)
        if not isinstance(message, kind):
            raise self.case.failureException(f"not {kind.__name__}: {message}")
        return message

    def answer_hello(self) -> None:
        """Answer `Hello`, the first message."""
        hello = self.receive(Hello)
        self.case.assertEqual((hello.client, hello.features), ("client.js", ["tokens"]))
        limits = Limits(65_536, 256, 256, 256, 1000.0, 98_304)
        self.send(Welcome(hello.ref, "chatd", "0", limits, "open", True, SINCE, 60.0))

    def answer_register(self) -> None:
        """Answer `Hello` and `Register`, as on the first connection."""
        self.answer_hello()
        self.send(Done(self.receive(Register).ref))

    def answer_login(self, *states: LogState, then: tuple[Message, ...] = ()) -> LogIn:
        """Answer `LogIn`, by default with an empty mailbox; send `then` in the same write."""
        request = self.receive(LogIn)
        self.send(LoggedIn(request.ref, "Ann", list(states or (mailbox(),))), *then)
        return request

    def answer_join(self) -> None:
        """Answer `Join` for the lobby."""
        request = self.receive(Join)
        self.case.assertEqual(request.room, "#lobby")
        self.send(RoomState(request.ref, room("#lobby", 7, 7)))

    def accept(self, seq: int = 1) -> Send:
        """Answer `Send` with `Accepted`."""
        message = self.receive(Send)
        self.send(Accepted(message.ref, "@bob", seq, ID, SINCE))
        return message

    def answer_logout(self) -> None:
        """Answer `LogOut`, and wait until the client closes the connection."""
        self.send(Done(self.receive(LogOut).ref))
        self.case.assertEqual(self.socket.recv(1), b"")
        self.socket.close()

    def receive_acks(self, log: str, last: int) -> None:
        """Wait until the entries of `log` up to `last` are acknowledged, by one `Ack` or more."""
        acknowledged = 0
        while acknowledged < last:
            ack = self.receive(Ack)
            self.case.assertEqual((ack.ref, ack.log, ack.first), (0, log, 0))
            self.case.assertGreater(ack.last, acknowledged)
            acknowledged = ack.last
        self.case.assertEqual(acknowledged, last)
