"""Version 1: acknowledgements, read markers, and the receipts of what was sent."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.protocols.v1.requests import ITEMS_PER_COMMAND, V1Connection, handles
from chatd.realm.session import Session


@handles(c.Ack)
async def acknowledge(connection: V1Connection, session: Session, request: c.Ack) -> c.Message:
    """Acknowledge entries; with a `ref`, answered when the store has recorded it."""
    session.acknowledge(request.log, request.first, request.last, request.since)
    if request.ref:
        await connection.realm.positions.save()
    return c.Done(request.ref)


@handles(c.MarkRead)
async def mark_read(connection: V1Connection, session: Session, request: c.MarkRead) -> c.Message:
    """Set a read marker; with a `ref`, answered when the store has recorded it."""
    await connection.realm.receipts.mark_read(session, request.log, request.seq)
    if request.ref:
        await connection.realm.positions.save()
    return c.Done(request.ref)


@handles(c.GetReceipts, only_reads=True)
async def get_receipts(
    connection: V1Connection, session: Session, request: c.GetReceipts
) -> c.Message:
    """Whether entries that the account sent have been delivered and read."""
    states = await connection.realm.receipts.states(session, request.log, request.seqs)
    connection.charge(len(request.seqs) / ITEMS_PER_COMMAND)
    return c.Receipts(request.ref, request.log, [c.ReceiptState(*state) for state in states])
