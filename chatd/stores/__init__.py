"""The contract of a store: documents and logs, and nothing else.

A **document** is a small record under a kind, a scope and a key, changed by compare-and-set. Most
kinds have one scope, the empty text; others have a scope for each account or room, whose documents
are listed, counted and deleted together. Keys ignore the case of ASCII letters and keep the
spelling they were created with; kinds and scopes are case-sensitive. A **log** is an append-only
sequence of entries, numbered by the store from 1 without gaps (`seq`). Its name is made by
`chatd.core.names`; to a store it is case-sensitive text, of which it only reads the id
(`log_id`) and whether it is of an account or a room.

What every back end must guarantee:

* **Order.** Appends and calls form one queue. A call sees the effect of everything queued before
  it, and nothing becomes durable before what was queued earlier. Results arrive on the reactor's
  thread in the order of the queue. `Store.page` and `Store.list` are outside the queue.
* **Durability.** An append is answered, and the awaitable of a change fires, after the change has
  been committed: it survives the kill of the daemon and, unless the store is `ephemeral`, a
  restart and a power failure. A group of appends may share one transaction with other calls.
* **Idempotence.** An append with a key is stored at most once while its entry exists. See
  `Store.append`. Documents are protected by their version. `trim` may be repeated.
* **Atomicity.** `write` makes all of its changes or none, whatever happens: a refusal, a failed
  transaction, a kill. No other call sees some of them.
* **Errors.** A refused append carries a `Refused` in `Append.refusal`; a refused call fails with
  it. `StoreUnavailable` means that the disk or the server failed: the change was not made, and the
  same call may succeed later. A refusal concerns its own append or call only.
* **Other writers.** Callers may not assume that this daemon is the only writer: the store assigns
  seqs, and a document may have changed since it was read, which the compare-and-set reports.

Awaitables may be Deferreds, and callers may drop them without awaiting them. `OnlineBackup` is
optional.

The back ends are `sqlite` and `memory`, with its documents in `memory_documents` and its logs in
`memory_log`; `batches` has the queue that they share. To add a back end: a package or module here,
with a subclass of `batches.Batches`, and a subclass of each class of `tests.stores.contract`,
`tests.stores.write_contract`, `tests.stores.position_contract` and `tests.stores.quota_contract`,
and of `SequenceContract` in `tests.stores.sequences`. Imports `chatd.core`; back ends also
Twisted's Deferreds and their driver.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

from chatd.core.entries import (
    BAN,
    EDIT,
    INVITE,
    REACTION,
    SILENCE,
    TEXT,
    UNBAN,
    UNSILENCE,
    Cursor,
    Entry,
)
from chatd.core.errors import Refused


class Document(msgspec.Struct, frozen=True):
    """A document as it was read; `Update` and `Delete` compare its `version`.

    A document never has the same version as an earlier one of the same kind, scope and key.
    """

    key: str
    version: int
    body: bytes


class Position(msgspec.Struct, frozen=True):
    """What an account, given by its id, has acknowledged and read of a log.

    `cursor` is what it has acknowledged, `read` its read marker. `seen` is when its last session
    ended (milliseconds since 1970, UTC), which is saved with its mailbox.
    """

    account: int
    log: str
    cursor: Cursor
    read: int = 0
    seen: int = 0

    def merged(self, other: Position) -> Position:
        """This position and another one of the same account in the same log: all that either
        has."""
        return Position(
            self.account,
            self.log,
            self.cursor.union(other.cursor),
            max(self.read, other.read),
            max(self.seen, other.seen),
        )


class Create(msgspec.Struct, frozen=True):
    """A change: create a document. `Exists` refuses it if there is one."""

    kind: str
    key: str
    body: bytes
    scope: str = ""


class Update(msgspec.Struct, frozen=True):
    """A change: replace the body of a document. `Conflict` refuses it if the document does not
    exist or has another version."""

    kind: str
    key: str
    version: int
    body: bytes
    scope: str = ""


class Delete(msgspec.Struct, frozen=True):
    """A change: delete a document. `Conflict` refuses it if the document does not exist or has
    another version.

    With the version None, whatever document there is is deleted, and if there is none, nothing is
    done.
    """

    kind: str
    key: str
    version: int | None
    scope: str = ""


class DeleteScope(msgspec.Struct, frozen=True):
    """A change: delete all documents of a kind in a scope, if there are any."""

    kind: str
    scope: str


class DeleteKey(msgspec.Struct, frozen=True):
    """A change: delete all documents of a kind with this key, in every scope but the empty one."""

    kind: str
    key: str


class Require(msgspec.Struct, frozen=True):
    """A condition: `Conflict` refuses the changes unless the document exists, with this version if
    one is given."""

    kind: str
    key: str
    version: int | None = None
    scope: str = ""


class RequireNone(msgspec.Struct, frozen=True):
    """A condition: `Conflict` refuses the changes if there is any document of a kind in a scope."""

    kind: str
    scope: str


class RequireSome(msgspec.Struct, frozen=True):
    """A condition: `Conflict` refuses the changes if there is no document of a kind in a scope."""

    kind: str
    scope: str


class CreateLog(msgspec.Struct, frozen=True):
    """A change: create an empty log. `Exists` refuses it if there is one."""

    log: str


class DropLog(msgspec.Struct, frozen=True):
    """A change: delete a log, if there is one, with its entries and their keys.

    Appends that are queued later are not stored in the deleted log. A log that is created later
    under the same name begins at seq 1, with no keys.
    """

    log: str


class RenameLog(msgspec.Struct, frozen=True):
    """A change: give a log, with its entries, their keys and its positions, another name.

    `Exists` refuses it if there is a log of that name, `Conflict` if the log does not exist.
    Appends that are queued later under the former name are refused, as for a deleted log.
    """

    log: str
    name: str


class RequireLog(msgspec.Struct, frozen=True):
    """A condition: `Conflict` refuses the changes unless the log exists."""

    log: str


class RequireSpace(msgspec.Struct, frozen=True):
    """A condition: unless the log takes more from an author, given by the id of its account, the
    refusal of an entry (`MailboxFull`, `RoomFull`) refuses the changes."""

    log: str
    author: int


class Erase(msgspec.Struct, frozen=True):
    """A change: take the text from an entry, if there is one with this seq.

    Its kind becomes `ERASED` and its body empty; all else of it stays, so seqs have no gap. The
    store keeps no copy of the text that it could show again.
    """

    log: str
    seq: int


class Save(msgspec.Struct, frozen=True):
    """A change: merge a position, as `Store.save` does."""

    position: Position


class Forget(msgspec.Struct, frozen=True):
    """A change: delete the position of an account, given by its id, in a log, if there is one."""

    account: int
    log: str


class Append(msgspec.Struct, gc=False):
    """One entry to be appended to a log and, after the commit, the store's answer.

    The store reads `log`, the name of the log in the store; `id`, a number of the entry's own;
    `time`, in milliseconds since 1970 (UTC); `sender`, a name, and `author`, the id of that account
    (0: none); `kind` and `body`; `about`, the id of the entry that this one refers to (0: none);
    and `key`, chosen by the sender, so that it can send the entry again without storing it twice.

    It writes `seq`, the number of the entry in its log, or `refusal` if the entry was not stored.
    If the entry had been stored before under the same key, it sets `resent`, and `id` and `time`
    are those of the first time.

    The store does not use `origin`, which the realm notifies of the outcome, and `log_name`, the
    name by which clients know the log.
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
    author: int = 0
    log_name: str = ""


