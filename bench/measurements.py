"""The table of measurements: each gives rows of the report."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator

from bench.classic_measurements import cost, memory, stored, users
from bench.harness import Effort, Measurement, Row
from bench.load import TEXT
from bench.v1_measurements import chat10_rooms, pairs, reconnect, resume, rooms, sustained


def sync(effort: Effort) -> Iterator[Row]:
    """The time of one sync of the disk that has the stores of this run."""
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
    "sustained": sustained,
    "rooms": rooms,
    "chat10": chat10_rooms,
    "resume": resume,
    "reconnect": reconnect,
    "memory": memory,
    "users": users,
    "stored": stored,
}
"""the measurements by the names of the option --only"""
