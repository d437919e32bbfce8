"""A bridge between two rooms, on one or two servers: each message in one is sent to the other.

Usage: python examples/bridge.py NAME chat://HOST[:PORT] ROOM chat://HOST[:PORT] ROOM

The bridge logs in as NAME on both servers; the accounts are registered if they do not exist. Both
rooms must exist; the command /create of the client creates one. If a server, the bridge or the
network fails later, no message is lost or sent twice. If a server cannot be reached at the start or
refuses a request, the bridge prints the reason and ends with the status 1.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, FirstError, TimeoutError, gatherResults
from twisted.internet.error import ConnectError
from twisted.internet.task import react
from twisted.python.failure import Failure

from chatd.client import Client, Fatal, Pushed, Refused, connect


async def forward(source: Client, target: Client, room: str, other_room: str) -> None:
    """Send every message in `room` of `source` to `other_room` of `target`."""
    async for event in source.events():
        if not isinstance(event, Pushed) or event.kind != "text" or event.log != room.lower():
            continue
        # The bridge's own messages came from the other room.
        if event.sender != source.name:
            # The entry is acknowledged when the loop continues, that is after the message has been
            # accepted. If the bridge is killed in between, it gets the entry again and sends the
            # message with the same key, so that the server stores it once.
            try:
                await target.send(
                    other_room, f"<{event.sender}> {event.body}", key=f"bridged {event.id}"
                )
            except Refused as refused:
                print(f"not forwarded to {other_room}: {refused}", file=sys.stderr, flush=True)


async def bridge(
    reactor: Any, name: str, address: str, room: str, other_address: str, other_room: str
) -> None:
    """Log in to both servers, join the rooms, and forward in both directions."""
    client = await connect(address, name, register=True, program="bridge", reactor=reactor)
    other = await connect(other_address, name, register=True, program="bridge", reactor=reactor)
    await client.join(room)
    await other.join(other_room)
    print(f"{room} and {other_room} are connected", flush=True)
    await gatherResults(
        [
            Deferred.fromCoroutine(forward(client, other, room, other_room)),
            Deferred.fromCoroutine(forward(other, client, other_room, room)),
        ]
    )


def explain(failure: Failure) -> None:
    """End the process with one sentence; another error is a bug and gets a traceback."""
    if isinstance(failure.value, FirstError):
        failure = failure.value.subFailure
    failure.trap(Refused, Fatal, ConnectError, TimeoutError, OSError, ValueError)
    sys.exit(failure.getErrorMessage())


def main(reactor: Any, *arguments: str) -> Deferred[None]:
    """Run the bridge; called by `react`."""
    name, address, room, other_address, other_room = arguments
    coroutine = bridge(reactor, name, address, room, other_address, other_room)
    return Deferred.fromCoroutine(coroutine).addErrback(explain)


if __name__ == "__main__":
    if sys.argv[1:] == ["--help"]:
        print(__doc__)
    elif len(sys.argv) != 6:
        sys.exit(__doc__)
    else:
        react(main, sys.argv[1:])
