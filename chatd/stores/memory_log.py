"""One log of the store in memory: its entries with their keys, and what they take."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from chatd.core.entries import Entry
from chatd.stores import ENTRY_BYTES


class MemoryLog:
    """One log; `entries[0]` has the seq `trimmed` + 1, `keys` maps (author or sender, key) to
    seqs. A discarded entry is None. `size` is what the first entries take that were counted, as
    quotas count it, but for a text in characters; `by_author` has the same by author, once it is
    asked for. With `count_at` entries, they are to be counted again."""

    __slots__ = ("_counted", "by_author", "count_at", "entries", "keys", "size", "trimmed")

    def __init__(self) -> None:
        self.trimmed = 0
        self.entries: list[Entry | None] = []
        self.keys: dict[tuple[int | str, str], int] = {}
        self.size = 0
        self.count_at = 0
        self._counted = 0
        self.by_author: dict[int, int] | None = None

    @property
    def head(self) -> int:
        return self.trimmed + len(self.entries)

    def count(self) -> None:
        """Count all entries."""
        new = self.entries[self._counted :]
        self._counted = len(self.entries)
        self.size += _size(new)
        if self.by_author is not None:
            self._add(self.by_author, new)

    def _add(self, by_author: dict[int, int], entries: Sequence[Entry | None]) -> None:
        for entry in filter(None, entries):
            size = by_author.get(entry.author, 0) + len(entry.body) + ENTRY_BYTES
            by_author[entry.author] = size

    def size_of(self, author: int) -> int:
        """What the entries of an author take."""
        self.count()
        if self.by_author is None:
            self.by_author = {}
            self._add(self.by_author, self.entries)
        return self.by_author.get(author, 0)

    def remove(self, count: int) -> None:
        """Remove the oldest entries, with their keys."""
        self.count()
        entries = self.entries
        # The shorter part is counted, since one of them may be long.
        if count < len(entries) // 2:
            self._shrink(entries[:count])
        else:
            self.size = _size(entries[count:])
            self.by_author = None
        del entries[:count]
        self.trimmed += count
        self._counted = len(entries)
        self.count_at = 0
        # They are in the order of their seqs.
        removed = list(takewhile(lambda key: self.keys[key] <= self.trimmed, self.keys))
        for key in removed:
            del self.keys[key]

    def discard(self, first: int, last: int) -> None:
        """Remove the entries with these seqs, with their keys, and preserve the seqs of the
        others."""
        self.count()
        start, end = first - self.trimmed - 1, last - self.trimmed
        self._shrink(self.entries[start:end])
        self.entries[start:end] = [None] * (end - start)
        self.keys = {key: seq for key, seq in self.keys.items() if not first <= seq <= last}

    def _shrink(self, removed: Sequence[Entry | None]) -> None:
        """Count these entries no longer."""
        self.size -= _size(removed)
        if self.by_author is not None:
            for entry in filter(None, removed):
                self.by_author[entry.author] -= len(entry.body) + ENTRY_BYTES

    def replace(self, at: int, entry: Entry) -> None:
        """Put another entry of the same author in place of one."""
        former = self.entries[at]
        assert former is not None
        self.count()
        self._shrink([former])
        self.entries[at] = entry
        self.size += _size([entry])
        if self.by_author is not None:
            self._add(self.by_author, [entry])


def _size(entries: Sequence[Entry | None]) -> int:
    return sum([len(entry.body) + ENTRY_BYTES for entry in entries if entry is not None])
