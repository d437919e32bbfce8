"""Which of the entries written to a connection have left this process, and which have arrived."""

from __future__ import annotations

from chatd.server.tracked_transport import TrackedTransport

_PRUNE_AT = 8


class WriteTracker:
    """Records where in the output stream each entry ends, until it has arrived.

    With an `UntrackedTransport` everything written counts as arrived.
    """

    __slots__ = ("_transport", "_writes", "written")

    def __init__(self, transport: TrackedTransport) -> None:
        self._transport = transport
        self.written = 0
        """bytes written in all"""
        # (where the write begins in the stream, the seq of its first entry, the size of each entry)
        self._writes: list[tuple[int, int, list[int]]] = []

    def record(self, size: int) -> None:
        """Record a write of `size` bytes without entries."""
        self.written += size

    def record_entries(self, first: int, sizes: list[int], size: int) -> None:
        """Record a write of `size` bytes: entries with successive seqs from `first`, of `sizes`."""
        self._writes.append((self.written, first, sizes))
        self.written += size
        if len(self._writes) > _PRUNE_AT:
            self._prune(self._transport.bytes_arrived())

    def reset(self) -> None:
        """Drop all records: what was written so far belongs to a session that has ended."""
        self._writes.clear()

    def unsent(self) -> list[int]:
        """Return the seqs of entries that have not been sent to the peer."""
        return self._ending_after(self._transport.bytes_sent()) if self._writes else []

    def not_arrived(self) -> list[int]:
        """Return the seqs of entries that have not reached the peer's kernel."""
        if not self._writes:
            return []
        arrived = self._transport.bytes_arrived()
        self._prune(arrived)
        return self._ending_after(arrived)

    def _ending_after(self, offset: int) -> list[int]:
        seqs = []
        for end, first, sizes in self._writes:
            for seq, size in enumerate(sizes, first):
                end += size
                if end > offset:
                    seqs.append(seq)
        return seqs

    def _prune(self, arrived: int) -> None:
        writes = self._writes
        if arrived >= self.written:
            writes.clear()
            return
        # If some of a write has arrived, all writes before it have.
        count = 0
        while count + 1 < len(writes) and writes[count + 1][0] <= arrived:
            count += 1
        del writes[:count]
