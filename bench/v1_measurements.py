"""The measurements in version 1: pairs, a room, waiting messages after a login, and the return of
many sessions after a restart."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace

from argon2 import PasswordHasher

from bench.chat10_driver import text_size
from bench.fill_store import fill_sessions
from bench.harness import WINDOWS, Effort, Row, drive, load_of, server_of
from bench.load import Result
from bench.reconnect_driver import ReconnectLoad
from bench.server_process import Server, broadcast, chatd, running
from bench.v1_driver import ResumeLoad, RoomLoad, pushed_size

MEMBERS = 200
WAITING = 10_000
_PAIRS_TARGETS = {("durable", 1): 2.5, ("durable", 16): 4.5}
_ROOM_TARGET = 1.3
_CHAT10_TARGET = 1.5
_RESUME_TARGET = 1.0
_RECONNECT_TARGET = 60.0
_RECONNECT_ENTRIES = 10
_SUSTAINED_TARGET = 3.5


def pairs(effort: Effort) -> Iterator[Row]:
    """Processor time per message, relative to the relay; with a key, `Accepted`, acknowledged."""
    results: dict[tuple[str, int], list[Result]] = {}
    for _ in range(effort.rounds):
        for kind in ("relay", "memory", "durable"):
            for window in WINDOWS:
                with server_of(kind) as server:
                    load = load_of(server, effort, window=window, echo=kind != "relay", prefix="c")
                    program = () if kind == "relay" else ("bench.v1_driver", "pairs")
                    results.setdefault((kind, window), []).append(drive(load, *program))
    for window in WINDOWS:
        for kind in ("memory", "durable"):
            yield _ratio(
                f"version 1, {kind}, {window} in flight",
                "x relay",
                results[kind, window],
                results["relay", window],
                _PAIRS_TARGETS.get((kind, window)),
            )


def rooms(effort: Effort) -> Iterator[Row]:
    """Processor time per delivery to a room, relative to a bare broadcast of the same size."""
    size = pushed_size()
    for window in WINDOWS:
        bare: list[Result] = []
        durable: list[Result] = []
        for _ in range(effort.rounds):
            with running(broadcast(size), ".") as server:
                load = _room_load(server, effort, window, size)
                bare.append(drive(load, "bench.v1_driver", "broadcast"))
            with server_of("durable") as server:
                load = _room_load(server, effort, window, size)
                durable.append(drive(load, "bench.v1_driver", "room"))
        yield _ratio(
            f"a room of {MEMBERS}, durable, {window} in flight",
            "x bare",
            durable,
            bare,
            _ROOM_TARGET,
        )


def chat10_rooms(effort: Effort) -> Iterator[Row]:
    """The same in CHAT/1.0, which acknowledges for its clients what has arrived."""
    size = text_size()
    for window in WINDOWS:
        bare: list[Result] = []
        durable: list[Result] = []
        for _ in range(effort.rounds):
            with running(broadcast(size), ".") as server:
                load = _room_load(server, effort, window, size)
                bare.append(drive(load, "bench.v1_driver", "broadcast"))
            with server_of("durable") as server:
                load = _room_load(server, effort, window, size)
                durable.append(drive(load, "bench.chat10_driver", "room"))
        what = f"CHAT/1.0, a room of {MEMBERS}, durable, {window} in flight"
        yield _ratio(what, "x bare", durable, bare, _CHAT10_TARGET)


def _room_load(server: Server, effort: Effort, window: int, size: int) -> RoomLoad:
    return RoomLoad(server.port, server.pid, MEMBERS, window, effort.seconds, size)


def _ratio(
    what: str, unit: str, runs: list[Result], units: list[Result], target: float | None
) -> Row:
    """A row with the median of the ratios of the rounds."""
    ratios = [run.cpu / bare.cpu for run, bare in zip(runs, units, strict=True)]
    cpu, rate, p50, p99 = (
        statistics.median(getattr(run, field) for run in runs)
        for field in ("cpu", "rate", "p50", "p99")
    )
    bare_cpu = statistics.median(bare.cpu for bare in units)
    note = f"{cpu:.2f} us (bare {bare_cpu:.2f}), {rate:,.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    return Row(what, statistics.median(ratios), unit, target, note)


def resume(effort: Effort) -> Iterator[Row]:
    """The time from the login to the last of many waiting messages."""
    with server_of("durable") as server:
        result = drive(ResumeLoad(server.port, server.pid, WAITING), "bench.v1_driver", "resume")
    yield Row(
        f"{WAITING:,} waiting messages after logging in", result.p50 / 1e3, "s", _RESUME_TARGET
    )


def sustained(effort: Effort) -> Iterator[Row]:
    """Processor time per message of a long run, in which the indexes of the store grow."""
    window = WINDOWS[-1]
    for protocol, program in (("classic", ()), ("version 1", ("bench.v1_driver", "pairs"))):
        bare: list[Result] = []
        durable: list[Result] = []
        for kind, runs in (("relay", bare), ("durable", durable)):
            with server_of(kind) as server:
                echo = kind != "relay"
                load = load_of(server, effort, window=window, echo=echo, prefix="s")
                load = replace(load, messages=effort.sustained)
                runs.append(drive(load, *(program if echo else ())))
        what = f"{protocol}, durable, {effort.sustained:,} messages, {window} in flight"
        yield _ratio(what, "x relay", durable, bare, _SUSTAINED_TARGET)


def reconnect(effort: Effort) -> Iterator[Row]:
    """The time from a restart until many sessions of accounts with passwords are back, by resume
    tokens and with every entry; beside it what hashing the passwords would take."""
    hasher = PasswordHasher()
    password = hasher.hash("a password")
    begin = time.process_time()
    hasher.verify(password, "a password")
    hashing = effort.sessions * (time.process_time() - begin)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "chatd.db")
        now = int(time.time() * 1000)
        fill_sessions(path, effort.sessions, _RECONNECT_ENTRIES, password, now)
        with running(chatd(f"sqlite:{path}"), folder) as server:
            load = ReconnectLoad(server.port, server.pid, effort.sessions, _RECONNECT_ENTRIES)
            result = drive(load, "bench.reconnect_driver")
    yield Row(
        f"{effort.sessions:,} sessions with passwords back after a restart",
        result.p99 / 1e3,
        "s",
        _RECONNECT_TARGET,
        f"half after {result.p50 / 1e3:.1f} s, {result.cpu:.0f} us each, "
        f"{result.messages:,} entries; the passwords' hashes would take {hashing / 60:.0f} min",
    )
