"""What the measurements share: their effort, rows of the report, servers, and runs of drivers."""

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

from bench.load import Load, Result
from bench.server_process import Server, chatd, relay, running

PAIRS = 50
USERS = 5_000
WINDOWS = (1, 16)


@dataclass
class Effort:
    """How long and how often to measure.

    `seconds` of each run, `rounds` of each comparison; `entries` and `accounts` in a filled store,
    and `users` that are logged in; `sustained` messages of a long run; `sessions` that reconnect
    after a restart.
    """

    seconds: float = 3.0
    rounds: int = 3
    entries: int = 1_000_000
    accounts: int = 100_000
    sustained: int = 1_000_000
    users: int = USERS
    sessions: int = 15_000


@dataclass
class Row:
    """A row of the report; `target` is the greatest acceptable `value`, None if there is none."""

    what: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""


Measurement = Callable[[Effort], Iterator[Row]]


@contextmanager
def server_of(kind: str) -> Iterator[Server]:
    """A new relay, or a new daemon with a memory or a durable store, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "relay": relay(),
            "memory": chatd("memory"),
            "durable": chatd(f"sqlite:{os.path.join(folder, 'chatd.db')}"),
        }
        with running(commands[kind], folder) as server:
            yield server


def load_of(server: Server, effort: Effort, *, window: int, echo: bool, prefix: str) -> Load:
    """The load of pairs on a server."""
    return Load(server.port, server.pid, PAIRS, window, effort.seconds, echo, prefix)


def drive(load: Any, *program: str) -> Result:
    """Run a driver, the classic one unless another is given, in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-m", *(program or ("bench.classic_driver",)), json.dumps(asdict(load))],
        stdout=subprocess.PIPE,
        timeout=180,
        check=True,
    )
    return Result(**json.loads(process.stdout))
