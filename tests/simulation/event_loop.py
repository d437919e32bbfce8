"""The event loop of asyncio in which the gRPC service of a simulated daemon runs."""

from __future__ import annotations

import asyncio
from asyncio.events import _set_running_loop
from collections.abc import Callable
from contextvars import Context
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from tests.simulation.reactor import Schedule

logger = Logger(namespace="tests.simulation")


class SimulatedLoop:
    """Calls that are made by a `Schedule`: of the interface `asyncio.AbstractEventLoop` only what
    coroutines, tasks and futures need."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._loop: Any = self
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ready: list[asyncio.Handle] = []
        self.dead = False
        """whether the daemon has been killed: nothing is called any more"""

    def time(self) -> float:
        """See asyncio."""
        return self._schedule.now

    def get_debug(self) -> bool:
        """See asyncio."""
        return False

    def is_running(self) -> bool:
        """See asyncio."""
        return True

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """See asyncio."""
        handle = asyncio.Handle(callback, args, self._loop, context)
        if self.dead:
            self._ready.append(handle)
        else:
            self._schedule.after(0.0, lambda: self._run(handle))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See asyncio."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See asyncio."""
        handle = asyncio.TimerHandle(when, callback, args, self._loop, context)
        self._schedule.at(when, lambda: self._run(handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """See asyncio; the schedule finds out."""

    def create_future(self) -> asyncio.Future[Any]:
        """See asyncio."""
        return asyncio.Future(loop=self._loop)

    def create_task(
        self, coroutine: Any, *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """See asyncio."""
        task: asyncio.Task[Any] = asyncio.Task(
            coroutine, loop=self._loop, name=name, context=context
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """See asyncio: an error that nothing has handled."""
        if not self.dead:
            failure = Failure(context.get("exception", RuntimeError(context["message"])))
            logger.failure("An error reached the event loop", failure)

    def _run(self, handle: asyncio.Handle) -> None:
        reactor = self._schedule.reactor
        if self.dead or reactor is None:
            return
        _set_running_loop(self._loop)
        try:
            if not handle.cancelled():
                reactor.guarded(handle._run)
        finally:
            _set_running_loop(None)

    def dispose(self) -> None:
        """Cancel what a killed daemon has left."""
        self.dead = True
        for task in tuple(self._tasks):
            coroutine: Any = task.get_coro()
            if getcoroutinestate(coroutine) == CORO_CREATED:
                coroutine.close()
            task.cancel()
        _set_running_loop(self._loop)
        try:
            while self._ready:
                self._ready.pop(0)._run()
        finally:
            _set_running_loop(None)
