"""Stores whose commits and failures a test controls."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import StoreUnavailable
from chatd.core.names import log_id
from chatd.stores import SCAN_LIMIT, Append, Change, Document, Position
from chatd.stores.memory import MemoryStore


class NullOrigin:
    """An origin that ignores its answers."""

    wants_receipts = False

    def __init__(self) -> None:
        self.answers: list[Append] = []

    def answer(self) -> None:
        """See `Origin.answer`; does nothing."""


NULL_ORIGIN = NullOrigin()


def flush_unavailable(test: SynchronousTestCase) -> None:
    """Accept failures of the store that were logged because their results were never awaited."""
    gc.collect()
    test.flushLoggedErrors(StoreUnavailable)


class HeldStore(MemoryStore):
    """A store that commits at once while `eager`, or else when the test calls `release`."""

    eager = True

    def flush(self) -> None:
        """See `Store.flush`."""
        if self.eager:
            super().flush()

    def release(self) -> None:
        """Commit what is waiting now, and answer it."""
        if self._open:
            batch = self._take_open()
            self._commit(batch)
            self._answer(batch)

    def crash(self) -> None:
        """Lose what was not committed, as when the daemon is killed; another one may start."""
        self._open = []
        self._calls = 0
        entries = [entry for log in self._logs.values() for entry in log.entries if entry]
        ids = [log_id(log) for log in self._logs] + [entry.id for entry in entries]
        times = [entry.time for entry in entries]
        self.newest = max([self.newest[0], *ids]), max([self.newest[1], *times])


class FailingDocumentStore(HeldStore):
    """A store that refuses to write while `writable` is false, and to read documents while
    `readable` is false.

    With `fail_after`, it refuses one write, after so many others.
    """

    writable = True
    readable = True
    fail_after: int | None = None
    attempts = 0

    def _write(self, call: Any, *arguments: Any) -> Deferred[Any]:
        self.attempts += 1
        assert self.attempts < 10_000, "tried again without a pause"
        fails = not self.writable
        if self.fail_after is not None:
            fails = fails or self.fail_after == 0
            self.fail_after = self.fail_after - 1 if self.fail_after else None
        written: Deferred[Any] = self._call(self._fail) if fails else call(*arguments)
        return written

    def _fail(self, _: object) -> Any:
        raise StoreUnavailable()

    def write(self, changes: Sequence[Change]) -> Deferred[list[int]]:
        """See `Store.write`."""
        return self._write(super().write, changes)

    def save(self, positions: Sequence[Position]) -> Deferred[None]:
        """See `Store.save`."""
        return self._write(super().save, positions)

    def get(self, kind: str, key: str, scope: str = "") -> Deferred[Document | None]:
        """See `Store.get`."""
        return super().get(kind, key, scope) if self.readable else self._call(self._fail)

    def scan(
        self, kind: str, scope: str = "", after: str = "", limit: int = SCAN_LIMIT
    ) -> Deferred[list[Document]]:
        """See `Store.scan`."""
        if not self.readable:
            return self._call(self._fail)
        return super().scan(kind, scope, after, limit)
