"""The store in memory: commits at once, and loses everything when the daemon stops."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from chatd.core.entries import ERASED, Entry
from chatd.core.errors import Conflict, Exists, Refused, UnknownLog
from chatd.core.names import OPERATOR_LOGS, is_mailbox, is_room
from chatd.stores import (
    LIMITED_KINDS,
    PAGE_BYTES,
    SCAN_LIMIT,
    Append,
    Change,
    CreateLog,
    Document,
    DropLog,
    Erase,
    Forget,
    Position,
    Quota,
    RenameLog,
    RequireLog,
    RequireSpace,
    Save,
    StateChange,
)
from chatd.stores.batches import Batch, Batches, full, resend
from chatd.stores.memory_documents import MemoryDocuments, Undo
from chatd.stores.memory_log import MemoryLog

_COUNT_EVERY, _LONG_TEXT = 64, 65_536
"""entries after which those of a log are counted again, if quotas are greater than they can take;
and the characters of a long one"""


class MemoryStore(Batches):
    """`Store` without a disk, for tests, trials and chats that need not survive a restart."""

    ephemeral = True
    newest = (0, 0)

    def __init__(self, quota: Quota = Quota()) -> None:  # noqa: B008  # It is immutable.
        super().__init__()
        self._quota = quota
        limits = [limit for limit in (quota.mailbox, quota.sender) if limit is not None]
        # A log that takes less has met no quota.
        self._least = min(limits, default=sys.maxsize)
        self._count_every = max(1, min(_COUNT_EVERY, self._least // _LONG_TEXT))
        self._logs: dict[str, MemoryLog] = {}
        self.documents = MemoryDocuments()
        """the documents"""
        self._positions: dict[int, dict[str, Position]] = {}
        self._flushing = False

    def start(self) -> None:
        """See `Store.start`; there is nothing to open."""

    def stop(self) -> Deferred[None]:
        """See `Store.stop`; everything is committed already."""
        return succeed(None)

    @property
    def backlog(self) -> int:
        """See `Store.backlog`; computed on request, because the queue is nearly always empty."""
        if not self._open:
            return 0
        return sum(len(item.body) for item in self._open if isinstance(item, Append))

    def append(self, appends: Sequence[Append]) -> None:
        """See `Store.append`."""
        self._open += appends

    def flush(self) -> None:
        """Commit at once.

        Answering a batch may queue further appends; the loop ends when the queue is empty.
        """
        if self._flushing:
            return
        self._flushing = True
        try:
            while self._open:
                batch = self._take_open()
                self._commit(batch)
                self._answer(batch)
        finally:
            self._flushing = False

    def _commit(self, batch: Batch) -> None:
        name = sender = None
        met = ""
        large = False
        characters = 0
        for item in batch:
            if not isinstance(item, Append):
                name = None
                try:
                    item.outcome = item.run(self)
                except Refused:
                    item.outcome = Failure()
                continue
            characters += len(item.body)
            # Most bursts go to one log. Its senders are told apart only if it may be full.
            if item.log is not name or (large and item.sender is not sender):
                found = self._logs.get(item.log)
                if found is None:
                    item.refusal = UnknownLog()
                    name = None
                    continue
                log = found
                name, sender = item.log, item.sender
                entries = log.entries
                seq = log.trimmed + len(entries)
                large = len(entries) >= log.count_at and self._may_be_full(log)
                met = self._quota_met(name, log, item.author) if large else ""
            seq += 1
            if item.key is not None:
                key = (item.author or item.sender, item.key)
                first_seq = log.keys.setdefault(key, seq)
                if first_seq != seq:
                    seq -= 1
                    entry = entries[first_seq - log.trimmed - 1]
                    assert entry is not None
                    resend(item, entry)
                    continue
            if met and item.kind in LIMITED_KINDS:
                if item.key is not None:
                    del log.keys[key]
                seq -= 1
                item.refusal = full(item.log, met, self._quota)
                continue
            item.seq = seq
            entries.append(
                Entry(
                    seq,
                    item.id,
                    item.time,
                    item.sender,
                    item.kind,
                    item.body,
                    item.about,
                    item.author,
                )
            )
        counts = self.counts
        counts.batches += 1
        counts.characters += characters

    def _may_be_full(self, log: MemoryLog) -> bool:
        """Count the entries of a log; whether they take as much as the least quota."""
        log.count()
        if log.size < self._least:
            log.count_at = len(log.entries) + self._count_every
            return False
        log.count_at = 0
        return True

    def _quota_met(self, name: str, log: MemoryLog, author: int) -> str:
        """The field of `chatd.core.limits.Limits` that an author has met in a log, empty if none. A
        burst of one sender to one log is stored as a whole, and so is one of several senders to a
        log that takes less than the least quota."""
        quota = self._quota
        mailbox = is_mailbox(name)
        if quota.sender is not None and author and (mailbox or is_room(name)):
            stored = log.size_of(author) if log.size >= quota.sender else 0
            if stored >= quota.sender:
                return "sender_bytes"
        if quota.mailbox is not None and mailbox and log.size >= quota.mailbox:
            return "" if name in OPERATOR_LOGS else "mailbox_bytes"
        return ""

    def read(self, log: str, after: int, limit: int) -> Deferred[list[Entry]]:
        """See `Store.read`."""

        def run(_: object) -> list[Entry]:
            stored = self._logs.get(log)
            if stored is None:
                return []
            start = max(0, after - stored.trimmed)
            page: list[Entry] = []
            size = 0
            for entry in filter(None, islice(stored.entries, start, None)):
                size += len(entry.body)
                if len(page) == limit or (page and size > PAGE_BYTES):
                    break
                page.append(entry)
            return page

        return self._call(run)

    def head(self, log: str) -> Deferred[int]:
        """See `Store.head`."""
        return self._call(lambda _: self._logs[log].head if log in self._logs else 0)

    def has_key(self, log: str, author: int, key: str) -> Deferred[bool]:
        """See `Store.has_key`."""
        return self._call(lambda _: log in self._logs and (author, key) in self._logs[log].keys)

    def trim(self, log: str, upto: int) -> Deferred[None]:
        """See `Store.trim`."""

        def run(_: object) -> None:
            stored = self._logs.get(log)
            if stored is not None:
                count = max(0, min(upto, stored.head) - stored.trimmed)
                if count:
                    stored.remove(count)

        return self._call(run)

    def discard(self, log: str, first: int, last: int) -> None:
        """See `chatd.stores.Discarding`."""

        def run(_: object) -> None:
            stored = self._logs.get(log)
            if stored is not None:
                start = max(first, stored.trimmed + 1)
                end = min(last, stored.head)
                if start <= end:
                    stored.discard(start, end)

        self._call(run)

    def write(self, changes: Sequence[Change]) -> Deferred[list[int]]:
        """See `Store.write`."""
        return self._call_write(changes, MemoryStore._apply)

    def _apply(self, changes: Sequence[StateChange]) -> list[int]:
        """Make all changes or none; the new versions. Raises `Exists`, `Conflict`."""
        undo: Undo = []
        try:
            return [self._apply_one(change, undo) for change in changes]
        except Refused:
            for function in reversed(undo):
                function()
            raise

    def _apply_one(self, change: StateChange, undo: Undo) -> int:
        """Make one change, and add to `undo` what undoes it; the new version, 0 if there is none.

        Raises `Exists`, `Conflict`.
        """
        match change:
            case CreateLog(log):
                if log in self._logs:
                    raise Exists()
                self._logs[log] = MemoryLog()
                undo.append(lambda: self._logs.pop(log))
            case DropLog(log):
                dropped = self._logs.pop(log, None)
                if dropped is not None:
                    undo.append(lambda: self._logs.update({log: dropped}))
                    for account in [a for a, logs in self._positions.items() if log in logs]:
                        self._forget(account, log, undo)
            case RenameLog(log, name):
                if name in self._logs:
                    raise Exists()
                if log not in self._logs:
                    raise Conflict()
                self._rename(log, name)
                undo.append(lambda: self._rename(name, log))
            case RequireLog(log):
                if log not in self._logs:
                    raise Conflict()
            case RequireSpace(log, author):
                stored = self._logs.get(log)
                full_log = stored is not None and self._may_be_full(stored)
                met = self._quota_met(log, stored, author) if stored and full_log else ""
                if met:
                    raise full(log, met, self._quota)
            case Erase(log, seq):
                self._erase(log, seq, undo)
            case Save(position):
                self._forget(position.account, position.log, undo)
                undo[-1]()
                self._save(position)
            case Forget(account, log):
                self._forget(account, log, undo)
            case _:
                return self.documents.apply(change, undo)
        return 0

    def _rename(self, log: str, name: str) -> None:
        """Give a log and its positions another name."""
        self._logs[name] = self._logs.pop(log)
        for logs in self._positions.values():
            if log in logs:
                logs[name] = msgspec.structs.replace(logs.pop(log), log=name)

    def _erase(self, log: str, seq: int, undo: Undo) -> None:
        """Take the text from an entry, and add to `undo` what undoes it."""
        stored = self._logs.get(log)
        if stored is None or not stored.trimmed < seq <= stored.head:
            return
        at = seq - stored.trimmed - 1
        entry = stored.entries[at]
        if entry is not None:
            stored.replace(at, msgspec.structs.replace(entry, kind=ERASED, body=""))
            undo.append(lambda: stored.replace(at, entry))

    def _save(self, position: Position) -> None:
        if position.log in self._logs:
            logs = self._positions.setdefault(position.account, {})
            stored = logs.get(position.log, position)
            logs[position.log] = stored.merged(position)

    def _forget(self, account: int, log: str, undo: Undo) -> None:
        """Delete a position, and add to `undo` what undoes it."""
        logs = self._positions.get(account, {})
        stored = logs.pop(log, None)
        if not logs:
            self._positions.pop(account, None)

        def restore() -> None:
            self._positions.get(account, {}).pop(log, None)
            if stored is not None:
                self._positions.setdefault(account, {})[log] = stored
            elif not self._positions.get(account, True):
                del self._positions[account]

        undo.append(restore)

    def save(self, positions: Sequence[Position]) -> Deferred[None]:
        """See `Store.save`."""

        def run(_: object) -> None:
            for position in positions:
                self._save(position)

        return self._call(run)

    def positions(self, account: int, log: str | None = None) -> Deferred[Sequence[Position]]:
        """See `Store.positions`."""

        def run(_: object) -> list[Position]:
            positions = self._positions.get(account, {})
            if log is None:
                return list(positions.values())
            return [positions[log]] if log in positions else []

        return self._call(run)

    def get(self, kind: str, key: str, scope: str = "") -> Deferred[Document | None]:
        """See `Store.get`."""
        return self._call(lambda _: self.documents.get(kind, key, scope))

    def scan(
        self, kind: str, scope: str = "", after: str = "", limit: int = SCAN_LIMIT
    ) -> Deferred[list[Document]]:
        """See `Store.scan`."""
        return self._call(lambda _: self.documents.scan(kind, scope, after, limit))

    def count(self, kind: str, scope: str = "") -> Deferred[int]:
        """See `Store.count`."""
        return self._call(lambda _: self.documents.count(kind, scope))

    def page(
        self, kind: str, pattern: str, after: str, limit: int, scope: str = ""
    ) -> Deferred[list[str]]:
        """See `Store.page`."""
        return self._call(lambda _: self.documents.page(kind, scope, pattern, after, limit))

    def list(
        self, kind: str, pattern: str = "*", limit: int | None = None, scope: str = ""
    ) -> Deferred[list[str]]:
        """See `Store.list`."""
        return self._call(lambda _: self.documents.list(kind, scope, pattern, limit))
