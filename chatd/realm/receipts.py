"""Receipts: notifying senders that their messages have been delivered or read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chatd.core.entries import TEXT, Cursor
from chatd.core.errors import UnknownEntry
from chatd.core.names import mailbox_owner
from chatd.realm.ack_session import AckSession
from chatd.realm.context import Context
from chatd.realm.permissions import check_read_log, check_receipts, is_author
from chatd.realm.read_state import ReadState, RoomPosition
from chatd.realm.tasks import gather

DELIVERED, READ = "delivered", "read"

_READ_AT_ONCE = 1_000
"""how many of the latest messages one read marker gives receipts for"""


class Receipts:
    """Read markers, and the receipts that acknowledgements and read markers give."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def notify_delivered(self, log: str, seqs: Mapping[str, Sequence[int]]) -> None:
        """Notify senders that entries of `log` have been delivered: the seqs by sender."""
        self._notify(log, DELIVERED, seqs)

    def _notify(self, log: str, state: str, seqs: Mapping[str, Sequence[int]]) -> None:
        for sender, own_seqs in seqs.items():
            for session in self._context.sessions.ack_sessions(sender):
                if session.wants_receipts:
                    session.peer.receipt(log, state, own_seqs)

    async def mark_read(self, session: AckSession, log: str, seq: int) -> None:
        """Set the read marker of an account in a log, and notify its other sessions and, for a
        mailbox, the senders. A marker only moves forwards.

        Raises `UnknownLog`, `UnknownEntry`.
        """
        if seq > check_read_log(session, log).live_log.head:
            raise UnknownEntry()
        mailbox = session.mailbox
        read_state = mailbox.read_state
        position = read_state.positions.get(log)
        before = read_state.read if position is None else position.read
        if seq <= before:
            return
        if position is None:
            read_state.read = seq
        else:
            read_state.positions[log] = RoomPosition(position.since, position.cursor, seq)
        mailbox.saved_state.save_soon()
        for other in self._context.sessions.ack_sessions(session.name):
            if other is not session and other.wants_receipts:
                other.peer.receipt(log, READ, [seq])
        if position is None:
            await self._notify_read(log, max(before, seq - _READ_AT_ONCE), seq)

    async def _notify_read(self, log: str, after: int, upto: int) -> None:
        entries = await self._store.read(log, after, upto - after)
        seqs: dict[str, list[int]] = {}
        for entry in entries:
            if entry.seq <= upto and entry.kind == TEXT:
                seqs.setdefault(entry.sender, []).append(entry.seq)
        self._notify(log, READ, seqs)

    async def states(
        self, session: AckSession, log: str, seqs: Iterable[int]
    ) -> list[tuple[int, bool, bool]]:
        """Return (seq, delivered, read) for each of `seqs` that this account sent to the mailbox
        `log`. Raises `UnknownLog`."""
        check_receipts(log)
        wanted = list(dict.fromkeys(seq for seq in seqs if seq > 0))
        stored_cursor, stored_read_state, *pages = await gather(
            self._context.documents.get(Cursor, log),
            self._context.documents.get(ReadState, log),
            *(self._store.read(log, seq - 1, 1) for seq in wanted),
        )
        mailbox = self._context.sessions.mailbox(mailbox_owner(log))
        if mailbox is not None and mailbox.loaded:
            cursor, read_state = mailbox.acknowledged, mailbox.read_state
        else:
            cursor = Cursor() if stored_cursor is None else stored_cursor.record
            read_state = ReadState() if stored_read_state is None else stored_read_state.record
        own = [
            seq
            for seq, page in zip(wanted, pages, strict=True)
            if page and page[0].seq == seq and is_author(session, page[0])
        ]
        return [
            (seq, cursor.has(seq) or seq <= read_state.read, seq <= read_state.read) for seq in own
        ]
