"""Processes under measurement: starting, stopping, and what they have used, by Linux's /proc."""

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
"""the processors that server and driver are kept on, if there are two"""
_START_SECONDS = 60
_STOP_SECONDS = 15
_ROOT = Path(__file__).resolve().parent.parent


def pin(cpu: int) -> None:
    """Keep this process on one processor, if there are several."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) > 1:
        os.sched_setaffinity(0, {available[cpu]})


class Server:
    """A process that said where it listens."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.pid = process.pid
        self.port = port


@contextmanager
def running(command: Sequence[str], folder: str) -> Iterator[Server]:
    """Start a server, wait until it prints where it listens, and end it (by its pid) afterwards."""
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
        said = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            found = re.search(r"listening on \S+:(\d+)", line)
            if found:
                break
        else:
            raise RuntimeError(f"{command[0]} did not start:\n{''.join(said)}")
        watchdog.cancel()
        threading.Thread(target=_drain, args=(process,), daemon=True).start()
        yield Server(process, int(found[1]))
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
    assert process.stdout is not None
    for _ in process.stdout:
        pass


def relay() -> list[str]:
    """The command of the relay."""
    return [sys.executable, "-m", "bench.relay"]


def chatd(store: str) -> list[str]:
    """The command of the daemon with this store (`--store`) and no bound on the rate."""
    run = "from twisted.scripts.twistd import run; run()"
    twistd = [sys.executable, "-c", run, "-n", "--pidfile="]
    return [*twistd, "chatd", "--port", "0", "--rate", "none", "--store", store]


def cpu_seconds(pid: int) -> float:
    """Processor time that the threads of a process have used."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total / 1e9


def memory_bytes(pid: int) -> int:
    """Memory that is a process's own (proportional set size)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Pss in smaps_rollup")
