"""A bridge between two rooms, on one or two servers: each message in one is sent to the other.

The bridge logs in as NAME on both servers; the accounts are registered if they do not exist, with
the password in the environment variable CHATD_PASSWORD if that is set. Both rooms must exist; the
command /create of the client creates one. For two rooms of one server, give the same ADDRESS twice.
Each bridge needs an account of its own.

A message arrives as "[bridged] <SENDER> TEXT", and one that begins with "[bridged] " is not sent
on: several bridges between the same rooms would otherwise pass it on to each other without end.

If a server, the bridge or the network fails later, no message is lost or sent twice. A message that
a server refuses, because it becomes too long, is reported on the error output. If a server cannot
be reached at the start, or the bridge is removed from a room, it prints the reason and ends with
the status 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from twisted.internet.defer import Deferred, FirstError, TimeoutError, gatherResults
from twisted.internet.error import ConnectError
from twisted.internet.task import react
from twisted.python.failure import Failure

from chatd.client import Client, Fatal, Left, Pushed, Refused, connect

MARK = "[bridged] "


async def forward(source: Client, routes: Mapping[str, tuple[Client, str]]) -> None:
    """Send on the messages in rooms of `source`. `routes` has, for each room in lower case, the
    client that sends on its messages and the room that they are sent to."""
    async for event in source.events():
        if isinstance(event, Left) and event.room.lower() in routes:
            raise Fatal(f"{source.name} is no longer a member of {event.room}")
        if not isinstance(event, Pushed) or event.kind != "text" or event.log not in routes:
            continue
        # The bridge's own messages came from the other room.
        if event.sender == source.name or event.body.startswith(MARK):
            continue
        target, room = routes[event.log]
        # The entry is acknowledged when the loop continues, that is after the message has been
        # accepted. If the bridge is killed in between, it gets the entry again and sends the
        # message with the same key, so that the server stores it once.
        try:
            await target.send(
                room, f"{MARK}<{event.sender}> {event.body}", key=f"bridged {event.id}"
            )
        except Refused as refused:
            print(f"not sent on to {room}: {refused}", file=sys.stderr, flush=True)


async def bridge(name: str, address: str, room: str, other_address: str, other_room: str) -> None:
    """Log in to both servers, join the rooms, and send on the messages of both."""
    password = os.environ.get("CHATD_PASSWORD")
    client = await connect(address, name, password, register=True, program="bridge")
    # Acknowledgements belong to the account: two clients of it would acknowledge for each other.
    other = client
    if other_address != address:
        other = await connect(other_address, name, password, register=True, program="bridge")
    await client.join(room)
    await other.join(other_room)
    print(f"{room} and {other_room} are connected", flush=True)
    there, back = {room.lower(): (other, other_room)}, {other_room.lower(): (client, room)}
    if other is client:
        await forward(client, there | back)
    else:
        both = [forward(client, there), forward(other, back)]
        await gatherResults(map(Deferred.fromCoroutine, both))


def explain(failure: Failure) -> None:
    """End the process with one sentence; another error is a bug and gets a traceback."""
    if isinstance(failure.value, FirstError):
        failure = failure.value.subFailure
    failure.trap(Refused, Fatal, ConnectError, TimeoutError, OSError, ValueError)
    sys.exit(failure.getErrorMessage())


def main() -> None:
    """Run the bridge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="the bridge's account on both servers")
    for which in ("first", "second"):
        address = f"chat://HOST[:PORT] of the {which} room, or chats://HOST[:PORT] for TLS"
        parser.add_argument(f"{which}_address", metavar="ADDRESS", help=address)
        parser.add_argument(f"{which}_room", metavar="ROOM", help=f"the {which} room")
    running = bridge(*vars(parser.parse_args()).values())
    react(lambda reactor: Deferred.fromCoroutine(running).addErrback(explain))


if __name__ == "__main__":
    main()
