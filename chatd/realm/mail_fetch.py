"""Fetching mail without a session: for protocols in which anyone may ask for an open account's
mailbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.core.entries import Entry
from chatd.core.limits import Limits
from chatd.realm.mailbox import Mailbox


class MailFetch:
    """The waiting mail of one account, from the oldest on. What is fetched waits until it is
    acknowledged.

    The mailbox must have been loaded, and is given back by `close`.
    """

    def __init__(self, mailbox: Mailbox, limits: Limits, closed: Callable[[], None]) -> None:
        self._mailbox = mailbox
        self._limits = limits
        self._closed = closed
        self._after = 0

    @property
    def waits(self) -> bool:
        """Whether there is any that has not been fetched."""
        return self._next() is not None

    async def page(self) -> list[Entry]:
        """The next entries, none if there are no more. May raise `StoreUnavailable`."""
        while (part := self._next()) is not None:
            first, last = part
            limit = min(self._limits.page, last - first + 1)
            entries = await self._mailbox.store.read(self._mailbox.log, first - 1, limit)
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
        """They have been read, and the store knows it when this is done. Raises
        `StoreUnavailable`."""
        mailbox = self._mailbox
        for entry in entries:
            mailbox.acked = mailbox.acked.acknowledge(entry.seq, entry.seq)
        await mailbox.saved_state.saved()

    def close(self) -> None:
        """Done with it."""
        self._closed()
