"""The TCP transport of the daemon: sends at once what can be sent, and knows what has arrived.

Twisted queues every write and waits for the reactor to report that the socket is writable: two
calls of epoll_ctl and a turn of the event loop for each message. Here a write goes to the socket
directly if nothing is queued before it; what the kernel does not take is queued by Twisted.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import ITCPTransport

_LINUX = sys.platform == "linux"
# Requests of Linux's ioctl (tcp(7)): bytes in the receive queue; bytes in the send queue that the
# peer has not acknowledged; bytes in the send queue that have not even been sent.
_SIOCINQ = 0x541B
_SIOCOUTQ = 0x5411
_SIOCOUTQNSD = 0x894B
_ZERO = bytes(4)
_TCP_ESTABLISHED = 1


class TrackedServer(tcp.Server):
    """A server-side TCP connection. It is a `chatd.server.tracked_transport.TrackedTransport`."""

    _taken_by_kernel = 0
    _arrived_at_end: int | None = None

    def write(self, data: bytes) -> None:
        """Send `data`, or queue what cannot be sent now.

        A streaming producer is paused while anything is queued.
        """
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
            # Full, or broken: the data is queued, and the reactor meets and reports the same error.
            sent = 0
        self._taken_by_kernel += sent
        full = sent < len(data)
        if full:
            super().write(data[sent:] if sent else data)  # type: ignore[no-untyped-call]
        if full:
            producer: Any = self.producer
            if producer is not None and self.streamingProducer and not self.producerPaused:
                self.producerPaused = True
                producer.pauseProducing()

    def writeSomeData(self, data: Any) -> Any:
        """Write queued data to the socket, and count what the kernel takes."""
        sent = super().writeSomeData(data)
        if isinstance(sent, int):
            self._taken_by_kernel += sent
        return sent

    def bytes_written(self) -> int:
        """See `TrackedTransport`."""
        return self._taken_by_kernel + len(self.dataBuffer) - self.offset + self._tempDataLen

    def bytes_sent(self) -> int:
        """See `TrackedTransport`."""
        return self._taken_by_kernel - self._ioctl(_SIOCOUTQNSD)

    def bytes_arrived(self) -> int:
        """See `TrackedTransport`."""
        if self._arrived_at_end is not None:
            return self._arrived_at_end
        return max(0, self._taken_by_kernel - self._ioctl(_SIOCOUTQ))

    def longest_read(self) -> int:
        """See `TrackedTransport`."""
        return self.bufferSize

    def input_waits(self) -> bool:
        """See `TrackedTransport`."""
        return self._ioctl(_SIOCINQ) > 0

    def close_resets(self) -> bool:
        """See `TrackedTransport`. With unread input the kernel sends RST."""
        return self.input_waits()

    def hung_up(self) -> bool:
        """See `TrackedTransport`."""
        if not _LINUX or not self.connected:
            return not self.connected
        return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _TCP_ESTABLISHED

    def _ioctl(self, request: int) -> int:
        """Bytes in a queue of the kernel; 0 if the system does not tell."""
        if not _LINUX or not self.connected:
            return 0
        try:
            return int(struct.unpack("i", fcntl.ioctl(self.socket, request, _ZERO))[0])
        except OSError:
            return 0

    def connectionLost(self, reason: Any) -> None:
        """Record what has arrived, which a closed socket no longer tells, and close."""
        self._arrived_at_end = self.bytes_arrived()
        super().connectionLost(reason)


def tune(transport: Any) -> None:
    """Set the options of a TCP connection's socket as a server needs them."""
    if not ITCPTransport.providedBy(transport):
        return
    handle: socket.socket = transport.getHandle()  # type: ignore[attr-defined]
    # Transports of unix sockets provide ITCPTransport as well.
    if handle.family not in (socket.AF_INET, socket.AF_INET6):
        return
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    for option, value in (
        # A peer that disappears is noticed within a minute.
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 60_000),
        # The socket is writable only when everything in it has been sent.
        ("TCP_NOTSENT_LOWAT", 1),
    ):
        # Not every system has all of them.
        if hasattr(socket, option):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
