"""Delivery: committed entries to subscribed sessions, then answers to their senders."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from chatd.core.entries import TEXT
from chatd.core.limits import Limits
from chatd.realm.live_log import LiveLog, Run
from chatd.realm.mailbox import Mailbox
from chatd.realm.session import SESSIONS_PER_COMMAND, Session
from chatd.stores import Append, Origin, Store


class Delivery:
    """Takes what the store has committed (`committed`): pushes it to sessions, then answers
    senders.

    `notify_delivered` is called with a log and, by sender, the seqs of entries that were handed to
    a session which cannot acknowledge, and whose senders want receipts.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        notify_delivered: Callable[[str, Mapping[str, Sequence[int]]], None],
    ) -> None:
        self.live_logs: dict[str, LiveLog] = {}
        """the logs with local subscribers, or soon to have some, by name"""
        self._store = store
        self._limits = limits
        self._notify_delivered = notify_delivered
        self._held: deque[_HeldAnswers] = deque()
        self._waiting: list[Callable[[], None]] = []
        self._handed_over: list[tuple[Mailbox, int]] = []
        store.committed = self.committed

    @property
    def congested(self) -> bool:
        """Whether the store's backlog is over its bound, so that senders should pause."""
        return self._store.backlog > self._limits.backlog

    def when_clear(self, function: Callable[[], None]) -> None:
        """Call a function, once, when the backlog is below half of its bound."""
        self._waiting.append(function)

    def committed(self, appends: Sequence[Append]) -> None:
        """Called by the store with a batch that became durable: push it, then answer its
        senders."""
        reached: list[Session] = []
        claimed: list[Mailbox] = []
        runs = self._runs(appends)
        for live_log, run in runs:
            if live_log.claimed:
                mailbox: Any = live_log
                if (mailbox.session is None or not mailbox.session.live) and mailbox not in claimed:
                    claimed.append(mailbox)
            if len(live_log.subscriptions) >= SESSIONS_PER_COMMAND:
                _charge(run, len(live_log.subscriptions) // SESSIONS_PER_COMMAND)
            for subscription in live_log.subscriptions:
                if subscription.live:
                    outbox = subscription.session.outbox
                    if not outbox:
                        reached.append(subscription.session)
                    outbox.append(run)
        for session in reached:
            try:
                if not session.outbox or session.push():
                    continue
            except Exception:
                session.peer.failed()
            session.fall_behind()
            if session.mailbox.claimed and session.mailbox.session is session:
                claimed.append(session.mailbox)
        if self._store.ephemeral:
            for live_log, _ in runs:
                if live_log.head >= live_log.trim_at:
                    live_log.trim_consumed()
        if self._handed_over:
            self._notify_handed_over()
        if claimed or self._held:
            self._hold(appends, claimed)
        else:
            _answer(appends)
        if self._waiting and self._store.backlog < self._limits.backlog // 2:
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
                shared: dict[Callable[[Run], bytes], bytes] | None = (
                    {} if len(live_log.subscriptions) > 1 else None
                )
                runs.append((live_log, Run(append.log, entries, shared)))
            else:
                entries.append(append)
            if wants_receipts and append.kind is TEXT and live_log.__class__ is Mailbox:
                mailbox = live_log
                mailbox.expect_receipts(((append.seq, append.sender),))
                if mailbox.session is not None and mailbox.session.live:
                    self._handed_over.append((mailbox, append.seq))
        return runs

    def _notify_handed_over(self) -> None:
        """Entries handed to a session that cannot acknowledge count as delivered."""
        handed_over, self._handed_over = self._handed_over, []
        for mailbox, seq in handed_over:
            self._notify_delivered(mailbox.log, mailbox.receipts_due(seq, seq))

    def _hold(self, appends: Sequence[Append], claimed: list[Mailbox]) -> None:
        """Answer a batch only when the store no longer has a claim on these mailboxes: while it
        has, a restart would count their entries as read. Later batches wait behind it."""
        held = _HeldAnswers(appends, len(claimed))
        self._held.append(held)
        for mailbox in claimed:
            mailbox.saved_state.on_saved(partial(self._release, held))

    def _release(self, held: _HeldAnswers) -> None:
        held.claims -= 1
        while self._held and not self._held[0].claims:
            _answer(self._held.popleft().appends)


class _HeldAnswers:
    """Appends whose senders are answered when `claims` more claims have been removed."""

    __slots__ = ("appends", "claims")

    def __init__(self, appends: Sequence[Append], claims: int) -> None:
        self.appends = appends
        self.claims = claims


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
