"""Which of the entries written to a connection have arrived at the client."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence


class WriteTracker:
    """Records where in the output stream each entry ends, until it is taken as arrived."""

    __slots__ = ("_writes", "written")

    def __init__(self) -> None:
        self.written = 0
        """bytes written in all"""
        # (where the write ends in the stream, the log, the seq of its first entry, the size of each
        # entry)
        self._writes: deque[tuple[int, str, int, Sequence[int]]] = deque()

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

    @property
    def outstanding(self) -> bool:
        """Whether there are entries that have not been taken."""
        return bool(self._writes)

    def take(self, offset: int) -> Iterator[tuple[str, int, int]]:
        """Take the entries that end within the first `offset` bytes of the stream: (log, first seq,
        last seq), each once."""
        writes = self._writes
        while writes and writes[0][0] <= offset:
            _, log, first, sizes = writes.popleft()
            yield log, first, first + len(sizes) - 1
        if writes:
            end, log, first, sizes = writes[0]
            position = end - sum(sizes)
            count = 0
            for size in sizes:
                position += size
                if position > offset:
                    break
                count += 1
            if count:
                writes[0] = (end, log, first + count, sizes[count:])
                yield log, first, first + count - 1
