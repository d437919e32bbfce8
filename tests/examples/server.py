"""The server's end of a connection of version 1, by hand: it says what a test wants."""

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
from tests.examples.node import PATIENCE

SINCE = 1_767_225_600_000
ID = 2**53 + 1

M = TypeVar("M", bound=Message)


def inbox(head: int = 0, upto: int = 0, since: int = SINCE) -> LogState:
    """That of Ann, as she is told when she logs in."""
    return LogState("@ann", since, head, upto, 0)


def room(name: str, head: int = 0, upto: int = 0) -> LogState:
    """A room that she is in."""
    return LogState(name, SINCE, head, upto, 0, RoomInfo(name, SINCE, "", False, "", 1, "member"))


def entry(log: str, seq: int, body: str, kind: str = "text") -> Pushed:
    """Something said by Bob."""
    return Pushed(log, seq, ID + seq, SINCE, "Bob", kind, body)


class Peer:
    """The server's end of one connection."""

    def __init__(self, case: SynchronousTestCase, listener: socket.socket) -> None:
        self.case = case
        self.socket, _ = listener.accept()
        self.socket.settimeout(PATIENCE)
        case.addCleanup(self.socket.close)
        self._decoder = server_decoder(100_000)
        self._come: list[object] = []

    def tell(self, *messages: Message) -> None:
        """Send them, in one write."""
        self.socket.sendall(b"".join(map(encode, messages)))

    def take(self, kind: type[M]) -> M:
        """The next message, which must be of this kind."""
        while not self._come:
            data = self.socket.recv(65_536)
            if not data:
                raise self.case.failureException("the client closed the connection")
            self._come += self._decoder.feed(data)
        message = self._come.pop(0)
        if not isinstance(message, kind):
            raise self.case.failureException(f"not {kind.__name__}: {message}")
        return message

    def greet(self) -> None:
        """Take what comes before registering and logging in."""
        hello = self.take(Hello)
        self.case.assertEqual((hello.client, hello.features), ("client.js", []))
        limits = Limits(65_536, 256, 256, 256, 1000.0, 98_304)
        self.tell(Welcome(hello.ref, "chatd", "0", limits, "open", True, SINCE, 60.0))

    def register(self) -> None:
        """The first time, it makes the account."""
        self.greet()
        self.tell(Done(self.take(Register).ref))

    def log_in(self, *states: LogState, then: tuple[Message, ...] = ()) -> LogIn:
        """Let it log in, and join the lobby; `then` comes in the same write."""
        request = self.take(LogIn)
        self.tell(LoggedIn(request.ref, "Ann", list(states or (inbox(),))), *then)
        return request

    def join(self) -> None:
        """It joins the lobby."""
        request = self.take(Join)
        self.case.assertEqual(request.room, "#lobby")
        self.tell(RoomState(request.ref, room("#lobby", 7, 7)))

    def accept(self, seq: int = 1) -> Send:
        """Take a message and accept it."""
        message = self.take(Send)
        self.tell(Accepted(message.ref, "@bob", seq, ID, SINCE))
        return message

    def part(self) -> None:
        """It logs out and closes."""
        self.tell(Done(self.take(LogOut).ref))
        self.case.assertEqual(self.socket.recv(1), b"")
        self.socket.close()

    def acknowledged(self, log: str, last: int) -> None:
        """Entries are acknowledged up to there, in as many steps as it likes."""
        at = 0
        while at < last:
            ack = self.take(Ack)
            self.case.assertEqual((ack.ref, ack.log, ack.first), (0, log, 0))
            self.case.assertGreater(ack.last, at)
            at = ack.last
        self.case.assertEqual(at, last)
