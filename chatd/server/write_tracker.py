"""Which of the entries written to a connection have arrived at the client."""

from __future__ import annotations

from collections.abc import Sequence


class WriteTracker:
    """Records where in the output stream each entry ends, until it is taken as arrived."""

    __slots__ = ("_writes", "written")

    def __init__(self) -> None:
        self.written = 0
        """bytes written in all"""
        # (where the write ends in the stream, the log, the seq of its first entry, the size of each
        # entry)
        self._writes: list[tuple[int, str, int, Sequence[int]]] = []

    def record(self, size: int) -> None:
        """Record a write of `size` bytes without entries."""
        self.written += size

    def record_entries(self, log: str, first: int, sizes: Sequence[int], size: int) -> None:
        """Record a write of `size` bytes: entries with successive seqs from `first`, of `sizes`.

        `log` is the name by which clients know their log.
        """
        self.written += size
        self._writes.append((self.written, log, first, sizes))

    def reset(self) -> None:
        """Drop all records: what was written so far belongs to a session that has ended."""
        self._writes.clear()

    def forget(self, log: str) -> None:
        """Drop the records of one log, whose name may be given to another."""
        self._writes = [write for write in self._writes if write[1] != log]

    @property
    def outstanding(self) -> bool:
        """Whether there are entries that have not been taken."""
        return bool(self._writes)

    def take(self, offset: int) -> list[tuple[str, int, int]]:
        """Take the entries that end within the first `offset` bytes of the stream: (log, first seq,
        last seq), each once."""
        taken: list[tuple[str, int, int]] = []
        writes = self._writes
        complete = 0
        for end, log, first, sizes in writes:
            if end > offset:
                count = _complete(sizes, offset - (end - sum(sizes)))
                if count:
                    writes[complete] = (end, log, first + count, sizes[count:])
                    taken.append((log, first, first + count - 1))
                break
            complete += 1
            taken.append((log, first, first + len(sizes) - 1))
        del writes[:complete]
        return taken


def _complete(sizes: Sequence[int], room: int) -> int:
    """How many of the first `sizes` together are not greater than `room`."""
    for count, size in enumerate(sizes):
        room -= size
        if room < 0:
            return count
    return len(sizes)
