"""The measurements: each gives rows for the report."""

from __future__ import annotations

import os
import select
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

from bench.driver import TEXT, Result, connect, log_in, log_in_all
from bench.effort import WINDOWS, Effort, Measurement, Row, drive, load_of, server_of
from bench.fill import fill
from bench.process import Server, chatd, memory_bytes, running
from bench.relay import frame
from bench.version1 import pairs, resume, rooms
from chatd.codecs.classic import (
    LIST,
    Decoder,
    ListResponse,
    Send,
    client_decoder,
    encode,
    encode_send,
)

_CPU_TARGETS = {("memory", 1): 1.5, ("memory", 16): 1.8, ("durable", 1): 2.0, ("durable", 16): 3.8}


def cost(effort: Effort) -> Iterator[Row]:
    """Processor time of the daemon per message, against the relay's in the same round."""
    results: dict[tuple[str, int], list[Result]] = {}
    for _ in range(effort.rounds):
        for kind in ("relay", "memory", "durable"):
            for window in WINDOWS:
                with server_of(kind) as server:
                    load = load_of(server, effort, window=window, echo=kind != "relay", prefix="c")
                    results.setdefault((kind, window), []).append(drive(load))
    for window in WINDOWS:
        units = results["relay", window]
        for kind in ("relay", "memory", "durable"):
            runs = results[kind, window]
            ratios = [run.cpu / unit.cpu for run, unit in zip(runs, units, strict=True)]
            name = "bare Twisted relay" if kind == "relay" else f"chatd, {kind}"
            rate, p50, p99 = (
                statistics.median(getattr(run, f) for run in runs) for f in ("rate", "p50", "p99")
            )
            yield Row(
                f"{name}, {window} in flight",
                statistics.median(ratios),
                "x relay",
                _CPU_TARGETS.get((kind, window)),
                f"{statistics.median(run.cpu for run in runs):.2f} us, {rate:,.0f}/s, "
                f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
            )


def memory(effort: Effort) -> Iterator[Row]:
    """Memory per connection that is open and does nothing; of chatd's, logged in."""
    for kind in ("relay", "memory"):
        with server_of(kind) as server:
            # The first connections pay for what all of them share.
            first = [
                log_in(server.port, f"w{n}") if kind != "relay" else connect(server.port)
                for n in range(10)
            ]
            before = memory_bytes(server.pid)
            if kind == "relay":
                ends = [connect(server.port) for _ in range(effort.users)]
                for number, end in enumerate(ends):
                    end.sendall(frame(b"%d" % number))
            else:
                ends = log_in_all(
                    server.port, [f"user{number:05d}" for number in range(effort.users)]
                )
            after = memory_bytes(server.pid)
            for end in first + ends:
                end.close()
        name = "bare Twisted relay" if kind == "relay" else "chatd"
        yield Row(
            f"{name}, per idle connection",
            (after - before) / effort.users / 1024,
            "KB",
            None if kind == "relay" else 6.0,
            f"{effort.users:,} of them",
        )


def users(effort: Effort) -> Iterator[Row]:
    """The cost of a message with 10 users logged in and with thousands."""
    for kind in ("memory", "durable"):
        for window in WINDOWS:
            costs: dict[int, list[float]] = {}
            for turn in range(max(1, effort.rounds - 1)):
                for idle in (0, effort.users - 10):
                    with server_of(kind) as server:
                        load = load_of(server, effort, window=window, echo=True, prefix=f"u{turn}")
                        load.pairs, load.idle = 5, idle
                        costs.setdefault(idle, []).append(drive(load).cpu)
            few, many = (statistics.median(found) for found in costs.values())
            yield Row(
                f"chatd, {kind}, {window} in flight, {effort.users:,} users / 10 users",
                many / few,
                "x",
                note=f"{many:.2f} us / {few:.2f} us",
            )


def stored(effort: Effort) -> Iterator[Row]:
    """The cost of a message with nothing stored and with a million entries; and starting with
    them."""
    with tempfile.TemporaryDirectory() as folder:
        full = os.path.join(folder, "full.db")
        fill(full, effort.accounts, effort.entries)
        size = os.path.getsize(full)
        for window in WINDOWS:
            costs: dict[str, list[float]] = {"empty": [], "full": []}
            for turn in range(max(1, effort.rounds - 1)):
                for name, path in (
                    ("empty", os.path.join(folder, f"e{window}{turn}.db")),
                    ("full", full),
                ):
                    with running(chatd(f"sqlite:{path}"), folder) as server:
                        load = load_of(
                            server, effort, window=window, echo=True, prefix=f"s{window}{turn}"
                        )
                        costs[name].append(drive(load).cpu)
            few, many = (statistics.median(found) for found in costs.values())
            yield Row(
                f"chatd, durable, {window} in flight, {effort.entries:,} stored / none",
                many / few,
                "x",
                note=f"{many:.2f} us / {few:.2f} us",
            )
        begin = time.perf_counter()
        with running(chatd(f"sqlite:{full}"), folder) as server:
            log_in(server.port, "early-bird").close()
            took = time.perf_counter() - begin
            yield Row(
                f"start-up to first answer, {effort.entries:,} entries, {effort.accounts:,} accounts",
                took,
                "s",
                2.0,
                f"file of {size / 1e6:.0f} MB",
            )
            yield from _listing(server, effort)


def _listing(server: Server, effort: Effort) -> Iterator[Row]:
    """LIST of everybody, while a pair goes on talking."""
    asker, sender, reader = (log_in(server.port, name) for name in ("asker", "sender", "reader"))
    frame = encode_send("sender", "reader", TEXT)
    sends, lists = client_decoder(1 << 20), client_decoder(1 << 30)
    for turn, pattern in (("all", "*"), ("some", "*7*1*")):
        begin = time.perf_counter()
        asker.sendall(encode(LIST, pattern))
        trips: list[float] = []
        names: list[str] = []
        took = 0.0
        while not took:
            sent = time.perf_counter()
            sender.sendall(frame)
            _until_sent(sends, sender)
            trips.append(time.perf_counter() - sent)
            reader.recv(1 << 16)
            while not took and select.select([asker], [], [], 0)[0]:
                for message in lists.feed(asker.recv(1 << 20)):
                    if isinstance(message, ListResponse):
                        names = list(message.names)
                        took = time.perf_counter() - begin
        yield Row(
            f"longest round trip of others during LIST {pattern}",
            max(trips) * 1e3,
            "ms",
            50.0,
            f"{turn}: {len(names):,} of {effort.accounts:,} names in {took * 1e3:.0f} ms, {len(trips)} trips",
        )


def _until_sent(decoder: Decoder, end: object) -> None:
    receive: Callable[[int], bytes] = end.recv  # type: ignore[attr-defined]
    while not any(isinstance(message, Send) for message in decoder.feed(receive(1 << 16))):
        pass


def sync(effort: Effort) -> Iterator[Row]:
    """What one sync of the disk takes, bare, where the stores of this run are."""
    with tempfile.TemporaryFile() as file:
        times = []
        for _ in range(200):
            os.pwrite(file.fileno(), TEXT.encode() * 40, 0)
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    yield Row("one fdatasync of this disk", statistics.median(times) * 1e3, "ms")


MEASUREMENTS: dict[str, Measurement] = {
    "sync": sync,
    "cost": cost,
    "version1": pairs,
    "rooms": rooms,
    "resume": resume,
    "memory": memory,
    "users": users,
    "stored": stored,
}
