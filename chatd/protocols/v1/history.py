"""Version 1: reading a log again, and clearing the own mailbox."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.protocols.v1.requests import ITEMS_PER_COMMAND, V1Connection, handles
from chatd.realm.session import Session


@handles(c.History, only_reads=True)
async def history(connection: V1Connection, session: Session, request: c.History) -> c.Message:
    """A page of a log, after or before a position."""
    entries, more = await connection.realm.history.page(
        session, request.log, request.after, request.before, request.limit
    )
    connection.charge(len(entries) / ITEMS_PER_COMMAND)
    return c.Page(
        request.ref,
        request.log,
        [
            c.Item(
                entry.seq, entry.id, entry.time, entry.sender, entry.kind, entry.body, entry.about
            )
            for entry in entries
        ],
        more,
    )


@handles(c.ClearMailbox)
async def clear_mailbox(
    connection: V1Connection, session: Session, request: c.ClearMailbox
) -> c.Message:
    """Remove the oldest entries of the account's mailbox."""
    await connection.realm.history.clear_mailbox(session, request.upto)
    return c.Done(request.ref)
