"""What is said about an entry: edits, deletions, reactions, receipts, reports; and reading a log
again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from chatd.core.entries import DELETION, EDIT, REACTION, REPORT, TEXT, Cursor, Entry
from chatd.core.errors import UnknownEntry, UnknownLog
from chatd.core.limits import Limits
from chatd.core.names import mailbox_log
from chatd.realm.accounts import Accounts
from chatd.realm.ack_session import AckSession
from chatd.realm.mailbox import CURSOR, READING, Mailbox, ReadState, RoomPosition
from chatd.realm.permissions import check_author, check_retract, check_text, is_author
from chatd.realm.rooms import Rooms
from chatd.realm.tasks import gather
from chatd.stores import PAGE_BYTES, Append, Store

REPORTS = mailbox_log("server")
"""the log that operators read: nobody can be called that"""

_EXCERPT = 500
_READ_AT_ONCE = 1_000
_CHUNK = 32


class Context(Protocol):
    """What remarks need of the realm."""

    store: Store
    limits: Limits
    rooms: Rooms
    accounts: Accounts

    def append(self, append: Append) -> None:
        """Put an entry into a log; its origin is told. `flush` is the caller's."""

    def new_id(self) -> int:
        """An id for an entry."""

    def now(self) -> int:
        """Milliseconds since 1970 (UTC)."""

    def note(self, log: str, sender: str, kind: str, body: str) -> None:
        """Append an entry of which nobody waits to hear; `flush` is the caller's."""

    def mailbox(self, name: str) -> Mailbox | None:
        """That of an account somebody is logged in as, perhaps."""

    def following(self, name: str) -> list[AckSession]:
        """The sessions of an account that follow logs."""