StateChange: TypeAlias = (
    Create
    | Update
    | Delete
    | DeleteScope
    | DeleteKey
    | Require
    | RequireNone
    | RequireSome
    | CreateLog
    | DropLog
    | RenameLog
    | RequireLog
    | RequireSpace
    | Erase
    | Save
    | Forget
)
"""changes of documents, logs and positions, and conditions of the changes beside them"""
Change: TypeAlias = StateChange | Append
"""what `Store.write` takes"""


class Origin(Protocol):
    """The sender of an `Append`, which is notified of its outcome."""

    answers: list[Append]
    """answered appends that `answer` has not taken yet, in the order in which they were sent"""
    wants_receipts: bool
    """whether the sender is also notified when recipients acknowledge what it sent"""

    def answer(self) -> None:
        """Take everything in `answers`, in order, and leave the list empty."""


ENTRY_BYTES = 150
"""what an entry takes besides its text, in bytes, as quotas count it"""
LIMITED_KINDS = frozenset((TEXT, EDIT, REACTION, INVITE, BAN, UNBAN, SILENCE, UNSILENCE))
"""the kinds of entries that a full log refuses"""


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What may be stored, in bytes; None stands for no limit.

    `mailbox` is for a mailbox in all, `sender` for what a mailbox or a room has from one author. An
    entry counts as the bytes of its text and `ENTRY_BYTES`, until the store has removed it.
    """

    mailbox: int | None = None
    sender: int | None = None


COMMIT_TIMES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""the times of commits, in seconds, between which they are counted"""


