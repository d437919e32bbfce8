"""Version 1: registering, logging in and out, changing and finding accounts."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.core.errors import UnknownAccount
from chatd.protocols.v1.requests import V1Connection, handles, handles_unauthenticated
from chatd.realm.accounts import Account, fingerprints
from chatd.realm.session import Session


@handles_unauthenticated(c.Register)
async def register(connection: V1Connection, request: c.Register) -> c.Message:
    """Create an account."""
    await connection.factory.register(request.name, request.password, request.invite, connection)
    return c.Done(request.ref)


@handles_unauthenticated(c.LogIn)
async def log_in(connection: V1Connection, request: c.LogIn) -> None:
    """Open a session; entries are pushed from the client's positions on."""
    session = await connection.log_in(request.name, request.password)
    _begin(connection, session, request)
    await _send_token(connection, session)


@handles_unauthenticated(c.Resume)
async def resume(connection: V1Connection, request: c.Resume) -> None:
    """Open a session by a resume token or an access token, without hashing a password."""
    session = await connection.resume(request.name, request.token)
    _begin(connection, session, request)
    if not session.proof.access_token:
        await connection.realm.resume_tokens.resumed(session, request.token)


def _begin(connection: V1Connection, session: Session, request: c.LogIn | c.Resume) -> None:
    """Answer the log-in, and push entries from the client's positions on."""
    states = [connection.log_state(session, log) for log in session.subscriptions]
    scopes = [] if session.scope is None else list(session.scope.texts)
    connection.write(c.LoggedIn(request.ref, session.name, states, session.changed, scopes))
    since = {state.log: state.since for state in states}
    session.begin(
        {
            position.log: position.seq
            for position in request.positions
            if since.get(position.log) == position.since
        }
    )


async def _send_token(connection: V1Connection, session: Session) -> None:
    """Send the session a resume token, if its client wants one."""
    if "tokens" in connection.features:
        token = await connection.realm.resume_tokens.issue(session)
        if token:
            connection.write(c.Token(token))


@handles(c.LogOut)
async def log_out(connection: V1Connection, session: Session, request: c.LogOut) -> c.Message:
    """End the session; answered when the store has what it has acknowledged."""
    await connection.realm.positions.save()
    if not request.keep_token:
        await connection.realm.resume_tokens.revoke(session)
    connection.log_out()
    return c.Done(request.ref)


async def prove(connection: V1Connection, session: Session, password: str | None) -> Account:
    """The record of the session's account, if this is its password. Raises `WrongPassword`,
    `PasswordRequired`, `Busy`, `UnknownAccount` if the name belongs to another account by now."""
    account = await connection.factory.prove(session.name, password, connection, False)
    if account.id != session.account:
        raise UnknownAccount()
    return account


@handles(c.ChangePassword)
async def change_password(
    connection: V1Connection, session: Session, request: c.ChangePassword
) -> c.Message:
    """Change the password; other sessions of the account end."""
    account = await prove(connection, session, request.old)
    await connection.realm.set_password(session.name, request.new, account, session, connection)
    await _send_token(connection, session)
    return c.Done(request.ref)


@handles(c.SetCertificates)
async def set_certificates(
    connection: V1Connection, session: Session, request: c.SetCertificates
) -> c.Message:
    """Replace the certificates that log in to the account."""
    account = await prove(connection, session, request.password)
    certificates = fingerprints(request.fingerprints)
    if await connection.realm.set_certificates(session.name, certificates, account, session):
        await _send_token(connection, session)
    return c.Done(request.ref)


@handles(c.DeleteAccount)
async def delete_account(
    connection: V1Connection, session: Session, request: c.DeleteAccount
) -> c.Message:
    """Delete the account with its mailbox."""
    account = await prove(connection, session, request.password)
    await connection.realm.delete(session, account)
    if connection.session is session:
        connection.session = None
        connection.log_session_end(session)
    return c.Done(request.ref)


@handles(c.FindAccounts, only_reads=True)
async def find_accounts(
    connection: V1Connection, session: Session, request: c.FindAccounts
) -> c.Message:
    """List the accounts whose names match a pattern, a page at a time."""
    wanted = request.pattern, request.after, max(1, request.limit)
    find = connection.realm.accounts.find_accounts
    names, more = await connection.factory.listings.get(
        connection, ("v1", *wanted), lambda requester: find(*wanted, requester)
    )
    return c.Names(request.ref, names, more)
