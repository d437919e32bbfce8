"""The unit for rooms: what comes from one connection goes to all, with one `transport.write` for
each message and each of them. No names, no parsing (all messages have the same size), nothing kept.

Usage: python -m bench.broadcast SIZE. The first byte of a connection is echoed: it is there.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol


class Broadcast(Protocol):
    """One of the crowd."""

    rest = b""
    factory: Any
    greeted = False

    def dataReceived(self, data: bytes) -> None:
        """Pass each message on to everyone."""
        transport: Any = self.transport
        if not self.greeted:
            self.greeted = True
            self.factory.crowd.append(transport)
            transport.write(data[:1])
            data = data[1:]
        data = self.rest + data
        size = self.factory.size
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            message = data[start : start + size]
            for transport in self.factory.crowd:
                transport.write(message)
        self.rest = data[whole:]


def main() -> None:
    """Serve until killed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    factory: Any = Factory.forProtocol(Broadcast)
    factory.size = int(sys.argv[1])
    factory.crowd = []
    port: Any = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    print(f"listening on 127.0.0.1:{port.getHost().port}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