class StoreCounts:
    """What a store has done since it was opened; counted once for each batch.

    `entries` have been answered, stored or refused; `characters` is the length of their bodies.
    `commits` counts the commits by their times: those of at most each of `COMMIT_TIMES` and longer
    than the one before it, and those that took longer than all of them. A store in memory, whose
    commits take no time, counts none.
    """

    def __init__(self) -> None:
        self.entries = 0
        self.characters = 0
        self.batches = 0
        self.commit_seconds = 0.0
        self.longest_commit = 0.0
        self.commits = [0] * (len(COMMIT_TIMES) + 1)

    def committed(self, seconds: float) -> None:
        """A batch was committed in this time, or was refused after it."""
        self.batches += 1
        self.commit_seconds += seconds
        self.longest_commit = max(self.longest_commit, seconds)
        self.commits[bisect_left(COMMIT_TIMES, seconds)] += 1


PAGE_BYTES = 256 * 1024
"""about how much text one `Store.read` returns at most, in characters"""
SCAN_LIMIT = 1_000
"""how many documents one `Store.scan` returns at most unless told otherwise"""


class Store(Protocol):
    """What every back end provides. Any call may fail with `StoreUnavailable`."""

    ephemeral: bool
    """whether entries and documents are lost when the daemon stops; the realm then trims entries
    that were read, because they take memory"""
    committed: Callable[[Sequence[Append]], None]
    """called on the reactor's thread with answered appends, some at a time, in the order of the
    queue; set by the realm before the first append"""

    counts: StoreCounts

    newest: tuple[int, int]
    """after `start`: the greatest id that an entry or a log (`chatd.core.names.log_id`) has ever
    had, and the greatest time of an entry, as far as the store knows; 0 if there was none. New ids
    and times are to be greater, whatever the clock says."""

    @property
    def backlog(self) -> int:
        """The length of the bodies accepted by `append` and not answered yet, in characters."""

    def start(self) -> None:
        """Open the store, before the reactor runs.

        Raises `StoreUnusable`, with a sentence for the operator, if it cannot be opened.
        """

    def stop(self) -> Awaitable[None]:
        """Commit and answer everything in the queue, then close the store.

        Listings that are not complete by then are refused with `StoreUnavailable`.
        """

    def append(self, appends: Sequence[Append]) -> None:
        """Queue entries to be stored at the end of their logs, each with the next seq.

        Returns at once and never raises; `committed` is called after the commit. Appends queued
        together may be committed in several transactions. `UnknownLog` refuses an append to a log
        that does not exist.

        A `key` identifies an entry among those of the same log and author, or of the same log and
        sender among those without an author, for as long as that entry exists (is neither trimmed
        nor dropped). A second append with the same key, kind, body and `about` stores nothing and
        gets the answer of the first (`resent`), also if both are in one batch; one that differs is
        refused (`KeyReused`). Keys that increase, such as keys made from the time, must cost least.

        `MailboxFull` or `RoomFull` refuses an entry of `LIMITED_KINDS` that is not resent to a log
        whose `Quota` is met. A store may count its entries some at a time, so that a quota is
        exceeded by what it has not counted yet, and what is trimmed may count for a moment longer.
        """

    def has_key(self, log: str, author: int, key: str) -> Awaitable[bool]:
        """Whether an append with this author and key would be answered as one that was stored
        before, or refused as `KeyReused`."""

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

    def write(self, changes: Sequence[Change]) -> Awaitable[list[int]]:
        """Make all changes, in order, or none of them.

        Returns the new version for each `Create` and `Update`, 0 for the others. Each change, and
        each condition, sees the effect of those before it. Raises the refusal of the first one
        that is refused: `Exists`, `Conflict` or, of a `RequireSpace`, `MailboxFull` or `RoomFull`.

        Entries among them (`Append`) are appended after all the changes, by the same transaction,
        and answered as by `append`, after the changes. They are refused if the changes are. An
        ephemeral store may append them with the next flush.
        """

    def save(self, positions: Sequence[Position]) -> Awaitable[None]:
        """Merge positions with those that are stored (`Position.merged`).

        Those in logs that do not exist are ignored.
        """

    def positions(self, account: int, log: str | None = None) -> Awaitable[Sequence[Position]]:
        """The positions of an account in all logs, which may be hundreds, or that in one log, if
        there is one."""

    def get(self, kind: str, key: str, scope: str = "") -> Awaitable[Document | None]:
        """The document, or None if there is none."""

    def scan(
        self, kind: str, scope: str = "", after: str = "", limit: int = SCAN_LIMIT
    ) -> Awaitable[list[Document]]:
        """At most `limit` documents whose keys are greater than `after`, in alphabetical order.

        Unlike a listing, it is in the queue and sees the effect of everything queued before it.
        """

    def count(self, kind: str, scope: str = "") -> Awaitable[int]:
        """The number of documents. The cost does not depend on it."""

    def page(
        self, kind: str, pattern: str, after: str, limit: int, scope: str = ""
    ) -> Awaitable[list[str]]:
        """At most `limit` keys that match a glob and are greater than `after`, in order.

        The order is alphabetical and ignores the case of ASCII letters; the glob
        (`chatd.core.glob`) does not ignore it. `after` need not be a key. The call does not delay
        the queue, and the result is not of one moment: changes that are queued or made meanwhile
        may be in it or not.
        """

    def list(
        self, kind: str, pattern: str = "*", limit: int | None = None, scope: str = ""
    ) -> Awaitable[list[str]]:
        """The keys that match a glob, in order of creation; at most `limit` if it is given.

        The glob (`chatd.core.glob`) is case-sensitive. For changes see `page`; a key that is
        deleted and created again meanwhile may be in the result twice.
        """


@runtime_checkable
class Discarding(Protocol):
    """What an ephemeral back end provides besides: removing entries among others that stay."""

    def discard(self, log: str, first: int, last: int) -> None:
        """Delete the entries with seqs from `first` to `last`, and their keys. The others keep
        their seqs."""


@runtime_checkable
class OnlineBackup(Protocol):
    """What a back end can provide besides: a copy of the store while it is in use. Optional."""

    def backup(self, path: str) -> Awaitable[None]:
        """Write a copy to the new file `path`, readable by its owner only.

        The copy is a snapshot of one moment that has everything committed before the call. The
        store stays usable meanwhile. Raises `BackupFailed` if there is a file at `path`, if it
        cannot be written, or if the store is stopped; no partial copy is left then.
        """
