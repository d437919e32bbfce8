"""The queue that all stores share: it collects appends and calls, and returns results in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.core.entries import Entry
from chatd.core.errors import KeyReused, MailboxFull, Refused, RoomFull
from chatd.core.names import is_room
from chatd.stores import Append, Change, Quota, StateChange, StoreCounts

T = TypeVar("T")

LARGEST_BATCH = 1_000
"""appends and calls that are answered before other work goes on"""
_NO_LOG = ""
"""the log of an entry that is to be appended if changes are made"""


class Call(Generic[T]):
    """A query or a change other than an append, queued among the appends.

    The back end calls `run` with an object of its own and stores the result, or a Failure, in
    `outcome`. `run` may raise `Refused`, which refuses this call alone. `entries` are stored with
    the changes that it makes; they follow it in the queue.
    """

    __slots__ = ("deferred", "entries", "outcome", "run")

    def __init__(self, run: Callable[[Any], T], entries: Sequence[Append] = ()) -> None:
        self.run = run
        self.entries = entries
        self.deferred: Deferred[T] = Deferred()
        self.outcome: T | Failure | None = None


Batch: TypeAlias = list[Append | Call[Any]]
"""what a back end commits in one transaction, in the order of the queue"""


class Batches:
    """The open batch, which collects while another is being committed; base class of stores."""

    def __init__(self) -> None:
        self.committed: Callable[[Sequence[Append]], None] = _ignore
        self.counts = StoreCounts()
        self._open: Batch = []
        self._calls = 0
        # Length of the bodies in the open batch, and in the one being committed.
        self._collected = 0
        self._committing = 0

    @property
    def backlog(self) -> int:
        """See `Store.backlog`."""
        return self._collected + self._committing

    def append(self, appends: Sequence[Append]) -> None:
        """See `Store.append`."""
        self._open += appends
        self._collected += sum([len(append.body) for append in appends])

    def flush(self) -> None:
        """See `Store.flush`. Back ends differ in when they commit."""
        raise NotImplementedError

    def _call(self, run: Callable[[Any], T], entries: Sequence[Append] = ()) -> Deferred[T]:
        """Queue a call. See `Call`."""
        call = Call(run, entries)
        self._open.append(call)
        self._calls += 1
        self.flush()
        return call.deferred

    def _call_write(
        self, changes: Sequence[Change], write: Callable[[Any, Sequence[StateChange]], list[int]]
    ) -> Deferred[list[int]]:
        """Queue a call that makes changes by `write`, and after it the entries among them.

        An entry has no log until the changes are made, so it is refused if they are not.
        """
        entries = [change for change in changes if isinstance(change, Append)]
        others = [change for change in changes if not isinstance(change, Append)]
        logs = [entry.log for entry in entries]
        for entry in entries:
            entry.log = _NO_LOG

        def run(target: Any) -> list[int]:
            versions = iter(write(target, others))
            for entry, log in zip(entries, logs, strict=True):
                entry.log = log
            return [0 if isinstance(change, Append) else next(versions) for change in changes]

        written = self._call(run, entries)
        # A back end that commits at once has done so: these follow with the next flush, since the
        # caller learns first that its changes are made.
        self.append(entries)
        return written

    def _take_open(self) -> Batch:
        """Close the open batch, return it to be committed, and begin the next one.

        It has at most `LARGEST_BATCH` items, and the entries of the last call; the next one begins
        with the others.
        """
        batch, self._open = self._open, []
        if len(batch) > LARGEST_BATCH:
            end = LARGEST_BATCH
            while end < len(batch) and getattr(batch[end], "log", None) == _NO_LOG:
                end += 1
            self._open = batch[end:]
            del batch[end:]
            self._committing = sum(len(item.body) for item in batch if isinstance(item, Append))
            self._collected -= self._committing
        else:
            self._committing, self._collected = self._collected, 0
        return batch

    def _answer(self, batch: Batch) -> None:
        """Return the results of a batch in order; appends between two calls together."""
        if not self._calls:
            self.counts.entries += len(batch)
            self.committed(batch)  # type: ignore[arg-type]  # the batch has appends only
            return
        appends: list[Append] = []
        for item in batch:
            if isinstance(item, Append):
                appends.append(item)
                continue
            self._calls -= 1
            if appends:
                self._deliver(appends)
                appends = []
            outcome = item.outcome
            if isinstance(outcome, Failure):
                item.deferred.errback(outcome)
            else:
                item.deferred.callback(outcome)
        if appends:
            self._deliver(appends)

    def _deliver(self, appends: Sequence[Append]) -> None:
        self.counts.entries += len(appends)
        self.committed(appends)


def resend(append: Append, entry: Entry) -> None:
    """Answer an append whose key belongs to `entry`: the same answer again, or `KeyReused`."""
    if (entry.kind, entry.body, entry.about) == (append.kind, append.body, append.about):
        append.seq, append.id, append.time = entry.seq, entry.id, entry.time
        append.resent = True
    else:
        append.refusal = KeyReused()


def full(log: str, met: str, quota: Quota) -> Refused:
    """The refusal of an append to a log whose quota is met; `met` is the field of
    `chatd.core.limits.Limits`."""
    if is_room(log):
        return RoomFull(
            f"The room takes no more from you: its limit is {quota.sender:,} bytes from a member.",
            met,
        )
    limit = (
        f"{quota.sender:,} bytes from one sender"
        if met == "sender_bytes"
        else f"{quota.mailbox:,} bytes"
    )
    return MailboxFull(f"The mailbox of the recipient is full: its limit is {limit}.", met)


def _ignore(appends: Sequence[Append]) -> None:
    """The `committed` of a store that is not connected to a realm."""
