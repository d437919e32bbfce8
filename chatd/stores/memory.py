"""The store in memory: commits at once, and loses everything when the daemon stops."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from chatd.core.entries import Entry
from chatd.core.errors import Conflict, Exists, Refused
from chatd.core.glob import matcher
from chatd.stores import PAGE_BYTES, Append, Document
from chatd.stores.batches import Batch, Batches, resend


class _Log:
    """One log; `entries[0]` has the seq `trimmed` + 1, `keys` maps (sender, key) to seqs."""

    __slots__ = ("entries", "keys", "trimmed")

    def __init__(self) -> None:
        self.trimmed = 0
        self.entries: list[Entry] = []
        self.keys: dict[tuple[str, str], int] = {}

    @property
    def head(self) -> int:
        return self.trimmed + len(self.entries)


class MemoryStore(Batches):
    """`Store` without a disk, for tests, trials and chats that need not survive a restart."""

    ephemeral = True

    def __init__(self) -> None:
        super().__init__()
        self._logs: dict[str, _Log] = {}
        self._documents: dict[str, dict[str, Document]] = {}
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
        name = None
        for item in batch:
            if not isinstance(item, Append):
                name = None
                try:
                    item.outcome = item.run(self)
                except Refused:
                    item.outcome = Failure()
                continue
            # Most bursts go to one log.
            if item.log is not name:
                name = item.log
                log = self._logs.get(name) or self._logs.setdefault(name, _Log())
                entries = log.entries
                seq = log.head
            seq += 1
            if item.key is not None:
                first_seq = log.keys.setdefault((item.sender, item.key), seq)
                if first_seq != seq:
                    seq -= 1
                    resend(item, entries[first_seq - log.trimmed - 1])
                    continue
            item.seq = seq
            entries.append(
                Entry(seq, item.id, item.time, item.sender, item.kind, item.body, item.about)
            )

    def read(self, log: str, after: int, limit: int) -> Deferred[list[Entry]]:
        """See `Store.read`."""

        def run(_: object) -> list[Entry]:
            stored = self._logs.get(log)
            if stored is None:
                return []
            start = max(0, after - stored.trimmed)
            page: list[Entry] = []
            size = 0
            for entry in stored.entries[start : start + limit]:
                size += len(entry.body)
                if page and size > PAGE_BYTES:
                    break
                page.append(entry)
            return page

        return self._call(run)

    def head(self, log: str) -> Deferred[int]:
        """See `Store.head`."""
        return self._call(lambda _: self._logs[log].head if log in self._logs else 0)

    def trim(self, log: str, upto: int) -> Deferred[None]:
        """See `Store.trim`."""

        def run(_: object) -> None:
            stored = self._logs.get(log)
            if stored is not None:
                count = max(0, min(upto, stored.head) - stored.trimmed)
                del stored.entries[:count]
                stored.trimmed += count
                stored.keys = {key: seq for key, seq in stored.keys.items() if seq > stored.trimmed}

        return self._call(run)

    def drop(self, log: str) -> Deferred[None]:
        """See `Store.drop`."""

        def run(_: object) -> None:
            self._logs.pop(log, None)
            for documents in self._documents.values():
                documents.pop(log.lower(), None)

        return self._call(run)

    def create(self, kind: str, key: str, body: bytes) -> Deferred[int]:
        """See `Store.create`."""

        def run(_: object) -> int:
            documents = self._documents.setdefault(kind, {})
            if key.lower() in documents:
                raise Exists()
            documents[key.lower()] = Document(key, 1, body)
            return 1

        return self._call(run)

    def get(self, kind: str, key: str) -> Deferred[Document | None]:
        """See `Store.get`."""
        return self._call(lambda _: self._documents.get(kind, {}).get(key.lower()))

    def update(self, kind: str, key: str, version: int, body: bytes) -> Deferred[int]:
        """See `Store.update`."""

        def run(_: object) -> int:
            document = self._expect(kind, key, version)
            self._documents[kind][key.lower()] = Document(document.key, version + 1, body)
            return version + 1

        return self._call(run)

    def delete(self, kind: str, key: str, version: int) -> Deferred[None]:
        """See `Store.delete`."""

        def run(_: object) -> None:
            self._expect(kind, key, version)
            del self._documents[kind][key.lower()]

        return self._call(run)

    def _expect(self, kind: str, key: str, version: int) -> Document:
        """The document, which must have this version. Raises `Conflict` if it has not."""
        document = self._documents.get(kind, {}).get(key.lower())
        if document is None or document.version != version:
            raise Conflict()
        return document

    def page(self, kind: str, pattern: str, after: str, limit: int) -> Deferred[list[str]]:
        """See `Store.page`."""

        def run(_: object) -> list[str]:
            matches = matcher(pattern)
            documents = self._documents.get(kind, {})
            later = sorted(
                key for key in documents if key > after.lower() and matches(documents[key].key)
            )
            return [documents[key].key for key in later[:limit]]

        return self._call(run)

    def list(self, kind: str, pattern: str = "*", limit: int | None = None) -> Deferred[list[str]]:
        """See `Store.list`."""

        def run(_: object) -> list[str]:
            keys = [document.key for document in self._documents.get(kind, {}).values()]
            return list(filter(matcher(pattern), keys))[:limit]

        return self._call(run)
