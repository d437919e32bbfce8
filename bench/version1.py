"""The measurements of wire protocol version 1."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator

from bench.driver import Result
from bench.effort import WINDOWS, Effort, Row, drive, load_of, server_of
from bench.process import Server, running
from bench.wire import Crowd, Return, pushed_size

MEMBERS = 200
WAITING = 10_000
_PAIRS_TARGETS = {("durable", 1): 2.5, ("durable", 16): 4.5}
_ROOM_TARGET = 1.3
_RESUME_TARGET = 1.0


def pairs(effort: Effort) -> Iterator[Row]:
    """Processor time per message with a key, `accepted` and acknowledged, against the relay's."""
    results: dict[tuple[str, int], list[Result]] = {}
    for _ in range(effort.rounds):
        for kind in ("relay", "memory", "durable"):
            for window in WINDOWS:
                with server_of(kind) as server:
                    load = load_of(server, effort, window=window, echo=kind != "relay", prefix="c")
                    program = () if kind == "relay" else ("bench.wire", "pairs")
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
    """Processor time per delivery to a room, against a bare broadcast to as many connections."""
    for window in WINDOWS:
        bare: list[Result] = []
        durable: list[Result] = []
        for _ in range(effort.rounds):
            with running(
                [sys.executable, "-m", "bench.broadcast", str(pushed_size())], "."
            ) as server:
                bare.append(drive(_crowd(server, effort, window), "bench.wire", "broadcast"))
            with server_of("durable") as server:
                durable.append(drive(_crowd(server, effort, window), "bench.wire", "room"))
        yield _ratio(
            f"a room of {MEMBERS}, durable, {window} in flight",
            "x bare",
            durable,
            bare,
            _ROOM_TARGET,
        )


def _crowd(server: Server, effort: Effort, window: int) -> Crowd:
    return Crowd(server.port, server.pid, MEMBERS, window, effort.seconds, pushed_size())


def _ratio(
    what: str, unit: str, runs: list[Result], units: list[Result], target: float | None
) -> Row:
    ratios = [run.cpu / bare.cpu for run, bare in zip(runs, units, strict=True)]
    cpu, rate, p50, p99 = (
        statistics.median(getattr(run, field) for run in runs)
        for field in ("cpu", "rate", "p50", "p99")
    )
    bare_cpu = statistics.median(bare.cpu for bare in units)
    note = f"{cpu:.2f} us (bare {bare_cpu:.2f}), {rate:,.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    return Row(what, statistics.median(ratios), unit, target, note)


def resume(effort: Effort) -> Iterator[Row]:
    """From logging in to the last of many waiting messages."""
    with server_of("durable") as server:
        result = drive(Return(server.port, server.pid, WAITING), "bench.wire", "resume")
    yield Row(
        f"{WAITING:,} waiting messages after logging in", result.p50 / 1e3, "s", _RESUME_TARGET
    )
