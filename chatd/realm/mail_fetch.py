"""Fetching mail without a session, for protocols in which any client may fetch the mail of an open
account."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.core.entries import Entry
from chatd.core.errors import Busy, UnknownAccount
from chatd.realm.context import Context
from chatd.realm.mailbox import Mailbox

ENDED = "All sessions of this account have just been ended: log in again."


class MailFetch:
    """The waiting mail of one account, page by page from the oldest. A fetched page waits until it
    is acknowledged.

    The mailbox must have been loaded; `close` releases it. `endings` is `Mailbox.endings` at the
    moment when the right to fetch was proven.
    """

    def __init__(
        self, context: Context, mailbox: Mailbox, endings: int, on_close: Callable[[], None]
    ) -> None:
        self._context = context
        self._mailbox = mailbox
        self._endings = endings
        self._on_close = on_close
        self._after = 0

    @property
    def waits(self) -> bool:
        """Whether there is mail that has not been fetched."""
        return self._next() is not None

    async def page(self) -> list[Entry]:
        """Return the next entries, none if there are no more.

        Raises `UnknownAccount` if the account has been deleted meanwhile, `Busy` if its sessions
        have been ended, `StoreUnavailable`.
        """
        mailbox = self._mailbox
        self._check_not_ended()
        while (part := self._next()) is not None:
            first, last = part
            limit = min(self._context.limits.page, last - first + 1)
            entries = await mailbox.store.read(mailbox.log, first - 1, limit)
            self._check_not_ended()
            entries = [entry for entry in entries if entry.seq <= last]
            self._after = entries[-1].seq if entries else last
            if entries:
                return entries
        return []

    def _check_not_ended(self) -> None:
        if self._mailbox.deleted:
            raise UnknownAccount()
        if self._mailbox.endings != self._endings:
            raise Busy(ENDED)

    def _next(self) -> tuple[int, int] | None:
        for first, last in self._mailbox.taken.waiting(self._mailbox.head):
            if last > self._after:
                return max(first, self._after + 1), last
        return None

    async def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries that have arrived; their senders are notified when that is stored.

        It does not matter whether the sessions of the account have been ended. Raises
        `StoreUnavailable`, `UnknownAccount` if the account has been deleted meanwhile.
        """
        mailbox, positions = self._mailbox, self._context.positions
        if mailbox.deleted:
            raise UnknownAccount()
        for entry in entries:
            mailbox.state.cursor = mailbox.state.cursor.acknowledge(entry.seq, entry.seq)
        positions.changed(mailbox.state, 0.0)
        await positions.save()
        for entry in entries:
            if mailbox.unconfirmed:
                self._context.receipts.notify_delivered(
                    mailbox, mailbox.receipts_due(entry.seq, entry.seq)
                )

    def close(self) -> None:
        """Release the mailbox."""
        self._on_close()
