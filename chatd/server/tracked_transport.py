"""What a connection asks of its transport besides Twisted's `ITCPTransport`: what has arrived."""

from __future__ import annotations

import sys
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class TrackedTransport(Protocol):
    """A transport that knows how far its output has come, in bytes since the connection began."""

    def bytes_written(self) -> int:
        """How many bytes have been written, including those that wait in this process."""

    def bytes_sent(self) -> int:
        """How many bytes have left this machine, or are about to: only those the peer can take."""

    def bytes_arrived(self) -> int:
        """How many bytes have reached the peer's kernel."""

    def input_waits(self) -> bool:
        """Whether there is input that has not been read: closing would reset the connection."""

    def hung_up(self) -> bool:
        """Whether the peer has closed, even if its last input has not been read."""


class UntrackedTransport:
    """The `TrackedTransport` of a transport that knows nothing: everything has arrived at once."""

    def bytes_written(self) -> int:
        """See `TrackedTransport`; 0, which has arrived in any case."""
        return 0

    def bytes_sent(self) -> int:
        """See `TrackedTransport`; more than anything that is written."""
        return sys.maxsize

    def bytes_arrived(self) -> int:
        """See `TrackedTransport`; more than anything that is written."""
        return sys.maxsize

    def input_waits(self) -> bool:
        """See `TrackedTransport`; not known, so no."""
        return False

    def hung_up(self) -> bool:
        """See `TrackedTransport`; not known, so no."""
        return False


_UNTRACKED = UntrackedTransport()


def tracked(transport: Any) -> TrackedTransport:
    """Return the transport if it is tracked, else an `UntrackedTransport`."""
    return transport if isinstance(transport, TrackedTransport) else _UNTRACKED
