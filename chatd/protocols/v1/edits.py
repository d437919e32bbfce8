"""Version 1: edits, deletions and reactions. They are answered when they are durable."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.protocols.v1.requests import V1Connection, handles
from chatd.realm.session import Session


@handles(c.Edit)
async def edit(connection: V1Connection, session: Session, request: c.Edit) -> None:
    """Replace the text of a message."""
    await connection.realm.edits.edit(session, request.log, request.seq, request.text, request.key)
    connection.pending.append(request)


@handles(c.Retract)
async def delete(connection: V1Connection, session: Session, request: c.Retract) -> None:
    """Delete a message."""
    await connection.realm.edits.delete(session, request.log, request.seq, request.key)
    connection.pending.append(request)


@handles(c.React)
async def react(connection: V1Connection, session: Session, request: c.React) -> None:
    """React to a message."""
    await connection.realm.edits.react(
        session, request.log, request.seq, request.reaction, request.key
    )
    connection.pending.append(request)
