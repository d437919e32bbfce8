"""The load after a restart: all clients have lost their connections, and log in by resume tokens.

Every client connects as `chatd.client` does: after a random delay, which doubles with each failure.
It gives its position, and is back when it has every entry after it, without a gap.

Usage: python -m bench.reconnect_driver JSON; prints a `Result`.
"""

from __future__ import annotations

import errno
import heapq
import json
import random
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass

from bench.fill_store import name_of, token_of
from bench.load import TIMEOUT, Result
from bench.server_process import DRIVER_CPU, cpu_seconds, pin
from chatd.client.library.backoff import Backoff
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import client_decoder, encode
from chatd.core.names import mailbox_name

_LONGEST_FRAME = 1 << 24
_AT_ONCE = 64
"""connections that are begun before those that are open log in: each client has a processor of its
own"""


@dataclass
class ReconnectLoad:
    """`sessions` accounts of a store that `fill_sessions` made, each with `entries` in its mailbox,
    half of which the client has. The clients give up after `patience` seconds."""

    port: int
    pid: int
    sessions: int
    entries: int
    patience: float = 170.0


class Client:
    """A client that wants to be back: its connection, if it has one, and what it has received."""

    def __init__(self, number: int, has: int, randomness: random.Random) -> None:
        self.number = number
        self.name = name_of(number)
        self.token = token_of(number)
        self.seq = has
        self.backoff = Backoff(randomness)
        self.socket: socket.socket | None = None
        self.back = False
        self._decoder = client_decoder(_LONGEST_FRAME)
        self._head = -1

    def connect(self, port: int) -> socket.socket:
        """Begin to connect."""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self._decoder = client_decoder(_LONGEST_FRAME)
        self._head = -1
        error = self.socket.connect_ex(("127.0.0.1", port))
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, "cannot connect")
        return self.socket

    def close(self) -> None:
        """Close the lost connection."""
        assert self.socket is not None
        self.socket.close()

    def log_in(self) -> bool:
        """Log in by the token, from the client's position on; False if the connection is lost."""
        assert self.socket is not None
        position = c.Position(mailbox_name(self.name), 0, self.seq)
        try:
            self.socket.send(
                encode(c.Hello(1, "bench", "1", ["receipts", "tokens"]))
                + encode(c.Resume(2, self.name, self.token, [position]))
            )
        except ConnectionError:
            return False
        return True

    def receive(self) -> bool:
        """Read once; False if the connection is lost."""
        assert self.socket is not None
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            return False
        for message in self._decoder.feed(data):
            match message:
                case c.LoggedIn():
                    self._head = message.logs[0].head
                case c.Pushed():
                    if message.seq != self.seq + 1:
                        raise RuntimeError(f"{self.name} has {self.seq}, and gets {message.seq}")
                    self.seq = message.seq
                case c.Refusal():
                    raise RuntimeError(f"{self.name} is refused: {message.sentence}")
        if self.seq == self._head and not self.back:
            self.back = True
            self.socket.send(encode(c.Ack(0, mailbox_name(self.name), self.seq)))
        return bool(data)


def reconnect(load: ReconnectLoad) -> Result:
    """The time until all are back.

    `cpu` is per session, `p50` when half of them are back, and `p99` when all are.
    """
    randomness = random.Random(1)
    had = load.entries // 2
    clients = [Client(number, had, randomness) for number in range(1, load.sessions + 1)]
    by_descriptor: dict[int, Client] = {}
    epoll = select.epoll()
    cpu, begin = cpu_seconds(load.pid), time.perf_counter()
    due = [(client.backoff.next_delay(), client.number) for client in clients]
    heapq.heapify(due)
    back: list[float] = []
    while len(back) < len(clients):
        now = time.perf_counter() - begin
        if now > load.patience:
            raise RuntimeError(f"{len(back)} of {len(clients)} are back after {now:.0f} s")
        for _ in range(_AT_ONCE):
            if not due or due[0][0] > now:
                break
            client = clients[heapq.heappop(due)[1] - 1]
            descriptor = client.connect(load.port).fileno()
            by_descriptor[descriptor] = client
            epoll.register(descriptor, select.EPOLLOUT)
        wait = max(0.0, due[0][0] - now) if due else TIMEOUT
        for descriptor, event in epoll.poll(min(wait, 1.0)):
            client = by_descriptor[descriptor]
            was_back = client.back
            if event & (select.EPOLLERR | select.EPOLLHUP):
                lost = True
            elif event & select.EPOLLOUT:
                lost = not client.log_in()
                epoll.modify(descriptor, select.EPOLLIN)
            else:
                lost = not client.receive()
            if client.back and not was_back:
                back.append(time.perf_counter() - begin)
            if lost:
                if client.back:
                    raise RuntimeError(f"the server has closed the connection of {client.name}")
                epoll.unregister(descriptor)
                client.close()
                delay = client.backoff.next_delay()
                heapq.heappush(due, (time.perf_counter() - begin + delay, client.number))
    used = cpu_seconds(load.pid) - cpu
    if any(client.seq != load.entries for client in clients):
        raise RuntimeError("entries are missing")
    return Result(
        cpu=used / len(clients) * 1e6,
        rate=len(clients) / back[-1],
        p50=back[len(back) // 2] * 1e3,
        p99=back[-1] * 1e3,
        messages=len(clients) * (load.entries - had),
    )


if __name__ == "__main__":
    pin(DRIVER_CPU)
    print(json.dumps(asdict(reconnect(ReconnectLoad(**json.loads(sys.argv[1]))))))
