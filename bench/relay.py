"""The unit of measurement: the least that a Twisted server can do with a message.

Whatever comes from one end of a pair goes to the other, with one `transport.write` for each message. No
names, no parsing (all messages have the same size), no echo, nothing kept.

Usage: python -m bench.relay SIZE. The first 8 bytes of a connection are the key of its pair.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

KEY_SIZE = 8


class Relay(Protocol):
    """One end of a pair."""

    other: Relay | None = None
    key = b""
    rest = b""
    factory: Any

    def dataReceived(self, data: bytes) -> None:
        """Find the other end first; from then on pass on."""
        if self.rest:
            data = self.rest + data
        if not self.key:
            self.key = data[:KEY_SIZE]
            data = data[KEY_SIZE:]
            waiting = self.factory.waiting
            other = waiting.pop(self.key, None)
            if other is None:
                waiting[self.key] = self
            else:
                self.other, other.other = other, self
                other.dataReceived(b"")
        if self.other is None or self.other.transport is None:
            self.rest = data
            return
        size = self.factory.size
        whole = len(data) - len(data) % size
        write = self.other.transport.write
        for start in range(0, whole, size):
            write(data[start : start + size])
        self.rest = data[whole:]


def main() -> None:
    """Serve until killed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    factory: Any = Factory.forProtocol(Relay)
    factory.size = int(sys.argv[1])
    factory.waiting = {}
    port: Any = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    print(f"listening on 127.0.0.1:{port.getHost().port}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
