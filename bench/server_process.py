"""Server processes: starting and stopping them, and what they use, by /proc of Linux."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SERVER_CPU, DRIVER_CPU = 0, 1
"""the processors of the server and the driver, if there are two"""
_START_SECONDS = 60
_STOP_SECONDS = 15
_ROOT = Path(__file__).resolve().parent.parent


def pin(cpu: int) -> None:
    """Run this process on one processor only, if there are several."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) > 1:
        os.sched_setaffinity(0, {available[cpu]})


class Server:
    """A server process, and the port that it listens on."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.pid = process.pid
        self.port = port


@contextmanager
def running(command: Sequence[str], folder: str) -> Iterator[Server]:
    """Start a server, wait until it prints its port, and terminate it afterwards, by its pid."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: pin(SERVER_CPU),
    )
    watchdog = threading.Timer(_START_SECONDS, process.kill)
    watchdog.start()
    try:
        output = []
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            listening = re.search(r"listening on \S+:(\d+)", line)
            if listening:
                break
        else:
            raise RuntimeError(f"{command[0]} did not start:\n{''.join(output)}")
        watchdog.cancel()
        threading.Thread(target=_drain, args=(process,), daemon=True).start()
        yield Server(process, int(listening[1]))
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _drain(process: subprocess.Popen[str]) -> None:
    """Read the output to its end, so that the process never waits to write."""
    assert process.stdout is not None
    for _ in process.stdout:
        pass


def relay() -> list[str]:
    """The command of the bare relay."""
    return [sys.executable, "-m", "bench.bare_relay"]


def broadcast(size: int) -> list[str]:
    """The command of the bare broadcast of messages of `size` bytes."""
    return [sys.executable, "-m", "bench.bare_broadcast", str(size)]


def chatd(store: str) -> list[str]:
    """The command of the daemon with this store (`--store`) and no limit on the rate."""
    run = "from twisted.scripts.twistd import run; run()"
    twistd = [sys.executable, "-c", run, "-n", "--pidfile="]
    return [*twistd, "chatd", "--port", "0", "--rate", "none", "--store", store]


def cpu_seconds(pid: int) -> float:
    """The processor time that all threads of a process have used, in seconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total / 1e9


def memory_bytes(pid: int) -> int:
    """The memory of a process (its proportional set size)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Pss in smaps_rollup")
