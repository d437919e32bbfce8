"""What a store must provide: documents and logs, and nothing more.

A **document** is a small record under a kind and a key, changed by compare-and-set. Keys ignore the
case of ASCII letters and keep the spelling they were created with. A **log** is an append-only
sequence of entries; its name begins with ``@`` (an inbox) or ``#`` (a room).

Every call takes its place in one queue: a later call sees what an earlier one did, and nothing
later is ever durable without what came before it. Results arrive on the reactor's thread in that
same order. Nothing here may be taken to mean that this daemon is the only writer: seqs are the
store's to give, and a document may have changed since it was read, which compare-and-set tells.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from chatd.core.entries import TEXT, Entry
from chatd.core.errors import Refused


class Document(msgspec.Struct, frozen=True):
    """A document as it was read: `version` is what `update` and `delete` compare with."""

    key: str
    version: int
    body: bytes


class Append(msgspec.Struct, gc=False):
    """One entry on its way into a log, and afterwards the store's answer.

    The store reads `log`, `id`, `time`, `sender`, `kind`, `body`, `about` (as in `Entry`) and `key`
    (the sender's own, for resending), and writes `seq`, or `refusal` if it is not stored. If it was
    stored before, under the same key, `resent` is set, and `id` and `time` are what they were then.
    The rest belongs to whoever sent it and comes back untouched: `origin` is told the outcome,
    `message` is what its protocol received.
    """

    log: str
    id: int
    time: int
    sender: str
    body: str
    origin: Origin
    message: Any = None
    kind: str = TEXT
    key: str | None = None
    about: int = 0
    seq: int = 0
    refusal: Refused | None = None
    resent: bool = False


class Origin(Protocol):
    """Who sent an `Append` and wants to know what became of it."""

    answers: list[Append]
    wants_receipts: bool
    """whether it wants to know, besides, when recipients have got what it sends"""

    def answer(self) -> None:
        """Take what is in `answers`, in order, and leave it empty."""


class Store(Protocol):
    """The contract. Calls may raise `StoreUnavailable` when the disk or the server fails."""

    ephemeral: bool
    """whether it forgets everything in the end anyway, so that what was read should not pile up in
    it"""
    committed: Callable[[Sequence[Append]], None]
    """called with each run of appends that became durable, or were refused, in order; set by the
    realm"""

    @property
    def backlog(self) -> int:
        """Bytes of text accepted by `append` and not yet answered."""

    def start(self) -> None:
        """Open; before the reactor runs. Raises `StoreUnusable` with a sentence for the
        operator."""

    def stop(self) -> Awaitable[None]:
        """Commit what is waiting, answer it, and close."""

    def append(self, appends: Sequence[Append]) -> None:
        """Put entries at the end of their logs, each with the next seq: 1, 2, 3, ... without gaps.

        Returns at once; after `flush`, `committed` tells. With a `key` that this sender has used in
        this log for an entry that is still there, the same kind, body and `about` give what it got
        then (`resent`) and no second entry; anything else is refused (`KeyReused`). Keys that grow,
        as time does, cost least.
        """

    def flush(self) -> None:
        """Say that a burst of appends has ended: what is waiting may now be written."""

    def read(self, log: str, after: int, limit: int) -> Awaitable[list[Entry]]:
        """The entries with seq > `after`, oldest first: at most `limit`, and about `PAGE_BYTES` of
        text, but at least one if there is any."""

    def head(self, log: str) -> Awaitable[int]:
        """The last seq given in `log`, 0 for none, whether or not the entry has been trimmed
        since."""

    def trim(self, log: str, upto: int) -> Awaitable[None]:
        """Forget the entries with seq <= `upto`; seqs go on from where they were."""

    def drop(self, log: str) -> Awaitable[None]:
        """Forget a log, and the documents of every kind whose key is its name; a later append
        begins it anew, at 1."""

    def backup(self, path: str) -> Awaitable[None]:
        """Write a copy of all that was committed before this was asked, of one moment, to a new
        file, while everything goes on. Raises `BackupFailed`."""

    def create(self, kind: str, key: str, body: bytes) -> Awaitable[int]:
        """Make a document and give its version, or raise `Exists`."""

    def get(self, kind: str, key: str) -> Awaitable[Document | None]:
        """The document, or None."""

    def update(self, kind: str, key: str, version: int, body: bytes) -> Awaitable[int]:
        """Replace the body if the document still has that version, and give the new one; else
        `Conflict`."""

    def delete(self, kind: str, key: str, version: int) -> Awaitable[None]:
        """Remove the document if it still has that version; else `Conflict`."""

    def page(self, kind: str, pattern: str, after: str, limit: int) -> Awaitable[list[str]]:
        """At most `limit` keys that match a glob and are greater than `after`, in alphabetical
        order whatever the case of ASCII letters; like `list`, it may not see what is still in the
        queue."""

    def list(self, kind: str, pattern: str = "*", limit: int | None = None) -> Awaitable[list[str]]:
        """The keys that match a glob (`chatd.core.glob`, with regard to case), in order of
        creation.

        The one call that may not see what is still in the queue: it never makes the others wait.
        """


PAGE_BYTES = 256 * 1024
"""about how much text one `Store.read` returns at most"""
