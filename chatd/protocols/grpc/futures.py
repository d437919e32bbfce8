"""Coroutines and Deferreds of Twisted, awaitable by the event loop of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


def in_twisted(coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
    """Run a coroutine as a Twisted coroutine, awaitable by asyncio. It is finished even if the call
    is cancelled."""
    future = as_future(Deferred.fromCoroutine(coroutine))
    # A cancelled call does not ask for the outcome, and asyncio would log a refusal as an error.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return asyncio.shield(future)


def as_future(deferred: Deferred[T]) -> asyncio.Future[T]:
    """A Deferred as a future of the running event loop."""
    return deferred.asFuture(asyncio.get_running_loop())
