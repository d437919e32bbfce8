"""The load in the classic protocol, and on the bare relay: raw sockets and epoll.

It runs in a process of its own, costs little, and is the same for every server.

Usage: python -m bench.classic_driver JSON, a `Load` as an object; prints a `Result`.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from dataclasses import asdict

from bench.bare_relay import frame
from bench.load import SAMPLE_EVERY, TEXT, TIMEOUT, Load, Result, connect
from bench.server_process import DRIVER_CPU, cpu_seconds, pin
from chatd.codecs.classic import CREATE, LOGIN, RESPONSE, encode, encode_send

_NO_ERROR = encode(RESPONSE)


class Pair:
    """A sender, a recipient, and the messages between them."""

    def __init__(self, load: Load, number: int) -> None:
        sender, recipient = f"{load.prefix}a{number:04d}", f"{load.prefix}b{number:04d}"
        message = encode_send(sender, recipient, TEXT)
        self.frame = message if load.echo else frame(message)
        self.connections = [self._open(load, sender, number), self._open(load, recipient, number)]
        self.received = [0, 0]
        self.completed = 0
        self.sent_at: list[float] = []

    def _open(self, load: Load, name: str, number: int) -> socket.socket:
        if load.echo:
            return log_in(load.port, name)
        connection = connect(load.port)
        connection.sendall(frame(b"%d" % number))
        return connection

    def send(self, count: int, now: float) -> None:
        """Send `count` more messages."""
        self.connections[0].sendall(self.frame * count)
        self.sent_at += [now] * count


def log_in(port: int, name: str) -> socket.socket:
    """A connection logged in to the account `name`, which is created if it does not exist."""
    connection = connect(port)
    connection.sendall(encode(CREATE, name))
    if _response(connection) != _NO_ERROR:
        connection.sendall(encode(LOGIN, name))
        if _response(connection) != _NO_ERROR:
            raise RuntimeError(f"cannot log in as {name}")
    return connection


def log_in_all(port: int, names: list[str]) -> list[socket.socket]:
    """Connections logged in to new accounts, many at a time."""
    connections = []
    for start in range(0, len(names), 200):
        group = [(connect(port), name) for name in names[start : start + 200]]
        for connection, name in group:
            connection.sendall(encode(CREATE, name))
        for connection, name in group:
            if _response(connection) != _NO_ERROR:
                raise RuntimeError(f"cannot log in as {name}")
            connections.append(connection)
    return connections


def _response(connection: socket.socket) -> bytes:
    """The next frame from the server."""
    data = b""
    while len(data) < 42 or len(data) < 42 + struct.unpack_from(">I", data, 38)[0]:
        part = connection.recv(4096)
        if not part:
            raise RuntimeError("the server closed the connection")
        data += part
    return data


def drive(load: Load) -> Result:
    """Keep the windows of all pairs full for the time of the load."""
    idle = log_in_all(load.port, [f"{load.prefix}i{n:05d}" for n in range(load.idle)])
    pairs = [Pair(load, number) for number in range(load.pairs)]
    size = len(pairs[0].frame)
    epoll = select.epoll()
    by_descriptor = {}
    for pair in pairs:
        for side, connection in enumerate(pair.connections):
            connection.setblocking(True)
            by_descriptor[connection.fileno()] = (pair, side, connection)
            epoll.register(connection.fileno(), select.EPOLLIN)
    begin = time.perf_counter()
    measured_from, measured_until = begin + load.warm_up, load.end(begin)
    cpu = 0.0
    messages = counted_from = 0
    started_at = 0.0
    latencies: list[float] = []
    for pair in pairs:
        pair.send(load.window, begin)
    now = begin
    while now < measured_until and messages < load.limit:
        if not started_at and now >= measured_from:
            cpu, counted_from, started_at = cpu_seconds(load.pid), messages, now
        events = epoll.poll(TIMEOUT)
        if not events:
            raise RuntimeError("the server sends nothing")
        for descriptor, _ in events:
            pair, side, connection = by_descriptor[descriptor]
            data = connection.recv(1 << 18)
            if not data:
                raise RuntimeError("the server closed a connection")
            pair.received[side] += len(data)
            arrived = (min(pair.received) if load.echo else pair.received[1]) // size
            count = arrived - pair.completed
            if count > 0:
                now = time.perf_counter()
                if arrived % SAMPLE_EVERY < count:
                    latencies.append(now - pair.sent_at[count - 1])
                del pair.sent_at[:count]
                pair.completed = arrived
                messages += count
                pair.send(count, now)
        now = time.perf_counter()
    used = cpu_seconds(load.pid) - cpu
    count = messages - counted_from
    latencies.sort()
    for connection in [connection for pair in pairs for connection in pair.connections] + idle:
        connection.close()
    return Result(
        cpu=used / count * 1e6,
        rate=count / (now - started_at),
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
        messages=count,
    )


if __name__ == "__main__":
    pin(DRIVER_CPU)
    print(json.dumps(asdict(drive(Load(**json.loads(sys.argv[1]))))))
