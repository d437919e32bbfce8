"""A bot that answers: to what is said to it, and in rooms to what is said to it by name.

Usage: python examples/echo_bot.py NAME [chat://HOST[:PORT]] [ROOM ...]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from chatd.client import Pushed, connect


async def answer(reactor: Any, name: str, address: str, rooms: Sequence[str]) -> None:
    """Answer until the end of time."""
    bot = await connect(address, name, register=True, program="echo bot", reactor=reactor)
    for room in rooms:
        await bot.join(room)
    print(f"{bot.name} is listening", flush=True)
    async for event in bot.events():
        if not isinstance(event, Pushed) or event.kind != "text" or event.sender == bot.name:
            continue
        # With a key made from what is answered, nobody is answered twice, whatever dies in between.
        key = f"answer to {event.id}"
        if event.log.startswith("@"):
            await bot.send(event.sender, event.body, key=key)
        elif event.body.startswith(f"{bot.name}:"):
            text = event.body.partition(":")[2].strip()
            await bot.send(event.log, f"{event.sender}: {text}", key=key)


def main(
    reactor: Any, name: str, address: str = "chat://127.0.0.1:65432", *rooms: str
) -> Deferred[None]:
    """The bot, run by `react`."""
    return Deferred.fromCoroutine(answer(reactor, name, address, rooms))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    react(main, sys.argv[1:])
