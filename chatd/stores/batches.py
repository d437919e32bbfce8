"""What all stores share: collecting work into batches, and handing back the answers in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.core.entries import Entry
from chatd.core.errors import KeyReused
from chatd.stores import Append

T = TypeVar("T")


class Call(Generic[T]):
    """A question or a change other than an append, taking its turn among the appends.

    `run` is called with whatever the back end works on; it may raise `Refused`, which refuses this
    call alone.
    """

    __slots__ = ("deferred", "outcome", "run")

    def __init__(self, run: Callable[[Any], T]) -> None:
        self.run = run
        self.deferred: Deferred[T] = Deferred()
        self.outcome: T | Failure | None = None


Batch: TypeAlias = list[Append | Call[Any]]


class Batches:
    """The open batch, which collects while another is being committed, and the way back for
    answers."""

    def __init__(self) -> None:
        self.committed: Callable[[Sequence[Append]], None] = _unheard
        self._open: Batch = []
        self._calls = 0
        # Bytes of text in the open batch, and in the one being committed.
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
        """See `Store.flush`; each back end has its own moment for it."""
        raise NotImplementedError

    def _call(self, run: Callable[[Any], T]) -> Deferred[T]:
        call = Call(run)
        self._open.append(call)
        self._calls += 1
        self.flush()
        return call.deferred

    def _take_open(self) -> Batch:
        """The open batch, to be committed now; the next one begins."""
        batch, self._open = self._open, []
        self._committing, self._collected = self._collected, 0
        return batch

    def _answer(self, batch: Batch) -> None:
        """Hand back what became of a batch: runs of appends together, calls one by one, all in
        order."""
        if not self._calls:
            self.committed(batch)  # type: ignore[arg-type]  # there are only appends in it
            return
        run: list[Append] = []
        for item in batch:
            if isinstance(item, Append):
                run.append(item)
                continue
            self._calls -= 1
            if run:
                self.committed(run)
                run = []
            outcome = item.outcome
            if isinstance(outcome, Failure):
                item.deferred.errback(outcome)
            else:
                item.deferred.callback(outcome)
        if run:
            self.committed(run)


def resend(append: Append, entry: Entry) -> None:
    """Answer an append whose sender has used its key before, for `entry`."""
    if (entry.kind, entry.body, entry.about) == (append.kind, append.body, append.about):
        append.seq, append.id, append.time = entry.seq, entry.id, entry.time
        append.resent = True
    else:
        append.refusal = KeyReused()


def _unheard(appends: Sequence[Append]) -> None:
    """Before a realm listens there is nobody to tell."""
