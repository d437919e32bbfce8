"""Version 1: presence and typing."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.protocols.v1.requests import ITEMS_PER_COMMAND, V1Connection, handles
from chatd.realm.session import Session


@handles(c.SayTyping)
async def typing(connection: V1Connection, session: Session, request: c.SayTyping) -> c.Message:
    """Notify an account, or the members of a room, that the sender is typing or has stopped."""
    await connection.realm.presence.notify_typing(session, request.recipient, request.typing)
    return c.Done(request.ref)


@handles(c.SetPresence)
async def set_presence(
    connection: V1Connection, session: Session, request: c.SetPresence
) -> c.Message:
    """Set the presence that others see."""
    await connection.realm.presence.set_presence(
        session, request.away, request.text, request.hidden
    )
    return c.Done(request.ref)


@handles(c.Who, only_reads=True)
async def who(connection: V1Connection, session: Session, request: c.Who) -> c.Message:
    """The presence of accounts; with `watch`, changes of it are pushed from now on."""
    states = await connection.realm.presence.find(session, request.names, request.watch)
    connection.charge(len(states) / ITEMS_PER_COMMAND)
    return c.People(
        request.ref,
        [c.Person(state.name, state.status, state.text, state.seen) for state in states],
    )


@handles(c.Unwatch)
async def unwatch(connection: V1Connection, session: Session, request: c.Unwatch) -> c.Message:
    """Push changes of the presence of these accounts no more."""
    connection.realm.presence.unwatch(session, request.names)
    return c.Done(request.ref)
