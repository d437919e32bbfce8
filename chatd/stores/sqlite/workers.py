"""The threads of the SQLite store, as workers: what each does, in steps, apart from its thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeAlias


class Worker(Protocol):
    """What one thread does: step after step, until a step returns False."""

    def ready(self) -> bool:
        """Whether `step` has something to do, so that it does not wait."""

    def step(self) -> bool:
        """Wait for something to do, and do it; return whether another step may follow."""


class WorkerThread(Protocol):
    """A worker that has been started."""

    def join(self) -> None:
        """Wait until the last step has been done."""


StartWorker: TypeAlias = Callable[[Worker, str], WorkerThread]
"""starts a worker; the text is the name of its thread"""


def start_thread(worker: Worker, name: str) -> WorkerThread:
    """Run a worker on a thread of its own, which does not keep the process alive."""

    def run() -> None:
        while worker.step():
            pass

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
