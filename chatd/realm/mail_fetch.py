"""Fetching mail without a session, for protocols in which any client may fetch the mail of an open
account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chatd.core.entries import Entry
from chatd.core.limits import Limits
from chatd.realm.mailbox import Mailbox


class MailFetch:
    """The waiting mail of one account, page by page from the oldest. A fetched page waits until it
    is acknowledged.

    The mailbox must have been loaded; `close` releases it.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        limits: Limits,
        on_close: Callable[[], None],
        notify_delivered: Callable[[str, Mapping[str, Sequence[int]]], None],
    ) -> None:
        """`notify_delivered(log, seqs by sender)` is called when senders have to be notified that
        their entries are delivered."""
        self._mailbox = mailbox
        self._limits = limits
        self._on_close = on_close
        self._notify_delivered = notify_delivered
        self._after = 0

    @property
    def waits(self) -> bool:
        """Whether there is mail that has not been fetched."""
        return self._next() is not None

    async def page(self) -> list[Entry]:
        """Return the next entries, none if there are no more. Raises `StoreUnavailable`."""
        mailbox = self._mailbox
        while (part := self._next()) is not None:
            first, last = part
            limit = min(self._limits.page, last - first + 1)
            entries = await mailbox.store.read(mailbox.log, first - 1, limit)
            entries = [entry for entry in entries if entry.seq <= last]
            self._after = entries[-1].seq if entries else last
            if entries:
                return entries
        return []

    def _next(self) -> tuple[int, int] | None:
        for first, last in self._mailbox.acknowledged.waiting(self._mailbox.head):
            if last > self._after:
                return max(first, self._after + 1), last
        return None

    async def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries; their senders are notified when the acknowledgement is stored.
        Raises `StoreUnavailable`."""
        mailbox = self._mailbox
        for entry in entries:
            mailbox.acked = mailbox.acked.acknowledge(entry.seq, entry.seq)
        await mailbox.saved_state.saved()
        for entry in entries:
            if mailbox.unconfirmed:
                self._notify_delivered(mailbox.log, mailbox.receipts_due(entry.seq, entry.seq))

    def close(self) -> None:
        """Release the mailbox."""
        self._on_close()
