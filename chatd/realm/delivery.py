"""Delivery: committed entries to subscribed sessions, then answers to their senders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from chatd.core.entries import TEXT
from chatd.core.errors import Refused, UnknownAccount, UnknownLog, UnknownRoom
from chatd.core.limits import Limits
from chatd.core.names import is_mailbox
from chatd.realm.fan_out import FanOut, work_for_all
from chatd.realm.live_log import LiveLog, Run
from chatd.realm.mailbox import Mailbox
from chatd.realm.session import SESSIONS_PER_COMMAND, Session
from chatd.realm.tasks import Tasks
from chatd.stores import Append, Origin, Store


class Delivery:
    """Takes what the store has committed (`committed`): pushes it to sessions, then answers
    senders. Entries for many sessions are left to `fan_out`.

    `on_committed` is called after each batch.
    """

    def __init__(
        self, store: Store, limits: Limits, tasks: Tasks, on_committed: Callable[[], None]
    ) -> None:
        self.live_logs: dict[str, LiveLog] = {}
        """the logs with local subscribers, or soon to have some, by their names in the store"""
        self._store = store
        self._limits = limits
        self._on_committed = on_committed
        self.fan_out = FanOut(tasks)
        # The length of the bodies whose senders are answered after the fan-out.
        self._unanswered = 0
        self._waiting: list[Callable[[], None]] = []
        store.committed = self.committed

    @property
    def congested(self) -> bool:
        """Whether the backlog of the store and the fan-out is over its bound, so that senders
        should pause."""
        return self._store.backlog + self._unanswered > self._limits.backlog

    def when_clear(self, function: Callable[[], None]) -> None:
        """Call a function, once, when the backlog is below half of its bound."""
        self._waiting.append(function)

    def committed(self, appends: Sequence[Append]) -> None:
        """Called by the store with a batch that became durable: push it, then answer its
        senders."""
        reached: list[Session] = []
        runs = self._runs(appends)
        fan_out = self.fan_out
        left = fan_out.at_once
        for live_log, run in runs:
            subscriptions = live_log.subscriptions
            count = len(subscriptions)
            if count >= SESSIONS_PER_COMMAND:
                _charge(run, count // SESSIONS_PER_COMMAND)
            entries = cast("list[Append]", run.entries)
            work = work_for_all(live_log, entries)
            if work > left or live_log.fan_out_after is not None:
                fan_out.push(live_log, entries)
                continue
            left -= work
            for subscription in subscriptions:
                if subscription.live:
                    outbox = subscription.session.outbox
                    if not outbox:
                        reached.append(subscription.session)
                    outbox.append(run)
        for session in reached:
            session.push()
        if self._store.ephemeral:
            for live_log, _ in runs:
                if live_log.head >= live_log.trim_at:
                    live_log.trim_consumed()
        if fan_out.busy:
            self._answer_later(appends)
        else:
            _answer(appends)
        self._on_committed()
        if self._waiting:
            self._resume_senders()

    def _answer_later(self, appends: Sequence[Append]) -> None:
        """Answer senders after everything that was committed before has been pushed."""
        size = sum(len(append.body) for append in appends)
        self._unanswered += size

        def answer() -> None:
            self._unanswered -= size
            _answer(appends)
            self._resume_senders()

        self.fan_out.then(answer, len(appends))

    def _resume_senders(self) -> None:
        """Call the functions of `when_clear` if the backlog is below half of its bound."""
        if self._store.backlog + self._unanswered < self._limits.backlog // 2:
            waiting, self._waiting = self._waiting, []
            for function in waiting:
                function()

    def _runs(self, appends: Sequence[Append]) -> list[tuple[LiveLog, Run]]:
        """The new entries of logs with subscribers: consecutive entries of one log are one run."""
        live_logs = self.live_logs
        runs: list[tuple[LiveLog, Run]] = []
        entries: list[Append] | None = None
        log = live_log = origin = None
        wants_receipts = False
        for append in appends:
            # Consecutive appends are to one log, and from one sender, more often than not.
            if append.log is not log:
                log = append.log
                live_log = live_logs.get(log)
                entries = None
            if live_log is None or append.seq <= live_log.head:
                continue
            live_log.head = append.seq
            if append.origin is not origin:
                origin = append.origin
                wants_receipts = origin.wants_receipts
            if entries is None:
                entries = [append]
                shared: dict[Callable[[Run], Any], Any] | None = (
                    {} if len(live_log.subscriptions) > 1 else None
                )
                runs.append((live_log, Run(live_log.name, entries, shared)))
            else:
                entries.append(append)
            if wants_receipts and append.kind is TEXT and live_log.__class__ is Mailbox:
                live_log.expect_receipts(((append.seq, append.author),))
        return runs


def refusal_of(append: Append) -> Refused | None:
    """Why an append was refused, in terms of its sender: a deleted log was that of an account or a
    room."""
    if isinstance(append.refusal, UnknownLog):
        return UnknownAccount() if is_mailbox(append.log) else UnknownRoom()
    return append.refusal


def _charge(run: Run, commands: int) -> None:
    """Charge the sender of each entry of a run, a session or a `NullOrigin`, so many commands."""
    entries: Sequence[Any] = run.entries
    origin = entries[0].origin
    count = 0
    for append in entries:
        if append.origin is not origin:
            origin.charge(count * commands)
            origin = append.origin
            count = 0
        count += 1
    origin.charge(count * commands)


def _answer(appends: Sequence[Append]) -> None:
    """Answer each origin, once for all its appends."""
    origins: list[Origin] = []
    origin = None
    for append in appends:
        if append.origin is not origin:
            origin = append.origin
            answers = origin.answers
            add = answers.append
            if not answers:
                origins.append(origin)
        add(append)
    for origin in origins:
        origin.answer()


class NullOrigin:
    """The origin of entries that the server appends by itself: nothing waits for their outcome."""

    wants_receipts = False

    def __init__(self) -> None:
        self.answers: list[Append] = []

    def answer(self) -> None:
        """See `Origin`."""
        self.answers = []

    def charge(self, commands: float) -> None:
        """See `Session.charge`. The command that led to the entry has been charged."""
