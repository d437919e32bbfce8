"""The measurements in the classic protocol: cost, memory, many users, and a filled store."""

from __future__ import annotations

import os
import select
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator

from bench.bare_relay import frame
from bench.classic_driver import log_in, log_in_all
from bench.fill_store import fill
from bench.harness import WINDOWS, Effort, Row, drive, load_of, server_of
from bench.load import TEXT, Result, connect
from bench.server_process import Server, chatd, memory_bytes, running
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
    """Processor time of the daemon per message, relative to the relay in the same round."""
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
    """Memory per idle connection; those of chatd are logged in."""
    for kind in ("relay", "memory"):
        with server_of(kind) as server:
            # The first connections allocate what all of them share.
            first = [
                log_in(server.port, f"w{n}") if kind != "relay" else connect(server.port)
                for n in range(10)
            ]
            before = memory_bytes(server.pid)
            if kind == "relay":
                connections = [connect(server.port) for _ in range(effort.users)]
                for number, connection in enumerate(connections):
                    connection.sendall(frame(b"%d" % number))
            else:
                connections = log_in_all(
                    server.port, [f"user{number:05d}" for number in range(effort.users)]
                )
            after = memory_bytes(server.pid)
            for connection in first + connections:
                connection.close()
        name = "bare Twisted relay" if kind == "relay" else "chatd"
        yield Row(
            f"{name}, per idle connection",
            (after - before) / effort.users / 1024,
            "KB",
            None if kind == "relay" else 6.0,
            f"{effort.users:,} of them",
        )


def users(effort: Effort) -> Iterator[Row]:
    """The cost of a message with thousands of users logged in, relative to 10 users."""
    for kind in ("memory", "durable"):
        for window in WINDOWS:
            costs: dict[int, list[float]] = {}
            for turn in range(max(1, effort.rounds - 1)):
                for idle in (0, effort.users - 10):
                    with server_of(kind) as server:
                        load = load_of(server, effort, window=window, echo=True, prefix=f"u{turn}")
                        load.pairs, load.idle = 5, idle
                        costs.setdefault(idle, []).append(drive(load).cpu)
            few, many = (statistics.median(runs) for runs in costs.values())
            yield Row(
                f"chatd, {kind}, {window} in flight, {effort.users:,} users / 10 users",
                many / few,
                "x",
                note=f"{many:.2f} us / {few:.2f} us",
            )


def stored(effort: Effort) -> Iterator[Row]:
    """The cost of a message with many stored entries, relative to none; start-up and listing."""
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
            few, many = (statistics.median(runs) for runs in costs.values())
            yield Row(
                f"chatd, durable, {window} in flight, {effort.entries:,} stored / none",
                many / few,
                "x",
                note=f"{many:.2f} us / {few:.2f} us",
            )
        begin = time.perf_counter()
        with running(chatd(f"sqlite:{full}"), folder) as server:
            log_in(server.port, "early-bird").close()
            seconds = time.perf_counter() - begin
            yield Row(
                f"start-up to first answer, {effort.entries:,} entries,"
                f" {effort.accounts:,} accounts",
                seconds,
                "s",
                2.0,
                f"file of {size / 1e6:.0f} MB",
            )
            yield from _listing(server, effort)


def _listing(server: Server, effort: Effort) -> Iterator[Row]:
    """The latency of a pair that sends messages while another client lists accounts."""
    lister, sender, recipient = (
        log_in(server.port, name) for name in ("lister", "sender", "recipient")
    )
    frame = encode_send("sender", "recipient", TEXT)
    sends, lists = client_decoder(1 << 20), client_decoder(1 << 30)
    for turn, pattern in (("all", "*"), ("some", "*7*1*")):
        begin = time.perf_counter()
        lister.sendall(encode(LIST, pattern))
        trips: list[float] = []
        names: list[str] = []
        seconds = 0.0
        while not seconds:
            sent = time.perf_counter()
            sender.sendall(frame)
            _until_sent(sends, sender)
            trips.append(time.perf_counter() - sent)
            recipient.recv(1 << 16)
            while not seconds and select.select([lister], [], [], 0)[0]:
                for message in lists.feed(lister.recv(1 << 20)):
                    if isinstance(message, ListResponse):
                        names = list(message.names)
                        seconds = time.perf_counter() - begin
        yield Row(
            f"longest round trip of others during LIST {pattern}",
            max(trips) * 1e3,
            "ms",
            50.0,
            f"{turn}: {len(names):,} of {effort.accounts:,} names in {seconds * 1e3:.0f} ms,"
            f" {len(trips)} trips",
        )


def _until_sent(decoder: Decoder, sender: socket.socket) -> None:
    """Read until the echo of a SEND."""
    while not any(isinstance(message, Send) for message in decoder.feed(sender.recv(1 << 16))):
        pass
