"""Reading a log again: pages of its history, and single entries; clearing the own mailbox."""

from __future__ import annotations

from chatd.core.entries import Entry
from chatd.core.errors import UnknownEntry
from chatd.core.names import mailbox_log, mailbox_owner
from chatd.realm.context import Context
from chatd.realm.permissions import check_entry, check_look_up, check_read_log, readable_after
from chatd.realm.session import Session
from chatd.stores import PAGE_BYTES

_CHUNK = 32
"""entries read at once when a log is read backwards"""


class History:
    """What a session may read of the logs besides what is pushed to it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    async def entry(self, session: Session, log: str, seq: int) -> Entry:
        """Return one entry that the account can read, or that it wrote.

        Raises `UnknownEntry`.
        """
        return (await self.found(session, log, seq))[1]

    async def found(self, session: Session, log: str, seq: int) -> tuple[str, Entry]:
        """Return the store's name of a log, and one of its entries. See `entry`."""
        check_look_up(session, log)
        if seq < 1:
            raise UnknownEntry()
        name = await self._log(session, log)
        entries = await self._store.read(name, seq - 1, 1)
        if not entries or entries[0].seq != seq:
            raise UnknownEntry()
        check_entry(session, log, entries[0])
        return name, entries[0]

    async def _log(self, session: Session, name: str) -> str:
        """The log that clients know by `name`: one that the session follows, or a mailbox. Raises
        `UnknownEntry`."""
        subscription = session.subscriptions.get(name)
        if subscription is not None:
            return subscription.live_log.log
        account = await self._context.accounts.account(mailbox_owner(name))
        if account is None:
            raise UnknownEntry()
        return mailbox_log(account[1].id)

    async def page(
        self, session: Session, log: str, after: int, before: int, limit: int
    ) -> tuple[list[Entry], bool]:
        """Return entries of a log, oldest first, and whether there are more beyond them.

        They are those after seq `after`, or, with `before` greater than 0, the last ones before
        it: at most `limit`, and about `PAGE_BYTES` of text. Raises `UnknownLog`.
        """
        subscription = check_read_log(session, log)
        first = readable_after(session, subscription) + 1
        live_log = subscription.live_log
        log, head = live_log.log, live_log.head
        limit = max(1, limit)
        if not before:
            entries = await self._store.read(log, max(after, first - 1), limit)
            return entries, bool(entries) and entries[-1].seq < head
        page: list[Entry] = []
        size = 0
        end = min(before, head + 1)
        while end > first and len(page) < limit and size <= PAGE_BYTES:
            start = max(first, end - min(_CHUNK, limit - len(page)))
            chunk = await self._between(log, start, end)
            page = chunk + page
            size += sum(len(entry.body) for entry in chunk)
            end = start
            if not chunk:
                break
        while size > PAGE_BYTES and len(page) > 1:
            end = page[0].seq + 1
            size -= len(page.pop(0).body)
        return page, bool(page) and end > first and await self._exists(log, end - 1)

    async def _between(self, log: str, start: int, end: int) -> list[Entry]:
        """The entries with `start` <= seq < `end`."""
        entries: list[Entry] = []
        after = start - 1
        while after < end - 1:
            page = await self._store.read(log, after, end - 1 - after)
            entries += [entry for entry in page if entry.seq < end]
            if not page:
                break
            after = page[-1].seq
        return entries

    async def _exists(self, log: str, seq: int) -> bool:
        entries = await self._store.read(log, seq - 1, 1)
        return bool(entries) and entries[0].seq == seq

    async def clear_mailbox(self, session: Session, upto: int) -> None:
        """Remove the entries of the account's mailbox up to a seq, but none that waits, or that
        another session has still to be sent. The store makes room for others later."""
        mailbox = session.mailbox
        await self._store.trim(mailbox.log, min(upto, mailbox.consumed))
