"""Workers on threads of their own."""

from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from chatd.stores.sqlite.workers import start_thread


class CountingWorker:
    """A worker with some steps, which records the thread that runs them."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.threads: list[threading.Thread] = []

    def ready(self) -> bool:
        """See `Worker`."""
        return self.left > 0

    def step(self) -> bool:
        """See `Worker`."""
        self.threads.append(threading.current_thread())
        self.left -= 1
        return self.left > 0


class StartThreadTests(SynchronousTestCase):
    """`start_thread`."""

    def test_worker_steps_until_a_step_returns_false(self) -> None:
        """All on one thread, which ends then."""
        worker = CountingWorker(3)
        start_thread(worker, "chatd-test").join()
        self.assertEqual((worker.left, len(set(worker.threads))), (0, 1))
        self.assertFalse(worker.threads[0].is_alive())

    def test_thread_has_a_name_and_does_not_keep_the_process_alive(self) -> None:
        """A daemon that is killed does not wait for its threads."""
        worker = CountingWorker(1)
        start_thread(worker, "chatd-test").join()
        (thread,) = worker.threads
        self.assertIsNot(thread, threading.current_thread())
        self.assertEqual((thread.name, thread.daemon), ("chatd-test", True))
