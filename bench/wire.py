"""The load in version 1: pairs that send with keys, are told `Accepted`, and acknowledge what they
get; a room, and beside it the bare broadcast; and a reader who comes back to a full mailbox.

Usage: python -m bench.wire WHAT JSON, with WHAT one of pairs, room, broadcast, resume; prints a
`Result`.
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

from bench.driver import _SAMPLE_EVERY, _TIMEOUT, TEXT, Load, Result, connect
from bench.process import DRIVER_CPU, cpu_seconds, pin
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import HEADER_SIZE, client_decoder, encode

_ACCEPTED, _PUSHED = c.Accepted.command, c.Pushed.command
_HEADER = struct.Struct(">BBI")
_PUSHED_DATA = msgspec.msgpack.Decoder(c.Pushed)


class End:
    """A connection, logged in unless it has no name."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = connect(port)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.rest = b""
        self.log = "@" + name
        self.ask(c.Register(1, name), c.LogIn(2, name))

    def ask(self, *requests: c.Message) -> list[c.Message]:
        """Send requests, and read until the last of them is answered."""
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
        """How many messages of the wanted sort have come; the last is in `last`."""
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
        """All up to the last message that was pushed."""
        self.socket.sendall(encode(c.Ack(0, log, _PUSHED_DATA.decode(self.last).seq)))


def pushed_size() -> int:
    """How long a message of the load is on its way to a reader, in bytes."""
    return len(encode(c.Pushed("#lobby", 1 << 10, 1 << 60, 1 << 40, "m0000", "text", TEXT)))


class Letters:
    """The frames of messages to one recipient, each with a reference and a key of its own: made
    from a template, since it is not the load that is to be measured."""

    def __init__(self, recipient: str) -> None:
        self._number = 1 << 40
        template = encode(c.Send(self._number, recipient, TEXT, "k" * 16))
        number = self._number.to_bytes(8)
        self._head, _, rest = template.partition(number)
        self._middle, _, _ = rest.partition(b"k" * 16)

    def take(self, count: int) -> bytes:
        """So many more of them."""
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
    """Keep the windows full: a message is done when its sender has been told and its reader has
    it."""
    ends = [
        [End(load.port, f"{load.prefix}{side}{number:04d}") for side in "ab"]
        for number in range(load.pairs)
    ]
    epoll = select.epoll()
    where = {}
    for number, pair in enumerate(ends):
        for side, end in enumerate(pair):
            where[end.socket.fileno()] = (number, side, end)
            epoll.register(end.socket.fileno(), select.EPOLLIN)
    got = [[0, 0] for _ in ends]
    done = [0] * load.pairs
    acknowledged = [0] * load.pairs
    sent_at: list[list[float]] = [[] for _ in ends]
    letters = [Letters(reader.log[1:]) for _, reader in ends]

    def send(number: int, count: int, now: float) -> None:
        ends[number][0].socket.sendall(letters[number].take(count))
        sent_at[number] += [now] * count

    begin = now = time.perf_counter()
    measured_from, end_at = begin + load.warm_up, begin + load.warm_up + load.seconds
    cpu = started_at = 0.0
    messages = counted_from = 0
    latencies: list[float] = []
    for number in range(load.pairs):
        send(number, load.window, begin)
    while now < end_at:
        if not started_at and now >= measured_from:
            cpu, counted_from, started_at = cpu_seconds(load.pid), messages, now
        events = epoll.poll(_TIMEOUT)
        if not events:
            raise RuntimeError("the server has gone silent")
        for descriptor, _ in events:
            number, side, end = where[descriptor]
            arrived = end.receive(_PUSHED if side else _ACCEPTED)
            got[number][side] += arrived
            if side and got[number][1] - acknowledged[number] >= load.window:
                acknowledged[number] = got[number][1]
                end.acknowledge(end.log)
            arrived = min(got[number])
            count = arrived - done[number]
            if count > 0:
                now = time.perf_counter()
                if arrived % _SAMPLE_EVERY < count:
                    latencies.append(now - sent_at[number][count - 1])
                del sent_at[number][:count]
                done[number] = arrived
                messages += count
                send(number, count, now)
        now = time.perf_counter()
    used = cpu_seconds(load.pid) - cpu
    count = messages - counted_from
    latencies.sort()
    for pair in ends:
        for end in pair:
            end.socket.close()
    return Result(
        cpu=used / count * 1e6,
        rate=count / (now - started_at),
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
        messages=count,
    )


@dataclass
class Crowd:
    """One speaker and `members` others, `window` messages in flight, for `seconds`; `size` is that
    of a message of the bare broadcast. Members acknowledge every `ack_every` messages (version 1
    only)."""

    port: int
    pid: int
    members: int
    window: int
    seconds: float
    size: int = 100
    ack_every: int = 64
    warm_up: float = 0.5


