"""From what was committed to those who read it, and then to those who sent it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from chatd.core.entries import TEXT
from chatd.core.limits import Limits
from chatd.realm.live_log import LiveLog, Run
from chatd.realm.mailbox import Mailbox
from chatd.realm.session import Session
from chatd.stores import Append, Origin, Store


class Delivery:
    """What the store commits comes here (`committed`): readers first, then senders.

    `delivered` is told of entries that a session which cannot acknowledge has been handed, whose
    senders want to know.
    """

    def __init__(
        self, store: Store, limits: Limits, delivered: Callable[[str, dict[str, list[int]]], None]
    ) -> None:
        self.live_logs: dict[str, LiveLog] = {}
        """the logs that somebody here reads, or may soon, by their names"""
        self._store = store
        self._limits = limits
        self._delivered = delivered
        self._held: deque[_Held] = deque()
        self._waiting: list[Callable[[], None]] = []
        self._confirming: list[tuple[Mailbox, int]] = []
        store.committed = self.committed

    @property
    def congested(self) -> bool:
        """Whether so much waits for the store that senders should pause."""
        return self._store.backlog > self._limits.backlog

    def when_clear(self, function: Callable[[], None]) -> None:
        """Call it, once, when the store has caught up."""
        self._waiting.append(function)

    def committed(self, appends: Sequence[Append]) -> None:
        """Called by the store with what became durable: readers first, then those who sent it."""
        reached: list[Session] = []
        claimed: list[Mailbox] = []
        runs = self._runs(appends)
        for live_log, run in runs:
            if live_log.claimed:
                mailbox: Any = live_log
                if (mailbox.session is None or not mailbox.session.live) and mailbox not in claimed:
                    claimed.append(mailbox)
            for subscription in live_log.subscriptions:
                if subscription.live:
                    outbox = subscription.session.outbox
                    if not outbox:
                        reached.append(subscription.session)
                    outbox.append(run)
        for session in reached:
            if session.outbox and not session.push():
                session.fall_behind()
                if session.mailbox.claimed and session.mailbox.session is session:
                    claimed.append(session.mailbox)
        if self._store.ephemeral:
            for live_log, _ in runs:
                if live_log.head >= live_log.trim_at:
                    live_log.trim_consumed()
        if self._confirming:
            self._confirm()
        if claimed or self._held:
            self._hold(appends, claimed)
        else:
            _answer(appends)
        if self._waiting and self._store.backlog < self._limits.backlog // 2:
            waiting, self._waiting = self._waiting, []
            for function in waiting:
                function()

    def _runs(self, appends: Sequence[Append]) -> list[tuple[LiveLog, list[Append]]]:
        """What is new in the logs that somebody here reads."""
        live_logs = self.live_logs
        runs: list[tuple[LiveLog, list[Append]]] = []
        run: list[Append] | None = None
        log = live_log = None
        for append in appends:
            # Bursts are to one log more often than not.
            if append.log is not log:
                log = append.log
                live_log = live_logs.get(log)
                run = None
            if live_log is None or append.seq <= live_log.head:
                continue
            live_log.head = append.seq
            if run is None:
                # What only one reads need not be encoded for several.
                run = [append] if len(live_log.subscriptions) < 2 else Run((append,))
                runs.append((live_log, run))
            else:
                run.append(append)
            if (
                append.origin.wants_receipts
                and append.kind is TEXT
                and live_log.__class__ is Mailbox
            ):
                mailbox = live_log
                mailbox.expect_receipts(((append.seq, append.sender),))
                if mailbox.session is not None and mailbox.session.live:
                    self._confirming.append((mailbox, append.seq))
        return runs

    def _confirm(self) -> None:
        """What a session that cannot acknowledge has been handed is delivered."""
        confirming, self._confirming = self._confirming, []
        for mailbox, seq in confirming:
            self._delivered(mailbox.log, mailbox.receipts_due(seq, seq))

    def _hold(self, appends: Sequence[Append], claimed: list[Mailbox]) -> None:
        """Entries that were not handed over are not safe while the store has it that a session
        takes them; until it knows better, no sender may hear of them, nor of anything that came
        later."""
        held = _Held(appends, len(claimed))
        self._held.append(held)
        for mailbox in claimed:
            mailbox.saved_state.on_saved(partial(self._release, held))

    def _release(self, held: _Held) -> None:
        held.unknown -= 1
        while self._held and not self._held[0].unknown:
            _answer(self._held.popleft().appends)


class _Held:
    """Appends whose senders wait until `unknown` more claims are known to be gone."""

    __slots__ = ("appends", "unknown")

    def __init__(self, appends: Sequence[Append], unknown: int) -> None:
        self.appends = appends
        self.unknown = unknown


def _answer(appends: Sequence[Append]) -> None:
    """Tell each sender what became of what it sent, all at once."""
    origins: list[Origin] = []
    origin = None
    for append in appends:
        if append.origin is not origin:
            origin = append.origin
            answers = origin.answers
            if not answers:
                origins.append(origin)
        answers.append(append)
    for origin in origins:
        origin.answer()


class NullOrigin:
    """The origin of entries of which nobody waits to hear."""

    wants_receipts = False

    def __init__(self) -> None:
        self.answers: list[Append] = []

    def answer(self) -> None:
        """See `Origin`."""
        self.answers = []
