"""Version 1: making, listing and revoking access tokens."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.protocols.v1.accounts import prove
from chatd.protocols.v1.requests import V1Connection, handles
from chatd.realm.session import Session


@handles(c.CreateAccessToken)
async def create_access_token(
    connection: V1Connection, session: Session, request: c.CreateAccessToken
) -> c.Message:
    """Make a token of the account."""
    account = await prove(connection, session, request.password)
    token, record = await connection.realm.access_tokens.create(
        session.name, account, request.name, request.scopes, request.seconds or None, True
    )
    return c.NewAccessToken(request.ref, token, record.expires or 0)


@handles(c.GetAccessTokens)
async def get_access_tokens(
    connection: V1Connection, session: Session, request: c.GetAccessTokens
) -> c.Message:
    """List the tokens of the account."""
    tokens = await connection.realm.access_tokens.listing(session.account)
    return c.AccessTokens(
        request.ref,
        [
            c.AccessTokenInfo(
                token.name,
                [grant.text for grant in token.grants],
                token.created,
                token.expires or 0,
                token.used,
                sessions,
                token.by_operator,
            )
            for token, sessions in tokens
        ],
    )


@handles(c.RevokeAccessToken)
async def revoke_access_token(
    connection: V1Connection, session: Session, request: c.RevokeAccessToken
) -> c.Message | None:
    """End a token of the account, and the sessions that it has opened."""
    key = await connection.realm.access_tokens.revoke(
        session.name, session.account, request.name, session
    )
    if session.proof.access_token != key or session.ended:
        return c.Done(request.ref)
    connection.write(c.Done(request.ref))
    session.end()
    session.peer.session_ended("token-ended", "The access token of this session has been revoked.")
    return None
