"""Version 1: what client and server tell each other about themselves, and keep-alive."""

from __future__ import annotations

from chatd import __version__
from chatd.codecs import v1_messages as c
from chatd.protocols.v1.requests import V1Connection, handles_unauthenticated


@handles_unauthenticated(c.Hello)
async def hello(connection: V1Connection, request: c.Hello) -> c.Message:
    """Note the features that the client wants; answer with the server's version and limits."""
    connection.features = c.FEATURES & frozenset(request.features)
    if connection.session is not None:
        connection.apply_features(connection.session)
    realm = connection.realm
    limits = realm.limits
    return c.Welcome(
        request.ref,
        "chatd",
        __version__,
        c.Limits(
            limits.text,
            limits.topic,
            limits.pattern,
            limits.page,
            limits.rate or 0.0,
            connection.longest_frame,
        ),
        realm.policy.registration,
        realm.policy.open_accounts,
        realm.now(),
        limits.idle_time,
    )


@handles_unauthenticated(c.Ping)
async def ping(connection: V1Connection, request: c.Ping) -> c.Message:
    """Answer, so that the client knows that the server is there."""
    return c.Pong(request.ref)


@handles_unauthenticated(c.Pong)
async def pong(connection: V1Connection, request: c.Pong) -> None:
    """That the client has sent anything is all that counts."""
