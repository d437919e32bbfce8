"""A bot that answers each message with the same text.

It answers every private message and, in each ROOM, the messages that begin with "NAME:". Each ROOM
must exist; the command /create of the client creates one. The account is registered if it does not
exist, with the password in the environment variable CHATD_PASSWORD if that is set.

An answer that the server refuses is reported on the error output: its recipient may block the bot,
or the text may have become too long. If the server cannot be reached at the start, or ends the
account's sessions, the bot prints the reason and ends with the status 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError
from twisted.internet.task import react
from twisted.python.failure import Failure

from chatd.client import Fatal, Pushed, Refused, connect


async def answer(name: str, address: str, rooms: Sequence[str]) -> None:
    """Answer messages for as long as the server lets the bot in."""
    password = os.environ.get("CHATD_PASSWORD")
    bot = await connect(address, name, password, register=True, program="echo bot")
    for room in rooms:
        await bot.join(room)
    print(f"{bot.name} is listening", flush=True)
    async for event in bot.events():
        if not isinstance(event, Pushed) or event.kind != "text" or event.sender == bot.name:
            continue
        if event.log.startswith("@"):
            recipient, text = event.sender, event.body
        elif event.body.startswith(f"{bot.name}:"):
            text = event.body.partition(":")[2].strip()
            recipient, text = event.log, f"{event.sender}: {text}"
        else:
            continue
        # The key is made from the message that is answered: if the bot is killed before it
        # acknowledges that message, it answers again, and the server ignores the second answer.
        try:
            await bot.send(recipient, text, key=f"answer to {event.id}")
        except Refused as refused:
            print(f"{event.sender} got no answer: {refused}", file=sys.stderr, flush=True)


def explain(failure: Failure) -> None:
    """End the process with one sentence; another error is a bug and gets a traceback."""
    failure.trap(Refused, Fatal, ConnectError, TimeoutError, OSError, ValueError)
    sys.exit(failure.getErrorMessage())


def main() -> None:
    """Run the bot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="the bot's account")
    parser.add_argument(
        "address",
        metavar="ADDRESS",
        nargs="?",
        default="chat://127.0.0.1:65432",
        help="chat://HOST[:PORT], or chats://HOST[:PORT] for TLS [%(default)s]",
    )
    parser.add_argument("rooms", metavar="ROOM", nargs="*", help="a room, such as #lobby")
    given = parser.parse_args()
    answering = answer(given.name, given.address, given.rooms)
    react(lambda reactor: Deferred.fromCoroutine(answering).addErrback(explain))


if __name__ == "__main__":
    main()
