"""Background tasks of the realm, and waiting for several answers at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from chatd.core.errors import Refused


class Tasks(msgspec.Struct, frozen=True):
    """How the realm works in the background.

    `spawn` runs a coroutine and logs its failure; `sleep` waits for some seconds.
    """

    spawn: Callable[[Coroutine[Any, Any, None]], object]
    sleep: Callable[[float], Awaitable[object]]


async def gather(*answers: Awaitable[Any]) -> list[Any]:
    """Await all of `answers` and return their results in order.

    If some of them are refused, the first refusal is raised, after all have been awaited.
    """
    results: list[Any] = []
    failure: Refused | None = None
    for answer in answers:
        try:
            results.append(await answer)
        except Refused as refused:
            failure = failure or refused
    if failure is not None:
        raise failure
    return results
