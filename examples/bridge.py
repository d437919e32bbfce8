"""A bridge between two rooms, perhaps of two servers: what is said in one is said in the other as
well.

Usage: python examples/bridge.py NAME chat://HOST[:PORT] ROOM chat://HOST[:PORT] ROOM

The account NAME is made on both servers if there is none. Whatever happens to the servers, the
bridge or the network, nothing is lost, nothing doubled, and nothing goes round in circles.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from chatd.client import Client, Pushed, Refused, connect


async def carry(source: Client, target: Client, room: str, other_room: str) -> None:
    """Everything that is said in one room, to the other."""
    async for event in source.events():
        if not isinstance(event, Pushed) or event.kind != "text" or event.log != room.lower():
            continue
        # What the bridge itself has said came from the other side.
        if event.sender != source.name:
            # The entry is acknowledged when the loop goes on, so after this has been accepted.
            # Should the bridge die in between, it will carry the entry again, with the same key:
            # once in all.
            try:
                await target.send(
                    other_room, f"<{event.sender}> {event.body}", key=f"bridged {event.id}"
                )
            except Refused as refused:
                print(f"not carried to {other_room}: {refused}", file=sys.stderr, flush=True)


async def bridge(
    reactor: Any, name: str, address: str, room: str, other_address: str, other_room: str
) -> None:
    """Carry both ways."""
    here = await connect(address, name, register=True, program="bridge", reactor=reactor)
    there = await connect(other_address, name, register=True, program="bridge", reactor=reactor)
    await here.join(room)
    await there.join(other_room)
    print(f"{room} and {other_room} are one", flush=True)
    await gatherResults(
        [
            Deferred.fromCoroutine(carry(here, there, room, other_room)),
            Deferred.fromCoroutine(carry(there, here, other_room, room)),
        ]
    )


def main(reactor: Any, *arguments: str) -> Deferred[None]:
    """The bridge, run by `react`."""
    name, address, room, other_address, other_room = arguments
    return Deferred.fromCoroutine(bridge(reactor, name, address, room, other_address, other_room))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    react(main, sys.argv[1:])
