"""Receipts: mark entries as read at the server, and summarize receipts for one's own messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.codecs import v1_messages as c

READ_DELAY = 1.0
"""seconds for which read markers are collected before they are sent"""
RECEIPT_DELAY = 2.5
"""seconds for which receipts are collected, so that a message read at once is shown only as read"""


class DelayedFlush:
    """Calls `flush` once, `delay` seconds after the first of several calls of `schedule`."""

    def __init__(self, flush: Callable[[], None], clock: IReactorTime, delay: float) -> None:
        self._flush = flush
        self._clock = clock
        self._delay = delay
        self._timer: IDelayedCall | None = None

    def schedule(self) -> None:
        """Call `flush` after the delay, unless that is scheduled already."""
        if self._timer is None:
            self._timer = self._clock.callLater(self._delay, self.flush_now)

    def flush_now(self) -> None:
        """Call `flush` now if it is scheduled."""
        timer, self._timer = self._timer, None
        if timer is None:
            return
        if timer.active():
            timer.cancel()
        self._flush()


class ReadMarkers:
    """Notifies the server how far the user has read each log."""

    def __init__(self, request: Callable[[c.Message], None], clock: IReactorTime) -> None:
        self._request = request
        self._seqs: dict[str, int] = {}
        self._delayed = DelayedFlush(self._flush, clock, READ_DELAY)

    def mark(self, log: str, seq: int) -> None:
        """The user has read `log` up to `seq`; the server is notified after `READ_DELAY`."""
        self._seqs[log] = max(seq, self._seqs.get(log, 0))
        self._delayed.schedule()

    def flush(self) -> None:
        """Notify the server now."""
        self._delayed.flush_now()

    def _flush(self) -> None:
        seqs, self._seqs = self._seqs, {}
        for log, seq in seqs.items():
            self._request(c.MarkRead(0, log, seq))


class ReceiptSummary:
    """Collects receipts; after `RECEIPT_DELAY`, calls `show` with log, status and message count.

    A message that was delivered and read within that time counts as read only.
    """

    def __init__(self, show: Callable[[str, str, int], None], clock: IReactorTime) -> None:
        self._show = show
        self._logs: dict[str, dict[int, str]] = {}
        self._delayed = DelayedFlush(self._flush, clock, RECEIPT_DELAY)

    def add(self, log: str, status: str, seqs: Iterable[int]) -> None:
        """These messages have been ``delivered`` or ``read``."""
        statuses = self._logs.setdefault(log, {})
        for seq in seqs:
            if statuses.get(seq) != "read":
                statuses[seq] = status
        self._delayed.schedule()

    def _flush(self) -> None:
        logs, self._logs = self._logs, {}
        for log, statuses in logs.items():
            for status in ("read", "delivered"):
                count = list(statuses.values()).count(status)
                if count:
                    self._show(log, status, count)
