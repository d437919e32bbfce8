"""The load in version 1: pairs, a room (or the bare broadcast), and a login to a full mailbox.

Senders use keys and get `Accepted`; recipients acknowledge what they get.

Usage: python -m bench.v1_driver LOAD JSON, with LOAD one of pairs, room, broadcast, resume; prints
a `Result`.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import msgspec

from bench.load import SAMPLE_EVERY, TEXT, TIMEOUT, Load, Result, connect
from bench.server_process import DRIVER_CPU, cpu_seconds, pin
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import HEADER_SIZE, client_decoder, encode

_ACCEPTED, _PUSHED = c.Accepted.command, c.Pushed.command
_HEADER = struct.Struct(">BBI")
_PUSHED_DATA = msgspec.msgpack.Decoder(c.Pushed)


class Client:
    """A connection logged in to a new account."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = connect(port)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.rest = b""
        self.log = "@" + name
        self.request(c.Register(1, name), c.LogIn(2, name))

    def request(self, *requests: c.Message) -> list[c.Message]:
        """Send requests and return all messages up to the answer of the last one."""
        self.socket.sendall(b"".join(map(encode, requests)))
        last = requests[-1].ref  # type: ignore[attr-defined]
        decoder = client_decoder(1 << 24)
        answers: list[c.Message] = []
        while not any(getattr(answer, "ref", 0) == last for answer in answers):
            data = self.socket.recv(1 << 18)
            if not data:
                raise RuntimeError("the server closed the connection")
            answers += decoder.feed(data)  # type: ignore[arg-type]
        return answers

    def receive(self, wanted: int) -> int:
        """Read once; the number of messages of the wanted type. `last` is the data of the last."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed a connection")
        if self.rest:
            data = self.rest + data
        count = at = last = 0
        size = len(data)
        while size - at >= HEADER_SIZE:
            _, command, length = _HEADER.unpack_from(data, at)
            end = at + HEADER_SIZE + length
            if end > size:
                break
            if command == wanted:
                count += 1
                last = at
            elif command == c.Refusal.command:
                raise RuntimeError(f"refused: {data[at:end]!r}")
            at = end
        if count:
            _, _, length = _HEADER.unpack_from(data, last)
            self.last = data[last + HEADER_SIZE : last + HEADER_SIZE + length]
        self.rest = data[at:]
        return count

    def acknowledge(self, log: str) -> None:
        """Acknowledge all entries up to the last one that was pushed."""
        self.socket.sendall(encode(c.Ack(0, log, _PUSHED_DATA.decode(self.last).seq)))


def pushed_size() -> int:
    """The size of the frame of a pushed message of the load, in bytes."""
    return len(encode(c.Pushed("#lobby", 1 << 10, 1 << 60, 1 << 40, "m0000", "text", TEXT)))


class SendFrames:
    """Frames of `Send` to one recipient, each with a ref and a key of its own.

    They are made from a template, so that the driver costs little.
    """

    def __init__(self, recipient: str) -> None:
        self._number = 1 << 40
        template = encode(c.Send(self._number, recipient, TEXT, "k" * 16))
        number = self._number.to_bytes(8)
        self._head, _, rest = template.partition(number)
        self._middle, _, _ = rest.partition(b"k" * 16)

    def take(self, count: int) -> bytes:
        """The next `count` frames."""
        head, middle = self._head, self._middle
        first = self._number
        self._number += count
        return b"".join(
            [
                part
                for number in range(first, first + count)
                for part in (head, number.to_bytes(8), middle, b"%016x" % number)
            ]
        )


def pairs(load: Load) -> Result:
    """Keep the windows of all pairs full for the time of the load.

    A message is complete when its sender has the answer and its recipient has the message.
    """
    clients = [
        [Client(load.port, f"{load.prefix}{side}{number:04d}") for side in "ab"]
        for number in range(load.pairs)
    ]
    epoll = select.epoll()
    by_descriptor = {}
    for number, pair in enumerate(clients):
        for side, client in enumerate(pair):
            by_descriptor[client.socket.fileno()] = (number, side, client)
            epoll.register(client.socket.fileno(), select.EPOLLIN)
    received = [[0, 0] for _ in clients]
    completed = [0] * load.pairs
    acknowledged = [0] * load.pairs
    sent_at: list[list[float]] = [[] for _ in clients]
    frames = [SendFrames(recipient.log[1:]) for _, recipient in clients]

    def send(number: int, count: int, now: float) -> None:
        clients[number][0].socket.sendall(frames[number].take(count))
        sent_at[number] += [now] * count

    begin = now = time.perf_counter()
    measured_from, measured_until = begin + load.warm_up, load.end(begin)
    cpu = started_at = 0.0
    messages = counted_from = 0
    latencies: list[float] = []
    for number in range(load.pairs):
        send(number, load.window, begin)
    while now < measured_until and messages < load.limit:
        if not started_at and now >= measured_from:
            cpu, counted_from, started_at = cpu_seconds(load.pid), messages, now
        events = epoll.poll(TIMEOUT)
        if not events:
            raise RuntimeError("the server sends nothing")
        for descriptor, _ in events:
            number, side, client = by_descriptor[descriptor]
            arrived = client.receive(_PUSHED if side else _ACCEPTED)
            received[number][side] += arrived
            if side and received[number][1] - acknowledged[number] >= load.window:
                acknowledged[number] = received[number][1]
                client.acknowledge(client.log)
            arrived = min(received[number])
            count = arrived - completed[number]
            if count > 0:
                now = time.perf_counter()
                if arrived % SAMPLE_EVERY < count:
                    latencies.append(now - sent_at[number][count - 1])
                del sent_at[number][:count]
                completed[number] = arrived
                messages += count
                send(number, count, now)
        now = time.perf_counter()
    used = cpu_seconds(load.pid) - cpu
    count = messages - counted_from
    latencies.sort()
    for pair in clients:
        for client in pair:
            client.socket.close()
    return Result(
        cpu=used / count * 1e6,
        rate=count / (now - started_at),
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
        messages=count,
    )


@dataclass
class RoomLoad:
    """One of `members` members sends to all, `window` messages in flight, for `seconds`.

    `size` is that of a message of the bare broadcast. In version 1, each member acknowledges after
    `ack_every` messages.
    """

    port: int
    pid: int
    members: int
    window: int
    seconds: float
    size: int = 100
    ack_every: int = 64
    warm_up: float = 0.5


def room(load: RoomLoad) -> Result:
    """A room in version 1. The sender is a member, so it gets its own messages, too."""
    members = [Client(load.port, f"m{number:04d}") for number in range(load.members)]
    for member in members:
        member.request(c.Join(3, "#lobby"))
    for member in members:
        # The answer follows all entries of the joins.
        member.request(c.History(4, "#lobby", 0, 0, 1), c.Ping(5))
    frames = SendFrames("#lobby")

    epoll = select.epoll()
    by_descriptor = {member.socket.fileno(): member for member in members}
    for descriptor in by_descriptor:
        epoll.register(descriptor, select.EPOLLIN)
    received = dict.fromkeys(members, 0)
    unacknowledged = dict.fromkeys(members, 0)

    def receive(descriptor: int) -> None:
        member = by_descriptor[descriptor]
        count = member.receive(_PUSHED)
        received[member] += count
        unacknowledged[member] += count
        if unacknowledged[member] >= load.ack_every:
            unacknowledged[member] = 0
            member.acknowledge("#lobby")

    return rounds(
        load, epoll, members[0].socket, frames.take, receive, lambda: min(received.values())
    )


def broadcast(load: RoomLoad) -> Result:
    """The bare broadcast, with the load of `room`."""
    clients = [connect(load.port) for _ in range(load.members)]
    epoll = select.epoll()
    by_descriptor = {client.fileno(): client for client in clients}
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        epoll.register(client.fileno(), select.EPOLLIN)
        client.sendall(b"!")
    for client in clients:
        client.recv(1)
    received = dict.fromkeys(by_descriptor, 0)

    def receive(descriptor: int) -> None:
        data = by_descriptor[descriptor].recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed a connection")
        received[descriptor] += len(data)

    data = b"x" * load.size
    return rounds(
        load,
        epoll,
        clients[0],
        lambda count: data * count,
        receive,
        lambda: min(received.values()) // load.size,
    )


def rounds(
    load: RoomLoad,
    epoll: select.epoll,
    sender: socket.socket,
    take: Callable[[int], bytes],
    receive: Callable[[int], None],
    completed: Callable[[], int],
) -> Result:
    """Send a window of messages, wait until all members have them, and send the next.

    The result is per delivery, not per message.
    """
    begin = time.perf_counter()
    measured_from, measured_until = begin + load.warm_up, begin + load.warm_up + load.seconds
    cpu = started_at = 0.0
    sent = counted_from = 0
    now = begin
    trips: list[float] = []
    base = completed()
    while now < measured_until:
        if not started_at and now >= measured_from:
            cpu, counted_from, started_at = cpu_seconds(load.pid), sent, now
        sender.sendall(take(load.window))
        sent += load.window
        while completed() - base < sent:
            events = epoll.poll(TIMEOUT)
            if not events:
                raise RuntimeError("the server sends nothing")
            for descriptor, _ in events:
                receive(descriptor)
        before, now = now, time.perf_counter()
        trips.append(now - before)
    deliveries = (sent - counted_from) * load.members
    used = cpu_seconds(load.pid) - cpu
    trips.sort()
    return Result(
        cpu=used / deliveries * 1e6,
        rate=deliveries / (now - started_at),
        p50=trips[len(trips) // 2] * 1e3,
        p99=trips[len(trips) * 99 // 100] * 1e3,
        messages=deliveries,
    )


@dataclass
class ResumeLoad:
    """`count` messages that wait for a recipient that logs in."""

    port: int
    pid: int
    count: int


def resume(load: ResumeLoad) -> Result:
    """The time from the login to the last waiting message, as `p50`."""
    sender = Client(load.port, "sender")
    recipient = Client(load.port, "recipient")
    recipient.request(c.LogOut(3))
    recipient.socket.close()
    frames = SendFrames("recipient")
    for first in range(0, load.count, 500):
        refs = range(first, min(first + 500, load.count))
        sender.socket.sendall(frames.take(len(refs)))
        accepted = 0
        while accepted < len(refs):
            accepted += sender.receive(_ACCEPTED)
    resumed = connect(load.port)
    resumed.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    cpu, begin = cpu_seconds(load.pid), time.perf_counter()
    resumed.sendall(encode(c.LogIn(1, "recipient")))
    decoder = client_decoder(1 << 24)
    received = 0
    while received < load.count:
        data = resumed.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed the connection")
        for message in decoder.feed(data):
            received += isinstance(message, c.Pushed)
    seconds = time.perf_counter() - begin
    used = cpu_seconds(load.pid) - cpu
    return Result(
        used / load.count * 1e6, load.count / seconds, seconds * 1e3, seconds * 1e3, load.count
    )


if __name__ == "__main__":
    pin(DRIVER_CPU)
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    result = {
        "pairs": lambda: pairs(Load(**arguments)),
        "room": lambda: room(RoomLoad(**arguments)),
        "broadcast": lambda: broadcast(RoomLoad(**arguments)),
        "resume": lambda: resume(ResumeLoad(**arguments)),
    }[name]()
    print(json.dumps(asdict(result)))
