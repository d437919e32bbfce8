"""Fuzz targets: whole connections to the main port, in memory, with users beside them.

An input is a program: each step begins with a byte for what to do and on which connection, and a
step that sends has a byte for the length of what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from twisted.internet.error import ConnectionDone
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.python.failure import Failure

from chatd.codecs import v1_messages as c
from tests.doubles.v1_clients import MainPortServer

_CONNECTIONS = 4
_SEND, _CLOSE, _WAIT, _READ, _BLOCK = 0, 5, 6, 7, 8
"""steps; those from `_SEND` to before `_CLOSE` send"""
_STEPS = 9
_ADVANCES = (0.0, 0.02, 0.2, 31.0)
"""seconds that a step waits"""


class FailureLog:
    """The programming errors that the daemon has logged since `check`."""

    def __init__(self) -> None:
        self._failures: list[Failure] = []
        globalLogPublisher.addObserver(cast("ILogObserver", self._observe))

    def _observe(self, event: Any) -> None:
        if "log_failure" in event:
            self._failures.append(event["log_failure"])

    def check(self) -> None:
        """Raise the first of them."""
        failures, self._failures = self._failures, []
        for failure in failures:
            failure.raiseException()


class Strangers:
    """Connections of a client that may send anything."""

    def __init__(self, server: MainPortServer) -> None:
        self._server = server
        self._transports: list[Any] = [None] * _CONNECTIONS

    def _connected(self, number: int) -> Any:
        transport = self._transports[number]
        if transport is None or transport.disconnecting or transport.disconnected:
            self.close(number)
            transport = cast("Any", self._server.new_transport())
            self._transports[number] = transport
            transport.protocol = self._server.factory.buildProtocol(None)
            transport.protocol.makeConnection(transport)
        return transport

    def send(self, number: int, data: bytes) -> None:
        """Send, on a new connection if the former is closed. A paused one is not read."""
        transport = self._connected(number)
        if data and transport.producerState == "producing":
            transport.protocol.dataReceived(data)

    def read(self, number: int, *, stop: bool) -> None:
        """Read what was sent, or read nothing more."""
        transport = self._connected(number)
        if stop:
            transport.capacity = 0
        else:
            transport.output = b""
            transport.drain()

    def close(self, number: int) -> None:
        """Close a connection, or let the other end close it."""
        transport, self._transports[number] = self._transports[number], None
        if transport is not None and not transport.disconnected:
            transport.disconnected = True
            transport.protocol.connectionLost(Failure(ConnectionDone()))


def _steps(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(step, connection, what to send)"""
    at = 0
    while at + 1 < len(data):
        step, number = data[at] % _STEPS, data[at] // _STEPS % _CONNECTIONS
        length = data[at + 1] if step < _CLOSE else 0
        yield step, number, data[at + 2 : at + 2 + length] if length else data[at + 1 : at + 2]
        at += 2 + length


class Connections:
    """The target: whatever strangers send, two users talk as if they were not there."""

    def __init__(self) -> None:
        self._log = FailureLog()

    def check(self, data: bytes) -> None:
        """Play a program."""
        server = MainPortServer(unauthenticated=50)
        ann = server.log_in("ann", password="a secret of Ann's")
        bob = server.log_in("bob", password="a secret of Bob's")
        strangers = Strangers(server)
        for count, (step, number, piece) in enumerate(_steps(data)):
            if step < _CLOSE:
                strangers.send(number, piece)
            elif step == _CLOSE:
                strangers.close(number)
            elif step == _WAIT:
                server.runner.clock.advance(_ADVANCES[piece[0] % len(_ADVANCES)])
            else:
                strangers.read(number, stop=step == _BLOCK)
            ann.send(c.Send(count + 1, "bob", f"text {count}"))
            server.runner.clock.advance(0)
            assert f"text {count}" in bob.receive_bodies(), "Bob has not got Ann's message"
            bob.send(c.Ping(1))
            assert bob.receive_events(c.Pong), "Bob gets no answer"
        for number in range(_CONNECTIONS):
            strangers.close(number)
        server.runner.clock.advance(400.0)
        self._log.check()
        assert not server.runner.failures, server.runner.failures
        left = len(server.factory.connections)
        assert left <= 2, f"{left - 2} closed connections are still counted"


class FirstBytes:
    """The target: the first bytes of one connection, in pieces, and as a whole."""

    def __init__(self) -> None:
        self._log = FailureLog()

    def check(self, data: bytes) -> None:
        """Send the input; its first byte tells the size of the pieces."""
        if not data:
            return
        server = MainPortServer()
        size = data[0] + 1
        for pieces in ([data[1:]], [data[at : at + size] for at in range(1, len(data), size)]):
            strangers = Strangers(server)
            for piece in pieces:
                strangers.send(0, piece)
            server.runner.clock.advance(0.2)
            strangers.close(0)
        self._log.check()
        assert not server.runner.failures, server.runner.failures
