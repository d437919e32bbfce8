"""Which entries, of those written to a connection, have left this process, and which have
arrived."""

from __future__ import annotations

from typing import Any

_PRUNE_AT = 8


class WriteTracker:
    """Remembers for each write where in the stream each entry ended, until it has arrived.

    Transports other than `TrackedServer` are taken at their word: what was written has arrived.
    """

    __slots__ = ("_transport", "_waiting", "written")

    def __init__(self, transport: Any) -> None:
        self._transport = transport if hasattr(transport, "arrived") else None
        self.written = 0
        """bytes, of everything"""
        # (where the write began, the seq of its first entry, the size of each entry)
        self._waiting: list[tuple[int, int, list[int]]] = []

    def wrote(self, size: int) -> None:
        """Bytes that are not entries were written."""
        self.written += size

    def wrote_entries(self, first: int, sizes: list[int], size: int) -> None:
        """Entries with successive seqs from `first`, of these sizes, were written: `size` bytes in
        all."""
        if self._transport is not None:
            self._waiting.append((self.written, first, sizes))
            self.written += size
            if len(self._waiting) > _PRUNE_AT:
                self._prune(self._transport.arrived())

    def forget(self) -> None:
        """What was written until now is somebody else's concern."""
        self._waiting.clear()

    def unsent(self) -> list[int]:
        """The seqs of entries that the kernel has not taken."""
        return (
            self._after(self._transport.taken)
            if self._waiting and self._transport is not None
            else []
        )

    def unread(self) -> list[int]:
        """The seqs of entries that have not reached the peer's kernel."""
        if not self._waiting or self._transport is None:
            return []
        arrived = self._transport.arrived()
        self._prune(arrived)
        return self._after(arrived)

    def _after(self, offset: int) -> list[int]:
        seqs = []
        for at, first, sizes in self._waiting:
            for seq, size in enumerate(sizes, first):
                at += size
                if at > offset:
                    seqs.append(seq)
        return seqs

    def _prune(self, arrived: int) -> None:
        waiting = self._waiting
        if arrived >= self.written:
            waiting.clear()
            return
        # All of a write has arrived if some of the next one has.
        done = 0
        while done + 1 < len(waiting) and waiting[done + 1][0] <= arrived:
            done += 1
        del waiting[:done]
