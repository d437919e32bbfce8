"""Version 1: moderation of rooms."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.codecs import v1_messages as c
from chatd.protocols.v1.requests import ITEMS_PER_COMMAND, V1Connection, handles
from chatd.realm.moderation import Restriction
from chatd.realm.session import Session


@handles(c.Ban)
async def ban(connection: V1Connection, session: Session, request: c.Ban) -> c.Message:
    """Ban an account or a pattern of names from a room."""
    await connection.realm.rooms.ban(
        session, request.room, request.name, request.seconds, request.reason
    )
    return c.Done(request.ref)


@handles(c.Unban)
async def unban(connection: V1Connection, session: Session, request: c.Unban) -> c.Message:
    """End a ban."""
    await connection.realm.rooms.unban(session, request.room, request.name)
    return c.Done(request.ref)


@handles(c.FindBans, only_reads=True)
async def find_bans(connection: V1Connection, session: Session, request: c.FindBans) -> c.Message:
    """List the bans of a room, a page at a time."""
    listed, more = await connection.realm.rooms.bans(
        session, request.room, request.after, max(1, request.limit)
    )
    return _answer(connection, request.ref, listed, more)


@handles(c.Silence)
async def silence(connection: V1Connection, session: Session, request: c.Silence) -> c.Message:
    """Silence an account in a room."""
    await connection.realm.rooms.silence(
        session, request.room, request.name, request.seconds, request.reason
    )
    return c.Done(request.ref)


@handles(c.Unsilence)
async def unsilence(connection: V1Connection, session: Session, request: c.Unsilence) -> c.Message:
    """Let a silenced account send again."""
    await connection.realm.rooms.unsilence(session, request.room, request.name)
    return c.Done(request.ref)


@handles(c.FindSilenced, only_reads=True)
async def find_silenced(
    connection: V1Connection, session: Session, request: c.FindSilenced
) -> c.Message:
    """List the silenced accounts of a room, a page at a time."""
    listed, more = await connection.realm.rooms.silences(
        session, request.room, request.after, max(1, request.limit)
    )
    return _answer(connection, request.ref, listed, more)


def _answer(
    connection: V1Connection, ref: int, listed: Sequence[Restriction], more: bool
) -> c.Restrictions:
    connection.charge(len(listed) / ITEMS_PER_COMMAND)
    return c.Restrictions(ref, [c.Restriction(*restriction) for restriction in listed], more)
