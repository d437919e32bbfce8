"""Version 1: blocking accounts."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.protocols.v1.requests import V1Connection, handles
from chatd.realm.requester import NAMES_PER_COMMAND
from chatd.realm.session import Session


@handles(c.Block)
async def block(connection: V1Connection, session: Session, request: c.Block) -> c.Message:
    """Block an account, or unblock it."""
    await connection.realm.blocking.set_blocked(session, request.name, request.blocked)
    return c.Done(request.ref)


@handles(c.GetBlocked, only_reads=True)
async def get_blocked(
    connection: V1Connection, session: Session, request: c.GetBlocked
) -> c.Message:
    """The accounts that are blocked."""
    names = await connection.realm.blocking.names(session)
    connection.charge(len(names) / NAMES_PER_COMMAND)
    return c.Names(request.ref, names)
