"""Simulated threads: their work is done in steps, at times that the schedule decides."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from chatd.stores.sqlite.workers import Worker
from tests.simulation.reactor import Schedule


class Killed(BaseException):
    """The process dies at this point; raised inside a step of a thread."""


class Threads:
    """All threads of one daemon. `delay` is the greatest time in seconds that a step takes.

    `on_killed` is called when a step has raised `Killed`.
    """

    def __init__(self, schedule: Schedule, random: Random, on_killed: Callable[[], None]) -> None:
        self.schedule = schedule
        self.delay = 0.002
        self.dead = False
        self._random = random
        self._on_killed = on_killed
        self._running: list[SimulatedThread] = []

    def start_worker(self, worker: Worker, name: str) -> SimulatedThread:
        """See `chatd.stores.sqlite.workers.StartWorker`."""
        thread = SimulatedThread(self, worker)
        self._running.append(thread)
        self.poll()
        return thread

    def poll(self) -> None:
        """Schedule the next step of each thread that has something to do."""
        for thread in self._running:
            if not thread.scheduled and thread.worker.ready():
                thread.schedule_step()

    def ended(self, thread: SimulatedThread) -> None:
        """A thread has done its last step."""
        self._running.remove(thread)

    def step_delay(self) -> float:
        """How long the next step takes."""
        return self._random.random() * self.delay

    def call(self, function: Callable[[], None]) -> None:
        """Do a step."""
        if self.dead:
            return
        try:
            function()
        except Killed:
            self._on_killed()


class SimulatedThread:
    """A worker's thread."""

    def __init__(self, threads: Threads, worker: Worker) -> None:
        self._threads = threads
        self.worker = worker
        self.scheduled = False
        """whether the next step is on the schedule"""
        self._ended = False

    def schedule_step(self) -> None:
        """Do the next step after a while."""
        self.scheduled = True
        threads = self._threads
        threads.schedule.after(threads.step_delay(), lambda: threads.call(self._step))

    def _step(self) -> None:
        self.scheduled = False
        if not self._ended and self.worker.ready():
            self._do_step()
            self._threads.poll()

    def _do_step(self) -> None:
        if not self.worker.step():
            self._ended = True
            self._threads.ended(self)

    def join(self) -> None:
        """See `chatd.stores.sqlite.workers.WorkerThread`."""
        try:
            while not self._ended:
                assert self.worker.ready(), "a thread is joined that waits"
                self._do_step()
        except Killed:
            # This is a turn of the reactor, after which the machine notices it.
            self._ended = True


class PasswordThreads:
    """The thread pool in which passwords are hashed."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def start(self) -> None:
        """See `ThreadPool`."""

    def stop(self) -> None:
        """See `ThreadPool`."""

    def callInThreadWithCallback(
        self, on_result: Callable[[bool, Any], None], function: Callable[..., Any], *args: Any
    ) -> None:
        """See `ThreadPool`."""
        threads = self._threads
        threads.schedule.after(
            threads.step_delay(), lambda: threads.call(lambda: on_result(True, function(*args)))
        )


class PlainHasher:
    """Hashes that cost nothing and are the same every time."""

    def hash(self, password: str) -> str:
        """See `argon2.PasswordHasher`."""
        return f"$plain${password}"

    def verify(self, hashed: str, password: str) -> bool:
        """See `argon2.PasswordHasher`."""
        return hashed == self.hash(password)
