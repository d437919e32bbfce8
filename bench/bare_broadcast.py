"""The baseline of the measurement of rooms: a message from one connection is written to all.

There is one `transport.write` for each message and recipient. There are no names, no parsing (all
messages have the same size) and no storage.

Usage: python -m bench.bare_broadcast SIZE. The first byte of a connection is echoed, which shows
that the connection is registered.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol


class Broadcast(Protocol):
    """One of the connections."""

    rest = b""
    factory: Any
    registered = False

    def dataReceived(self, data: bytes) -> None:
        """Write each complete message to all connections."""
        transport: Any = self.transport
        if not self.registered:
            self.registered = True
            self.factory.transports.append(transport)
            transport.write(data[:1])
            data = data[1:]
        data = self.rest + data
        size = self.factory.size
        complete = len(data) - len(data) % size
        for start in range(0, complete, size):
            message = data[start : start + size]
            for transport in self.factory.transports:
                transport.write(message)
        self.rest = data[complete:]


def main() -> None:
    """Serve until the process is terminated."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    factory: Any = Factory.forProtocol(Broadcast)
    factory.size = int(sys.argv[1])
    factory.transports = []
    port: Any = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    print(f"listening on 127.0.0.1:{port.getHost().port}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
