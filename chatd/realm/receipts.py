"""Receipts: notifying senders that their messages have been delivered or read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chatd.core.entries import TEXT, Cursor
from chatd.core.errors import UnknownEntry
from chatd.core.names import mailbox_log, mailbox_owner
from chatd.realm.context import Context
from chatd.realm.mailbox import Mailbox
from chatd.realm.permissions import check_read_log, check_receipts, is_author
from chatd.realm.session import Session
from chatd.realm.tasks import gather

DELIVERED, READ = "delivered", "read"

_READ_AT_ONCE = 1_000
"""how many of the latest messages one read marker gives receipts for"""


class Receipts:
    """Read markers, and the receipts that acknowledgements and read markers give."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def notify_delivered(self, mailbox: Mailbox, seqs: Mapping[int, Sequence[int]]) -> None:
        """Notify senders that entries of a mailbox have been delivered: the seqs by the sender's
        id."""
        self._notify(mailbox.name, DELIVERED, seqs)

    def _notify(self, log: str, state: str, seqs: Mapping[int, Sequence[int]]) -> None:
        def notify() -> None:
            for sender, own_seqs in seqs.items():
                for session in self._context.sessions.of(sender):
                    if session.wants_receipts:
                        session.peer.receipt(log, state, own_seqs)

        # A receipt follows the answer to the message.
        self._context.when_answered(notify)

    async def mark_read(self, session: Session, log: str, seq: int) -> None:
        """Set the read marker of an account in a log, and notify its other sessions and, for a
        mailbox, the senders. A marker only moves forwards.

        Raises `UnknownLog`, `UnknownEntry`.
        """
        live_log = check_read_log(session, log).live_log
        if seq > live_log.head:
            raise UnknownEntry()
        mailbox = session.mailbox
        membership = mailbox.memberships.get(log)
        state = mailbox.state if membership is None else membership.state
        before = state.read
        if seq <= before:
            return
        state.read = seq
        self._context.positions.changed(state, session.options.save_within)
        for other in mailbox.sessions:
            if other is not session and other.wants_receipts:
                other.peer.receipt(log, READ, [seq])
        if membership is None:
            await self._notify_read(mailbox, max(before, seq - _READ_AT_ONCE), seq)

    async def _notify_read(self, mailbox: Mailbox, after: int, upto: int) -> None:
        seqs: dict[int, list[int]] = {}
        # A page of long texts has fewer entries than were asked for.
        while after < upto:
            entries = await self._store.read(mailbox.log, after, upto - after)
            if not entries:
                break
            for entry in entries:
                if entry.seq <= upto and entry.kind == TEXT:
                    seqs.setdefault(entry.author, []).append(entry.seq)
            after = entries[-1].seq
        self._notify(mailbox.name, READ, seqs)

    async def states(
        self, session: Session, log: str, seqs: Iterable[int]
    ) -> list[tuple[int, bool, bool]]:
        """Return (seq, delivered, read) for each of `seqs` that this account sent to the mailbox
        that clients know by `log`. Raises `UnknownLog`."""
        check_receipts(log)
        wanted = list(dict.fromkeys(seq for seq in seqs if seq > 0))
        account = await self._context.accounts.account(mailbox_owner(log))
        if account is None:
            return []
        owner = account[1].id
        positions, *pages = await gather(
            self._store.positions(owner, mailbox_log(owner)),
            *(self._store.read(mailbox_log(owner), seq - 1, 1) for seq in wanted),
        )
        mailbox = self._context.sessions.mailbox(owner)
        cursor, read = Cursor(), 0
        for position in positions:
            cursor, read = position.cursor, position.read
        if mailbox is not None and mailbox.loaded:
            cursor, read = mailbox.state.cursor, mailbox.state.read
        own = [
            seq
            for seq, page in zip(wanted, pages, strict=True)
            if page and page[0].seq == seq and is_author(session, page[0])
        ]
        return [(seq, cursor.has(seq) or seq <= read, seq <= read) for seq in own]
