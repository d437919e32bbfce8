"""What the entries of each log take, in all and from each author, and which of them are full.

The writer adds up what a batch takes; it is written to the table with the index of entries
(`chatd.stores.sqlite.recent_entries`), some thousands at a time, and earlier if they take much
(`StoredBytes.count_at`). Only then is a quota compared, which may be exceeded by as much as that,
and by the batch that is committed meanwhile. Runs on the writer's thread.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence

from chatd.core.names import OPERATOR_LOGS, is_mailbox, is_room
from chatd.stores import ENTRY_BYTES, Quota

COUNT_AT = 8 * 1024 * 1024
"""how much may not be in the table before the next batch"""

_ALL = -1
"""stands for all authors of a log"""
_SIZE = f"sum(length(CAST(body AS BLOB)) + {ENTRY_BYTES})"
_AT_ONCE = 250
"""places in one statement"""


class StoredBytes:
    """The table `stored_bytes`. Logs are identified by their number in the table `logs`.

    It has the entries that are in the index, until maintenance has removed them.
    """

    def __init__(self, connection: sqlite3.Connection, quota: Quota) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._quota = quota
        self.full: set[tuple[int, int]] = set()
        """the numbers of logs, with the authors from whom they take no more; of the logs that are
        cached (`chatd.stores.sqlite.logs`)"""
        limits = [limit for limit in (quota.mailbox, quota.sender) if limit is not None]
        # A log that takes less has met no quota.
        self._least = min(limits, default=sys.maxsize)
        self.count_at = max(1, min(COUNT_AT, self._least // 4))
        """how much may be not counted before the next batch"""

    def quota_met(self, log: int, author: int) -> str:
        """The field of `chatd.core.limits.Limits` that is met by a further entry, empty if none."""
        if (log, author) in self.full:
            return "sender_bytes"
        return "mailbox_bytes" if (log, _ALL) in self.full else ""

    def load(self, log: int, name: str) -> None:
        """Find out from whom a log takes no more. `name` is the name of the log."""
        quota = self._quota
        if self._bytes(log, _ALL) < self._least:
            return
        if quota.sender is not None and (is_mailbox(name) or is_room(name)):
            for (author,) in self._execute(
                "SELECT author FROM stored_bytes WHERE log = ? AND author > 0 AND bytes >= ?",
                (log, quota.sender),
            ):
                self.full.add((log, author))
        limit = self._limit_in_all(name)
        if limit is not None and self._bytes(log, _ALL) >= limit:
            self.full.add((log, _ALL))

    def _limit_in_all(self, name: str) -> int | None:
        """What a log may take from all authors, given by its name; None: there is no limit."""
        return self._quota.mailbox if is_mailbox(name) and name not in OPERATOR_LOGS else None

    def _bytes(self, log: int, author: int) -> int:
        row = self._execute(
            "SELECT bytes FROM stored_bytes WHERE log = ? AND author = ?", (log, author)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def uncounted(self, placed: int) -> dict[tuple[int, int], int]:
        """What the entries after place `placed` take that have not been counted, by log and
        author."""
        return {
            (log, author): size
            for log, author, size in self._execute(
                f"SELECT log, author, {_SIZE} FROM entries WHERE place > ? AND place > ifnull("
                f"(SELECT s.upto FROM stored_bytes AS s WHERE s.log = entries.log"
                f" AND s.author = {_ALL}), 0) GROUP BY log, author",
                (placed,),
            )
        }

    def add(self, sizes: Mapping[int, Mapping[int, int]], upto: int) -> None:
        """Count entries, by log and author, in the open transaction; all entries of these logs up
        to the place `upto` are counted then."""
        rows = [
            (log, author, size, 0)
            for log, by_author in sizes.items()
            for author, size in by_author.items()
        ]
        rows += [(log, _ALL, sum(by_author.values()), upto) for log, by_author in sizes.items()]
        self._connection.executemany(
            "INSERT INTO stored_bytes (log, author, bytes, upto) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (log, author) DO UPDATE"
            " SET bytes = bytes + excluded.bytes, upto = max(upto, excluded.upto)",
            rows,
        )
        # Most logs take less than the least limit, and then there is nothing to look up.
        for log in self._large(list(sizes)):
            self._update(log, list(sizes[log]))

    def _large(self, logs: Sequence[int]) -> Iterator[int]:
        """Those of some logs that take as much as the least limit."""
        for start in range(0, len(logs), _AT_ONCE):
            part = logs[start : start + _AT_ONCE]
            for (log,) in self._execute(
                f"SELECT log FROM stored_bytes WHERE log IN ({','.join('?' * len(part))})"
                f" AND author = {_ALL} AND bytes >= ?",
                (*part, self._least),
            ):
                yield log

    def remove(self, log: int, places: Sequence[int]) -> None:
        """Count the entries of a log at these places no longer, before they are removed."""
        sizes: dict[int, int] = {}
        for author, size in self._sizes_at(places):
            sizes[author] = sizes.get(author, 0) + size
            sizes[_ALL] = sizes.get(_ALL, 0) + size
        for author, size in sizes.items():
            self._execute(
                "UPDATE stored_bytes SET bytes = bytes - ? WHERE log = ? AND author = ?",
                (size, log, author),
            )
            self._execute(
                "DELETE FROM stored_bytes WHERE log = ? AND author = ? AND bytes <= 0",
                (log, author),
            )
        if self.full:
            self._update(log, list(sizes))

    def counted_upto(self, log: int) -> int:
        """The place up to which the entries of a log have been counted, besides those in the
        index."""
        row = self._execute(
            "SELECT upto FROM stored_bytes WHERE log = ? AND author = ?", (log, _ALL)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def shrink(self, log: int, author: int, size: int) -> None:
        """Count that an entry, which has been counted, takes so much less."""
        self._execute(
            "UPDATE stored_bytes SET bytes = bytes - ? WHERE log = ? AND author IN (?, ?)",
            (size, log, author, _ALL),
        )
        if self.full:
            self._update(log, [author])

    def _sizes_at(self, places: Sequence[int]) -> Iterator[tuple[int, int]]:
        for start in range(0, len(places), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            yield from self._execute(
                f"SELECT author, {_SIZE} FROM entries WHERE place IN ({','.join('?' * len(part))})"
                " GROUP BY author",
                part,
            )

    def _update(self, log: int, authors: Sequence[int]) -> None:
        """Set from which of these authors a log takes no more, and whether from none."""
        row = self._execute("SELECT name FROM logs WHERE id = ?", (log,)).fetchone()
        name = "" if row is None else row[0]
        by_author = self._quota.sender if is_mailbox(name) or is_room(name) else None
        limits: dict[int, int | None] = {author: by_author for author in authors if author > 0}
        limits[_ALL] = self._limit_in_all(name)
        for author, limit in limits.items():
            if limit is not None and self._bytes(log, author) >= limit:
                self.full.add((log, author))
            else:
                self.full.discard((log, author))
