"""What a connection asks of its transport besides Twisted's `ITCPTransport`: what has arrived."""

from __future__ import annotations

import socket
import sys
from typing import Any, Protocol, runtime_checkable

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import ISystemHandle


@runtime_checkable
class TrackedTransport(Protocol):
    """A transport that knows how far its output has come, in bytes since the connection began."""

    def bytes_written(self) -> int:
        """How many bytes have been written, including those that wait in this process."""

    def bytes_sent(self) -> int:
        """How many bytes have left this machine, or are about to: only those the peer can take."""

    def bytes_arrived(self) -> int:
        """How many bytes have reached the peer's kernel."""

    def longest_read(self) -> int:
        """How many bytes one call of `dataReceived` has at most; more may follow those."""

    def input_waits(self) -> bool:
        """Whether there is input that has not been read."""

    def close_resets(self) -> bool:
        """Whether closing now would reset the connection, so that the peer loses output that it has
        not read."""

    def hung_up(self) -> bool:
        """Whether the peer has closed, even if its last input has not been read."""


class UntrackedTransport:
    """The `TrackedTransport` of a transport that does not know what has arrived: everything has at
    once."""

    def __init__(self, transport: Any) -> None:
        self._handle: Any = ISystemHandle(transport, None)

    def bytes_written(self) -> int:
        """See `TrackedTransport`; 0, which has arrived in any case."""
        return 0

    def bytes_sent(self) -> int:
        """See `TrackedTransport`; more than anything that is written."""
        return sys.maxsize

    def bytes_arrived(self) -> int:
        """See `TrackedTransport`; more than anything that is written."""
        return sys.maxsize

    def longest_read(self) -> int:
        """See `TrackedTransport`."""
        return FileDescriptor.bufferSize

    def input_waits(self) -> bool:
        """See `TrackedTransport`; no, if the transport has no socket."""
        if self._handle is None:
            return False
        try:
            peeked = self._handle.getHandle().recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            # Nothing waits, or the connection is lost.
            return False
        return bool(peeked)

    def close_resets(self) -> bool:
        """See `TrackedTransport`. The kernel resets a unix socket with unread input, too."""
        return self.input_waits()

    def hung_up(self) -> bool:
        """See `TrackedTransport`; not known, so no."""
        return False


def tracked(transport: Any) -> TrackedTransport:
    """Return the transport if it is tracked, else an `UntrackedTransport`."""
    return transport if isinstance(transport, TrackedTransport) else UntrackedTransport(transport)
