"""The load, from a process of its own: raw sockets and epoll, cheap and the same for every server.

Usage: python -m bench.driver JSON, a `Load` as an object; prints a `Result`.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass, field

from bench.process import DRIVER_CPU, cpu_seconds, pin
from bench.relay import frame
from chatd.codecs.classic import CREATE, LOGIN, RESPONSE, encode, encode_send

TEXT = "x" * 100
_NO_ERROR = encode(RESPONSE)
_TIMEOUT = 30.0
_SAMPLE_EVERY = 7


@dataclass
class Load:
    """What to do to the server at `port`, which is process `pid`.

    `pairs` of connections, `window` messages in flight per pair, for `seconds` after `warm_up`
    seconds. `echo`: the sender gets each message back, too, and it is done when both ends have it.
    `prefix` makes the names of this run; `idle` more users are logged in and do nothing.
    """

    port: int
    pid: int
    pairs: int
    window: int
    seconds: float
    echo: bool
    prefix: str
    idle: int = 0
    warm_up: float = 0.5


@dataclass
class Result:
    """Microseconds of the server's processor time per message, messages a second, latencies in
    ms."""

    cpu: float
    rate: float
    p50: float
    p99: float
    messages: int = field(default=0)


class Pair:
    """A sender, a reader, and the messages between them."""

    def __init__(self, load: Load, number: int) -> None:
        sender, reader = f"{load.prefix}a{number:04d}", f"{load.prefix}b{number:04d}"
        message = encode_send(sender, reader, TEXT)
        self.frame = message if load.echo else frame(message)
        self.ends = [self._open(load, sender, number), self._open(load, reader, number)]
        self.received = [0, 0]
        self.done = 0
        self.sent_at: list[float] = []

    def _open(self, load: Load, name: str, number: int) -> socket.socket:
        if load.echo:
            return log_in(load.port, name)
        end = connect(load.port)
        end.sendall(frame(b"%d" % number))
        return end

    def send(self, count: int, now: float) -> None:
        """Put so many more messages in flight."""
        self.ends[0].sendall(self.frame * count)
        self.sent_at += [now] * count


def connect(port: int) -> socket.socket:
    """A connection that does not wait for ever."""
    end = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return end


def log_in(port: int, name: str) -> socket.socket:
    """A connection logged in as `name`, which is made if need be."""
    end = connect(port)
    end.sendall(encode(CREATE, name))
    if _response(end) != _NO_ERROR:
        end.sendall(encode(LOGIN, name))
        if _response(end) != _NO_ERROR:
            raise RuntimeError(f"cannot log in as {name}")
    return end


def log_in_all(port: int, names: list[str]) -> list[socket.socket]:
    """Many at once: the server answers while others are still asking."""
    ends = []
    for start in range(0, len(names), 200):
        some = [(connect(port), name) for name in names[start : start + 200]]
        for end, name in some:
            end.sendall(encode(CREATE, name))
        for end, name in some:
            if _response(end) != _NO_ERROR:
                raise RuntimeError(f"cannot log in as {name}")
            ends.append(end)
    return ends


def _response(end: socket.socket) -> bytes:
    data = b""
    while len(data) < 42 or len(data) < 42 + struct.unpack_from(">I", data, 38)[0]:
        part = end.recv(4096)
        if not part:
            raise RuntimeError("the server closed the connection")
        data += part
    return data


def drive(load: Load) -> Result:
    """Keep the windows full for as long as the load says."""
    idle = log_in_all(load.port, [f"{load.prefix}i{n:05d}" for n in range(load.idle)])
    pairs = [Pair(load, number) for number in range(load.pairs)]
    size = len(pairs[0].frame)
    epoll = select.epoll()
    where = {}
    for pair in pairs:
        for side, end in enumerate(pair.ends):
            end.setblocking(True)
            where[end.fileno()] = (pair, side, end)
            epoll.register(end.fileno(), select.EPOLLIN)
    begin = time.perf_counter()
    measured_from, end_at = begin + load.warm_up, begin + load.warm_up + load.seconds
    cpu = 0.0
    messages = counted_from = 0
    started_at = 0.0
    latencies: list[float] = []
    for pair in pairs:
        pair.send(load.window, begin)
    now = begin
    while now < end_at:
        if not started_at and now >= measured_from:
            cpu, counted_from, started_at = cpu_seconds(load.pid), messages, now
        events = epoll.poll(_TIMEOUT)
        if not events:
            raise RuntimeError("the server has gone silent")
        for descriptor, _ in events:
            pair, side, end = where[descriptor]
            data = end.recv(1 << 18)
            if not data:
                raise RuntimeError("the server closed a connection")
            pair.received[side] += len(data)
            arrived = (min(pair.received) if load.echo else pair.received[1]) // size
            count = arrived - pair.done
            if count > 0:
                now = time.perf_counter()
                if arrived % _SAMPLE_EVERY < count:
                    latencies.append(now - pair.sent_at[count - 1])
                del pair.sent_at[:count]
                pair.done = arrived
                messages += count
                pair.send(count, now)
        now = time.perf_counter()
    used = cpu_seconds(load.pid) - cpu
    done = messages - counted_from
    latencies.sort()
    for end in [end for pair in pairs for end in pair.ends] + idle:
        end.close()
    return Result(
        cpu=used / done * 1e6,
        rate=done / (now - started_at),
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
        messages=done,
    )


if __name__ == "__main__":
    pin(DRIVER_CPU)
    print(json.dumps(asdict(drive(Load(**json.loads(sys.argv[1]))))))
