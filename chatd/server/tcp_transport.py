"""The TCP transport of our servers: it sends at once what can be sent at once, and knows what
arrived.

Twisted queues every write and asks the reactor for a write event: two calls of epoll_ctl and a turn
of the loop for each message. Here a write goes to the socket directly when nothing is queued before
it; what the kernel does not take is queued as ever.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import ITCPTransport

_LINUX = sys.platform.startswith("linux")
# Linux, tcp(7): bytes in the receive queue; in the send queue, not acknowledged by the peer; not
# even sent.
_SIOCINQ = 0x541B
_SIOCOUTQ = 0x5411
_SIOCOUTQNSD = 0x894B
_TCP_ESTABLISHED = 1
# A peer that is gone without a word is found out; and a socket is writable when all of it is on its
# way.
_TCP_OPTIONS = (
    ("TCP_KEEPIDLE", 30),
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 60_000),
    ("TCP_NOTSENT_LOWAT", 1),
)


class TrackedServer(tcp.Server):
    """A server-side connection."""

    watched = True
    """whether a write that only the kernel of this machine has taken counts as one that is not
    out"""
    _taken = 0
    _arrived: int | None = None

    def write(self, data: bytes) -> None:
        """Send, or queue what cannot be sent now; a streaming producer is paused while anything is
        queued."""
        if (
            self.TLS
            or self.dataBuffer
            or self._tempDataBuffer
            or not self.connected
            or self._writeDisconnected
        ):
            super().write(data)  # type: ignore[no-untyped-call]
            return
        try:
            sent = self.socket.send(data)
        except OSError:
            # Full, or broken: queued, and the reactor will run into it and report it in its own
            # time.
            sent = 0
        self._taken += sent
        full = sent < len(data)
        if full:
            super().write(data[sent:] if sent else data)  # type: ignore[no-untyped-call]
        elif self.watched and self._ask(_SIOCOUTQNSD):
            # The peer's window is closed: what only the kernel of this machine has may never get
            # out.
            full = True
            self.startWriting()  # type: ignore[no-untyped-call]
        if full:
            producer: Any = self.producer
            if producer is not None and self.streamingProducer and not self.producerPaused:
                self.producerPaused = True
                producer.pauseProducing()

    def writeSomeData(self, data: Any) -> Any:
        """As inherited; counts."""
        sent = super().writeSomeData(data)
        if isinstance(sent, int):
            self._taken += sent
        return sent

    def arrived(self) -> int:
        """How many of the bytes written have reached the peer's kernel, as far as can be known."""
        if self._arrived is not None:
            return self._arrived
        return max(0, self._taken - self._ask(_SIOCOUTQ))

    @property
    def handed(self) -> int:
        """How many bytes have been written, wherever they are."""
        return self._taken + len(self.dataBuffer) - self.offset + self._tempDataLen

    @property
    def taken(self) -> int:
        """How many of the bytes written are on their way to the peer, or there."""
        return self._taken - self._ask(_SIOCOUTQNSD)

    def input_waits(self) -> bool:
        """Whether something has come that was not read; closing now would break off the
        connection."""
        return self._ask(_SIOCINQ) > 0

    def hung_up(self) -> bool:
        """Whether the peer has closed, although we may not have read as far as that."""
        if not _LINUX or not self.connected:
            return not self.connected
        return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _TCP_ESTABLISHED

    def _ask(self, request: int) -> int:
        if not _LINUX or not self.connected:
            return 0
        try:
            return int(struct.unpack("i", fcntl.ioctl(self.socket, request, bytes(4)))[0])
        except OSError:
            return 0

    def connectionLost(self, reason: Any) -> None:
        """As inherited; after it the socket can no longer be asked, so ask it first."""
        if hasattr(self, "socket"):
            self._arrived = self.arrived()
        super().connectionLost(reason)


def tune(transport: Any) -> None:
    """Set a connection's socket up as a server wants it, if it has one."""
    if not ITCPTransport.providedBy(transport):
        return
    handle: socket.socket = transport.getHandle()  # type: ignore[attr-defined]
    # A unix socket's transport says that it is one as well.
    if handle.family in (socket.AF_INET, socket.AF_INET6):
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        for option, value in _TCP_OPTIONS:
            if hasattr(socket, option):
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
