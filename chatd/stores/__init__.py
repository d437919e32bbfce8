"""The contract of a store: documents and logs, and nothing else.

A **document** is a small record under a kind and a key, changed by compare-and-set. Keys ignore the
case of ASCII letters and keep the spelling they were created with. A **log** is an append-only
sequence of entries, numbered by the store from 1 without gaps (`seq`). Its name is made by
`chatd.core.names`; to a store it is opaque, case-sensitive text.

What every back end must guarantee:

* **Order.** Appends and calls form one queue. A call sees the effect of everything queued before
  it, and nothing becomes durable before what was queued earlier. Results arrive on the reactor's
  thread in the order of the queue. `Store.page` and `Store.list` are outside the queue.
* **Durability.** An append is answered, and the awaitable of a change fires, after the change has
  been committed: it survives the kill of the daemon and, unless the store is `ephemeral`, a
  restart and a power failure. A group of appends may share one transaction with other calls.
* **Idempotence.** An append with a key is stored at most once while its entry exists. See
  `Store.append`. Documents are protected by their version. `trim` and `drop` may be repeated.
* **Errors.** A refused append carries a `Refused` in `Append.refusal`; a refused call fails with
  it. `StoreUnavailable` means that the disk or the server failed: the change was not made, and the
  same call may succeed later. A refusal concerns its own append or call only.
* **Other writers.** Callers may not assume that this daemon is the only writer: the store assigns
  seqs, and a document may have changed since it was read, which the compare-and-set reports.

Awaitables may be Deferreds, and callers may drop them without awaiting them. `OnlineBackup` is
optional. To add a back end: a package or module here, and a subclass of each class of
`tests.stores.contract`. Imports `chatd.core`; back ends also Twisted's Deferreds and their driver.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from chatd.core.entries import TEXT, Entry
from chatd.core.errors import Refused


class Document(msgspec.Struct, frozen=True):
    """A document as it was read; `update` and `delete` compare its `version`."""

    key: str
    version: int
    body: bytes


class Append(msgspec.Struct, gc=False):
    """One entry to be appended to a log and, after the commit, the store's answer.

    The store reads `log`, `id`, `time`, `sender`, `kind`, `body`, `about` (as in `Entry`) and `key`
    (chosen by the sender, so that it can send the entry again without storing it twice). It writes
    `seq`, or `refusal` if the entry was not stored. If the entry had been stored before under the
    same key, it sets `resent`, and `id` and `time` are those of the first time.

    The store does not use `origin`, which the realm notifies of the outcome.
    """

    log: str
    id: int
    time: int
    sender: str
    body: str
    origin: Origin
    kind: str = TEXT
    key: str | None = None
    about: int = 0
    seq: int = 0
    refusal: Refused | None = None
    resent: bool = False


class Origin(Protocol):
    """The sender of an `Append`, which is notified of its outcome."""

    answers: list[Append]
    """answered appends that `answer` has not taken yet, in the order in which they were sent"""
    wants_receipts: bool
    """whether the sender is also notified when recipients acknowledge what it sent"""

    def answer(self) -> None:
        """Take everything in `answers`, in order, and leave the list empty."""


class Store(Protocol):
    """What every back end provides. Any call may fail with `StoreUnavailable`."""

    ephemeral: bool
    """whether entries and documents are lost when the daemon stops; the realm then trims entries
    that were read, because they take memory"""
    committed: Callable[[Sequence[Append]], None]
    """called on the reactor's thread with each run of answered appends, in the order of the queue;
    set by the realm before the first append"""

    @property
    def backlog(self) -> int:
        """The length of the bodies accepted by `append` and not answered yet, in characters."""

    def start(self) -> None:
        """Open the store, before the reactor runs.

        Raises `StoreUnusable`, with a sentence for the operator, if it cannot be opened.
        """

    def stop(self) -> Awaitable[None]:
        """Commit and answer everything in the queue, then close the store."""

    def append(self, appends: Sequence[Append]) -> None:
        """Queue entries to be stored at the end of their logs, each with the next seq.

        Returns at once and never raises; `committed` is called after the commit. A log begins with
        its first entry. Appends queued together may be committed in several transactions.

        A `key` identifies an entry among those of the same log and sender, for as long as that
        entry exists (is neither trimmed nor dropped). A second append with the same key, kind, body
        and `about` stores nothing and gets the answer of the first (`resent`), also if both are in
        one batch; one that differs is refused (`KeyReused`). Keys that increase, such as keys made
        from the time, must cost least.
        """

    def flush(self) -> None:
        """End a burst of appends: the queue may now be written. Calls flush by themselves."""

    def read(self, log: str, after: int, limit: int) -> Awaitable[list[Entry]]:
        """The entries with seq > `after`, oldest first; none if there is no such log.

        At most `limit`, and not more text than about `PAGE_BYTES`, but at least one entry if there
        is one.
        """

    def head(self, log: str) -> Awaitable[int]:
        """The last seq assigned in `log`, whether or not its entry has been trimmed; 0 if none."""

    def trim(self, log: str, upto: int) -> Awaitable[None]:
        """Delete the entries with seq <= `upto`, at most all of them.

        Later entries keep their seqs, and the next append gets the seq after `head`. The space may
        be reclaimed later; the deleted entries and their keys are invisible at once.
        """

    def drop(self, log: str) -> Awaitable[None]:
        """Delete a log, and the documents of every kind whose key is its name, in one transaction.

        The next append to it begins a new log, at seq 1, with no keys.
        """

    def create(self, kind: str, key: str, body: bytes) -> Awaitable[int]:
        """Create a document and return its version. Raises `Exists` if there is one."""

    def get(self, kind: str, key: str) -> Awaitable[Document | None]:
        """The document, or None if there is none."""

    def update(self, kind: str, key: str, version: int, body: bytes) -> Awaitable[int]:
        """Replace the body and return the new version.

        Raises `Conflict` if the document does not exist or has another version.
        """

    def delete(self, kind: str, key: str, version: int) -> Awaitable[None]:
        """Delete a document. Raises `Conflict` if it does not exist or has another version."""

    def page(self, kind: str, pattern: str, after: str, limit: int) -> Awaitable[list[str]]:
        """At most `limit` keys that match a glob and are greater than `after`, in order.

        The order is alphabetical and ignores the case of ASCII letters; the glob
        (`chatd.core.glob`) does not ignore it. `after` need not be a key. Changes still in the
        queue may be missing from the result: the call does not delay the queue.
        """

    def list(self, kind: str, pattern: str = "*", limit: int | None = None) -> Awaitable[list[str]]:
        """The keys that match a glob, in order of creation; at most `limit` if it is given.

        The glob (`chatd.core.glob`) is case-sensitive. Changes still in the queue may be missing
        from the result: the call does not delay the queue.
        """


@runtime_checkable
class OnlineBackup(Protocol):
    """What a back end can provide besides: a copy of the store while it is in use. Optional."""

    def backup(self, path: str) -> Awaitable[None]:
        """Write a copy to the new file `path`, readable by its owner only.

        The copy is a snapshot of one moment that has everything committed before the call. The
        store stays usable meanwhile. Raises `BackupFailed` if there is a file at `path`, if it
        cannot be written, or if the store is stopped; no partial copy is left then.
        """


PAGE_BYTES = 256 * 1024
"""about how much text one `Store.read` returns at most, in characters"""
