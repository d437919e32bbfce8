"""What every measurement needs: how much effort to make, a row of the report, servers, and
drivers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench.driver import Load, Result
from bench.process import Server, chatd, relay, running

PAIRS = 50
USERS = 5_000
WINDOWS = (1, 16)


@dataclass
class Effort:
    """How long and how often: seconds of each drive, rounds of each comparison, size of the
    past."""

    seconds: float = 3.0
    rounds: int = 3
    entries: int = 1_000_000
    accounts: int = 100_000
    users: int = USERS


@dataclass
class Row:
    """One line of the report. `target` is the greatest `value` that is good enough, if there is
    one."""

    what: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""


Measurement = Callable[[Effort], Iterator[Row]]


@contextmanager
def server_of(kind: str) -> Iterator[Server]:
    """A fresh relay, or a fresh daemon, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "relay": relay(),
            "memory": chatd("memory"),
            "durable": chatd(f"sqlite:{os.path.join(folder, 'chatd.db')}"),
        }
        with running(commands[kind], folder) as server:
            yield server


def load_of(server: Server, effort: Effort, *, window: int, echo: bool, prefix: str) -> Load:
    return Load(server.port, server.pid, PAIRS, window, effort.seconds, echo, prefix)


def drive(load: Any, *program: str) -> Result:
    """Run a driver, which takes `load` as JSON, in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", *(program or ("bench.driver",)), json.dumps(asdict(load))],
        stdout=subprocess.PIPE,
        timeout=180,
        check=True,
    )
    return Result(**json.loads(done.stdout))
