"""The load in version 1: pairs that send with keys, are told `Accepted`, and acknowledge what they get; a room;
and a reader who comes back to a full mailbox.

Usage: python -m bench.wire WHAT JSON, with WHAT one of pairs, room, broadcast, resume; prints a result as JSON.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass

import msgspec

from bench.driver import _SAMPLE_EVERY, _TIMEOUT, TEXT, Load, Result, connect
from bench.process import DRIVER_CPU, cpu_seconds, pin
from chatd.codecs import catalogue as c
from chatd.codecs.wire import HEADER_SIZE, client_decoder, encode

_ACCEPTED, _PUSHED = c.Accepted.command, c.Pushed.command
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

    def receive(self) -> dict[int, int]:
        """How many messages of each sort have come; of pushed ones, the last is in `last`."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed a connection")
        if self.rest:
            data = self.rest + data
        counts: dict[int, int] = {}
        at, size = 0, len(data)
        while size - at >= HEADER_SIZE:
            end = at + HEADER_SIZE + int.from_bytes(data[at + 2 : at + HEADER_SIZE])
            if end > size:
                break
            command = data[at + 1]
            counts[command] = counts.get(command, 0) + 1
            if command == _PUSHED:
                self.last = data[at + HEADER_SIZE : end]
            elif command == c.Refusal.command:
                raise RuntimeError(f"refused: {data[at + HEADER_SIZE : end]!r}")
            at = end
        self.rest = data[at:]
        return counts


def pairs(load: Load) -> Result:
    """Keep the windows full: a message is done when its sender has been told and its reader has it."""
    ends = [
        [End(load.port, f"{load.prefix}{side}{number:04d}") for side in "ab"] for number in range(load.pairs)
    ]
    epoll = select.epoll()
    where = {}
    for number, pair in enumerate(ends):
        for side, end in enumerate(pair):
            where[end.socket.fileno()] = (number, side, end)
            epoll.register(end.socket.fileno(), select.EPOLLIN)
    got = [[0, 0] for _ in ends]
    done = [0] * load.pairs
    sent_at: list[list[float]] = [[] for _ in ends]
    refs = [10] * load.pairs

    def send(number: int, count: int, now: float) -> None:
        sender, reader = ends[number]
        first = refs[number]
        refs[number] += count
        name = reader.log[1:]
        sender.socket.sendall(
            b"".join(
                [
                    encode(c.Send(ref, name, TEXT, f"{number:04d}-{now:.6f}-{ref}"))
                    for ref in range(first, first + count)
                ]
            )
        )
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
            counts = end.receive()
            if side:
                got[number][1] += counts.get(_PUSHED, 0)
                if _PUSHED in counts:
                    end.socket.sendall(encode(c.Ack(0, end.log, _PUSHED_DATA.decode(end.last).seq)))
            else:
                got[number][0] += counts.get(_ACCEPTED, 0)
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
    """One speaker and `members` others, `window` messages in flight, for `seconds`; `size` is that of a message
    of the bare broadcast. Members acknowledge every `ack_every` messages (version 1 only)."""

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
    counter = 0

    def message() -> bytes:
        nonlocal counter
        counter += 1
        return encode(c.Send(counter + 10, "#lobby", TEXT, f"key-of-the-message-{counter}"))

    epoll = select.epoll()
    where = {person.socket.fileno(): person for person in people}
    for descriptor in where:
        epoll.register(descriptor, select.EPOLLIN)
    got = {person: 0 for person in people}
    unacknowledged = {person: 0 for person in people}

    def receive(descriptor: int) -> None:
        person = where[descriptor]
        count = person.receive().get(_PUSHED, 0)
        got[person] += count
        unacknowledged[person] += count
        if unacknowledged[person] >= crowd.ack_every:
            unacknowledged[person] = 0
            person.socket.sendall(encode(c.Ack(0, "#lobby", _PUSHED_DATA.decode(person.last).seq)))

    return _rounds(crowd, epoll, people[0].socket, message, receive, lambda: min(got.values()))


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
        crowd, epoll, ends[0], lambda: data, receive, lambda: min(got.values()) // crowd.size
    )


def _rounds(crowd: Crowd, epoll: select.epoll, speaker: socket.socket, message, receive, done) -> Result:  # type: ignore[no-untyped-def]
    """A window of messages, until everyone has all of them, then the next. Per delivery, not per message."""
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
        speaker.sendall(b"".join([message() for _ in range(crowd.window)]))
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
    for first in range(0, back.count, 500):
        refs = range(first + 10, min(first + 500, back.count) + 10)
        sender.socket.sendall(b"".join(encode(c.Send(ref, "reader", TEXT, f"k{ref}")) for ref in refs))
        accepted = 0
        while accepted < len(refs):
            accepted += sender.receive().get(_ACCEPTED, 0)
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
