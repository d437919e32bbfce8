"""The baseline of the measurements: the least that a Twisted server can do with messages.

A message from one end of a pair is written to the other end: frames as Twisted parses them
(`Int32StringReceiver`: a length of four bytes, then the message), one `transport.write` for each.
There are no names, no echo and no storage.

Usage: python -m bench.bare_relay. The first frame of a connection is the key of its pair.
"""

from __future__ import annotations

import resource
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver


class Relay(Int32StringReceiver):
    """One end of a pair."""

    other: Relay | None = None
    key = b""
    factory: Any

    def __init__(self) -> None:
        self.early: list[bytes] = []

    def stringReceived(self, message: bytes) -> None:
        """Relay a message to the other end; the first one, the key, finds the other end."""
        if self.other is not None:
            self.other.sendString(message)  # type: ignore[no-untyped-call]
        elif self.key:
            self.early.append(message)
        else:
            self.key = message
            other = self.factory.waiting.pop(message, None)
            if other is None:
                self.factory.waiting[message] = self
            else:
                self.other, other.other = other, self
                for early in other.early:
                    self.sendString(early)  # type: ignore[no-untyped-call]


def frame(message: bytes) -> bytes:
    """The frame of a message."""
    return len(message).to_bytes(4) + message


def main() -> None:
    """Serve until the process is terminated."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    factory: Any = Factory.forProtocol(Relay)
    factory.waiting = {}
    port: Any = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    print(f"listening on 127.0.0.1:{port.getHost().port}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
