"""The load in CHAT/1.0: one client writes to the lobby, and all others receive it.

Usage: python -m bench.chat10_driver room JSON, a `RoomLoad` as an object; prints a `Result`.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from dataclasses import asdict

from bench.load import TEXT, Result, connect
from bench.server_process import DRIVER_CPU, pin
from bench.v1_driver import RoomLoad, rounds

_SENDER = "sender"
_REGISTERED = b"200 Registration successful\n"


def text_size() -> int:
    """The bytes of a message as a member receives it."""
    return len(f"@{_SENDER}: {TEXT}\n")


def _register(load: RoomLoad, name: str) -> socket.socket:
    """A connection whose client is registered, in the framing with lines."""
    connection = connect(load.port)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    connection.sendall(f"REGISTER {name} CHAT/1.0\n".encode())
    reply = b""
    while len(reply) < len(_REGISTERED):
        reply += connection.recv(len(_REGISTERED) - len(reply))
    if reply != _REGISTERED:
        raise RuntimeError(f"cannot register {name}: {reply!r}")
    return connection


def room(load: RoomLoad) -> Result:
    """The lobby. The sender does not get its own messages, so it is one more client."""
    members = [_register(load, f"m{number:04d}") for number in range(load.members)]
    sender = _register(load, _SENDER)
    epoll = select.epoll()
    by_descriptor = {member.fileno(): member for member in members}
    for descriptor in by_descriptor:
        epoll.register(descriptor, select.EPOLLIN)
    received = dict.fromkeys(by_descriptor, 0)

    def receive(descriptor: int) -> None:
        data = by_descriptor[descriptor].recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed a connection")
        received[descriptor] += len(data)

    data = f"{TEXT}\n".encode()
    return rounds(
        load,
        epoll,
        sender,
        lambda count: data * count,
        receive,
        lambda: min(received.values()) // load.size,
    )


if __name__ == "__main__":
    pin(DRIVER_CPU)
    print(json.dumps(asdict(room(RoomLoad(**json.loads(sys.argv[2]))))))