def room(crowd: Crowd) -> Result:
    """A room of version 1. The speaker is a member, so gets its messages as well."""
    people = [End(crowd.port, f"m{number:04d}") for number in range(crowd.members)]
    for person in people:
        person.ask(c.Join(3, "#lobby"))
    for person in people:
        # All that joining brought has come when this is answered.
        for message in person.ask(c.History(4, "#lobby", 0, 0, 1)):
            if isinstance(message, c.Pushed):
                person.rest = b""
        person.ask(c.Ping(5))
    letters = Letters("#lobby")

    epoll = select.epoll()
    where = {person.socket.fileno(): person for person in people}
    for descriptor in where:
        epoll.register(descriptor, select.EPOLLIN)
    got = dict.fromkeys(people, 0)
    unacknowledged = dict.fromkeys(people, 0)

    def receive(descriptor: int) -> None:
        person = where[descriptor]
        count = person.receive(_PUSHED)
        got[person] += count
        unacknowledged[person] += count
        if unacknowledged[person] >= crowd.ack_every:
            unacknowledged[person] = 0
            person.acknowledge("#lobby")

    return _rounds(crowd, epoll, people[0].socket, letters.take, receive, lambda: min(got.values()))


def broadcast(crowd: Crowd) -> Result:
    """The same with the bare broadcast."""
    ends = [connect(crowd.port) for _ in range(crowd.members)]
    epoll = select.epoll()
    where = {end.fileno(): end for end in ends}
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        epoll.register(end.fileno(), select.EPOLLIN)
        end.sendall(b"!")
    for end in ends:
        end.recv(1)
    got = dict.fromkeys(where, 0)

    def receive(descriptor: int) -> None:
        data = where[descriptor].recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed a connection")
        got[descriptor] += len(data)

    data = b"x" * crowd.size
    return _rounds(
        crowd,
        epoll,
        ends[0],
        lambda count: data * count,
        receive,
        lambda: min(got.values()) // crowd.size,
    )


def _rounds(
    crowd: Crowd,
    epoll: select.epoll,
    speaker: socket.socket,
    take: Callable[[int], bytes],
    receive: Callable[[int], None],
    done: Callable[[], int],
) -> Result:
    """A window of messages, until everyone has all of them, then the next. Per delivery, not per
    message."""
    begin = time.perf_counter()
    measured_from, end_at = begin + crowd.warm_up, begin + crowd.warm_up + crowd.seconds
    cpu = started_at = 0.0
    sent = counted_from = 0
    now = begin
    trips: list[float] = []
    base = done()
    while now < end_at:
        if not started_at and now >= measured_from:
            cpu, counted_from, started_at = cpu_seconds(crowd.pid), sent, now
        speaker.sendall(take(crowd.window))
        sent += crowd.window
        while done() - base < sent:
            events = epoll.poll(_TIMEOUT)
            if not events:
                raise RuntimeError("the server has gone silent")
            for descriptor, _ in events:
                receive(descriptor)
        before, now = now, time.perf_counter()
        trips.append(now - before)
    deliveries = (sent - counted_from) * crowd.members
    used = cpu_seconds(crowd.pid) - cpu
    trips.sort()
    return Result(
        cpu=used / deliveries * 1e6,
        rate=deliveries / (now - started_at),
        p50=trips[len(trips) // 2] * 1e3,
        p99=trips[len(trips) * 99 // 100] * 1e3,
        messages=deliveries,
    )


@dataclass
class Return:
    """`count` messages wait for somebody who comes back."""

    port: int
    pid: int
    count: int


def resume(back: Return) -> Result:
    """From the request to log in to the last waiting message, seconds as `p50` in ms."""
    sender = End(back.port, "sender")
    reader = End(back.port, "reader")
    reader.ask(c.LogOut(3))
    reader.socket.close()
    letters = Letters("reader")
    for first in range(0, back.count, 500):
        refs = range(first, min(first + 500, back.count))
        sender.socket.sendall(letters.take(len(refs)))
        accepted = 0
        while accepted < len(refs):
            accepted += sender.receive(_ACCEPTED)
    again = connect(back.port)
    again.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    cpu, begin = cpu_seconds(back.pid), time.perf_counter()
    again.sendall(encode(c.LogIn(1, "reader")))
    decoder = client_decoder(1 << 24)
    got = 0
    while got < back.count:
        data = again.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed the connection")
        for message in decoder.feed(data):
            got += isinstance(message, c.Pushed)
    took = time.perf_counter() - begin
    used = cpu_seconds(back.pid) - cpu
    return Result(used / back.count * 1e6, back.count / took, took * 1e3, took * 1e3, back.count)


if __name__ == "__main__":
    pin(DRIVER_CPU)
    what, arguments = sys.argv[1], json.loads(sys.argv[2])
    result = {
        "pairs": lambda: pairs(Load(**arguments)),
        "room": lambda: room(Crowd(**arguments)),
        "broadcast": lambda: broadcast(Crowd(**arguments)),
        "resume": lambda: resume(Return(**arguments)),
    }[what]()
    print(json.dumps(asdict(result)))
