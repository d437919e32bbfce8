"""A bot that answers each message with the same text.

Usage: python examples/echo_bot.py NAME [chat://HOST[:PORT] [ROOM ...]]

The bot logs in as NAME; the account is registered if it does not exist. The default server is
chat://127.0.0.1:65432. It answers every private message and, in each ROOM, the messages that begin
with "NAME:". Each ROOM must exist; the command /create of the client creates one. If the server
cannot be reached or refuses a request, the bot prints the reason and ends with the status 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError
from twisted.internet.task import react
from twisted.python.failure import Failure

from chatd.client import Fatal, Pushed, Refused, connect


async def answer(reactor: Any, name: str, address: str, rooms: Sequence[str]) -> None:
    """Answer messages for as long as the server lets the bot in."""
    bot = await connect(address, name, register=True, program="echo bot", reactor=reactor)
    for room in rooms:
        await bot.join(room)
    print(f"{bot.name} is listening", flush=True)
    async for event in bot.events():
        if not isinstance(event, Pushed) or event.kind != "text" or event.sender == bot.name:
            continue
        # The key is made from the message that is answered: if the bot is killed before it
        # acknowledges that message, it answers again, and the server ignores the second answer.
        key = f"answer to {event.id}"
        if event.log.startswith("@"):
            await bot.send(event.sender, event.body, key=key)
        elif event.body.startswith(f"{bot.name}:"):
            text = event.body.partition(":")[2].strip()
            await bot.send(event.log, f"{event.sender}: {text}", key=key)


def explain(failure: Failure) -> None:
    """End the process with one sentence; another error is a bug and gets a traceback."""
    failure.trap(Refused, Fatal, ConnectError, TimeoutError, OSError, ValueError)
    sys.exit(failure.getErrorMessage())


def main(
    reactor: Any, name: str, address: str = "chat://127.0.0.1:65432", *rooms: str
) -> Deferred[None]:
    """Run the bot; called by `react`."""
    return Deferred.fromCoroutine(answer(reactor, name, address, rooms)).addErrback(explain)


if __name__ == "__main__":
    if sys.argv[1:] == ["--help"]:
        print(__doc__)
    elif len(sys.argv) < 2:
        sys.exit(__doc__)
    else:
        react(main, sys.argv[1:])