class Remarks:
    """About entries that a session may read, or has written."""

    def __init__(self, house: Context) -> None:
        self._context = house
        self._store = house.store

    async def _entry(self, session: AckSession, log: str, seq: int) -> Entry:
        """An entry of a log that the session follows, or one it wrote to somebody. Raises
        `UnknownEntry`."""
        if seq < 1 or (log.startswith("#") and log not in session.subscriptions):
            raise UnknownEntry()
        entries = await self._store.read(log, seq - 1, 1)
        if not entries or entries[0].seq != seq:
            raise UnknownEntry()
        entry = entries[0]
        if log not in session.subscriptions and not is_author(session, entry):
            raise UnknownEntry()
        return entry

    async def edit(
        self, session: AckSession, log: str, seq: int, text: str, key: str | None, message: Any
    ) -> None:
        """Replace a text; the session is answered when that is durable. Raises `UnknownEntry`,
        `NotTheAuthor`, `TextTooLong`."""
        check_text(text, self._context.limits.text)
        entry = await self._entry(session, log, seq)
        check_author(session, entry)
        await self._check_reachable(session, log)
        self._append(session, log, EDIT, text, entry.id, key, message)

    async def retract(
        self, session: AckSession, log: str, seq: int, key: str | None, message: Any
    ) -> None:
        """Delete a message; the session is answered when that is durable. Raises `UnknownEntry`,
        `NotTheAuthor`."""
        entry = await self._entry(session, log, seq)
        check_retract(session, entry, self._context.rooms.loaded(log))
        self._append(session, log, DELETION, "", entry.id, key, message)

    async def react(
        self, session: AckSession, log: str, seq: int, reaction: str, key: str | None, message: Any
    ) -> None:
        """React to a message; the session is answered when that is durable. Raises `UnknownEntry`,
        `UnknownAccount`, `Blocked`."""
        entry = await self._entry(session, log, seq)
        if log == session.mailbox.log:
            log = await self._context.accounts.check_reachable(entry.sender, session.name)
        else:
            await self._check_reachable(session, log)
        self._append(session, log, REACTION, reaction, entry.id, key, message)

    async def _check_reachable(self, session: AckSession, log: str) -> None:
        if log.startswith("@") and log != session.mailbox.log:
            await self._context.accounts.check_reachable(log[1:], session.name)

    def _append(
        self,
        session: AckSession,
        log: str,
        kind: str,
        body: str,
        about: int,
        key: str | None,
        message: Any,
    ) -> None:
        house = self._context
        self._context.append(
            Append(
                log,
                house.new_id(),
                house.now(),
                session.name,
                body,
                session,
                message,
                kind,
                key,
                about,
            )
        )

    # Receipts

    def delivered(self, log: str, due: dict[str, list[int]]) -> None:
        """Tell those who sent these entries."""
        self._tell(log, "delivered", due)

    def _tell(self, log: str, what: str, due: dict[str, list[int]]) -> None:
        for sender, seqs in due.items():
            for session in self._context.following(sender):
                if session.wants_receipts:
                    session.peer.receipt(log, what, seqs)

    async def mark_read(self, session: AckSession, log: str, seq: int) -> None:
        """A person has read up to there; those who wrote to it hear of it. Raises `UnknownLog`,
        `UnknownEntry`."""
        subscription = session.subscriptions.get(log)
        if subscription is None:
            raise UnknownLog()
        if seq > subscription.live_log.head:
            raise UnknownEntry()
        mailbox = session.mailbox
        read_state = mailbox.read_state
        place = read_state.places.get(log)
        before = read_state.read if place is None else place.read
        if seq <= before:
            return
        if place is None:
            read_state.read = seq
        else:
            read_state.places[log] = RoomPosition(place.since, place.cursor, seq)
        mailbox.keep_soon()
        for other in self._context.following(session.name):
            if other is not session and other.wants_receipts:
                other.peer.receipt(log, "read", [seq])
        if place is None:
            start = max(before, seq - _READ_AT_ONCE)
            entries = await self._store.read(log, start, seq - start)
            due: dict[str, list[int]] = {}
            for entry in entries:
                if entry.seq <= seq and entry.kind == TEXT:
                    due.setdefault(entry.sender, []).append(entry.seq)
            self._tell(log, "read", due)

    async def receipts(
        self, session: AckSession, log: str, seqs: Iterable[int]
    ) -> list[tuple[int, bool, bool]]:
        """(seq, delivered, read) of entries that this account sent to the inbox `log`.

        Raises `UnknownLog`.
        """
        if not log.startswith("@"):
            raise UnknownLog()
        wanted = list(dict.fromkeys(seq for seq in seqs if seq > 0))
        stored_cursor, stored_reading, *pages = await gather(
            self._store.get(CURSOR, log),
            self._store.get(READING, log),
            *(self._store.read(log, seq - 1, 1) for seq in wanted),
        )
        mailbox = self._context.mailbox(log[1:])
        cursor, read_state = (
            _decoded(stored_cursor, Cursor()),
            _decoded(stored_reading, ReadState()),
        )
        if mailbox is not None and mailbox.loaded:
            cursor, read_state = mailbox.known, mailbox.read_state
        own = [
            seq
            for seq, page in zip(wanted, pages, strict=True)
            if page and page[0].seq == seq and is_author(session, page[0])
        ]
        return [
            (seq, cursor.has(seq) or seq <= read_state.read, seq <= read_state.read) for seq in own
        ]

    # Reading again

    async def history(
        self, session: AckSession, log: str, after: int, before: int, limit: int
    ) -> tuple[list[Entry], bool]:
        """Entries after seq `after`, or, with `before` greater than 0, the last ones before it;
        oldest first. At most `limit` and about `PAGE_BYTES` of text, and whether there are others
        beyond. Raises `UnknownLog`."""
        if log not in session.subscriptions:
            raise UnknownLog()
        head = session.subscriptions[log].live_log.head
        limit = max(1, limit)
        if not before:
            entries = await self._store.read(log, after, limit)
            return entries, bool(entries) and entries[-1].seq < head
        found: list[Entry] = []
        size = 0
        at = min(before, head + 1)
        while at > 1 and len(found) < limit and size <= PAGE_BYTES:
            start = max(1, at - min(_CHUNK, limit - len(found)))
            part = await self._between(log, start, at)
            found = part + found
            size += sum(len(entry.body) for entry in part)
            at = start
            if not part:
                break
        while size > PAGE_BYTES and len(found) > 1:
            at = found[0].seq + 1
            size -= len(found.pop(0).body)
        return found, bool(found) and at > 1 and await self._exists(log, at - 1)

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

    # To the operators

    async def report(self, session: AckSession, name: str, reason: str, log: str, seq: int) -> None:
        """Tell the operators of an account, perhaps of an entry it wrote. Raises `UnknownAccount`,
        `UnknownEntry`."""
        shown = await self._context.accounts.display_name(name)
        body = f"{shown}: {reason}"
        if log:
            entry = await self._entry(session, log, seq)
            if entry.sender.lower() != shown.lower():
                raise UnknownEntry(f"that entry is not by {shown}")
            body += f"\n{log} {seq}: {entry.body[:_EXCERPT]}"
        self._context.note(REPORTS, session.name, REPORT, body)


def _decoded(document: Any, nothing: Any) -> Any:
    return (
        nothing if document is None else msgspec.msgpack.decode(document.body, type=type(nothing))
    )
