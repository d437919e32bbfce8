"""Log-in: credentials, their checker, and the portal of `twisted.cred`.

An account without a password is *open*: its name is enough. Password hashing is in `passwords`, the
throttling of attempts in `throttle`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface, implementer

from chatd.auth.passwords import Passwords
from chatd.auth.throttle import LoginThrottle
from chatd.core.errors import UnknownAccount, WrongPassword
from chatd.realm.access_tokens import has_form
from chatd.realm.accounts import Account
from chatd.realm.peer import Peer
from chatd.realm.permissions import check_not_suspended, check_open, check_open_accounts
from chatd.realm.proof import BY_NAME_OR_PASSWORD, Proof
from chatd.realm.realm import Realm
from chatd.realm.requester import Client
from chatd.realm.session import Session


class INameOnly(ICredentials):
    """A name without a proof: enough for an open account."""

    username: str = Attribute("The name of the account.")


class IToken(ICredentials):
    """A name and a resume token or an access token of that account (`chatd.realm.resume_tokens`,
    `chatd.realm.access_tokens`)."""

    username: str = Attribute("The name of the account.")
    token: str = Attribute("The token.")


class IPeerAddress(Interface):
    """Credentials with the address of the peer, so that attempts are throttled by address."""

    address: str = Attribute("The address of the peer, without its port.")


class ISession(Interface):
    """The avatar of an account: a `chatd.realm.session.Session`."""


@implementer(INameOnly, IPeerAddress)
class NameOnly:
    """A name without a password, and the SHA-256 fingerprint of the client certificate of the
    connection (hexadecimal digits; None: it has none)."""

    def __init__(self, username: str, address: str, certificate: str | None = None) -> None:
        self.username = username
        self.address = address
        self.certificate = certificate


@implementer(IUsernamePassword, IPeerAddress)
class NamePassword:
    """A name and a password, and the client that has sent them."""

    def __init__(self, username: str, password: str, client: Client) -> None:
        self.username = username
        self.password = password
        self.client = client
        self.address = client.address

    def checkPassword(self, password: bytes) -> bool:
        """False: stored passwords are hashes, which only `AccountChecker` can compare with."""
        return False


@implementer(IToken, IPeerAddress)
class NameToken:
    """A name and a resume token or an access token."""

    def __init__(self, username: str, token: str, address: str) -> None:
        self.username = username
        self.token = token
        self.address = address


@implementer(ICredentialsChecker)
class AccountChecker:
    """Checks names, passwords and tokens against the realm's accounts. The avatar id has
    three parts: the name as first written, the record of the account that the proof was made
    against, and the proof."""

    credentialInterfaces = (INameOnly, IUsernamePassword, IToken)

    def __init__(self, realm: Realm, passwords: Passwords, clock: Any) -> None:
        self._realm = realm
        self._passwords = passwords
        self.throttle = LoginThrottle(clock, realm.limits)
        realm.counters.watch_queue("attempts to log in", lambda: self.throttle.waiting)
        realm.counters.watch_queue("log-ins to be checked", lambda: self._passwords.waiting[0])
        realm.counters.watch_queue("passwords to be hashed", lambda: self._passwords.waiting[1])

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """Fires with the avatar id; fails with `UnknownAccount`, `PasswordRequired`,
        `WrongPassword`, `Busy`; with `Disconnected` if the client is not there any more."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def prove(
        self, name: str, password: str | None, client: Client, logging_in: bool
    ) -> Account:
        """The record of the account, if this is its password (None: it is open). `logging_in`:
        without a session of the account. Raises as `requestAvatarId`, and `Suspended` after
        that."""
        credentials = (
            NameOnly(name, client.address)
            if password is None
            else NamePassword(name, password, client)
        )
        _, account, _ = await self._check(credentials, logging_in)
        check_not_suspended(account, self._realm.now())
        return account

    async def _check(
        self, credentials: NameOnly | NamePassword | NameToken, logging_in: bool = True
    ) -> tuple[str, Account, Proof]:
        if isinstance(credentials, NameToken):
            return await self._check_token(credentials)
        account = await self._realm.accounts.account(credentials.username)
        if isinstance(credentials, NameOnly):
            if account is None:
                raise UnknownAccount()
            if (
                credentials.certificate is not None
                and credentials.certificate in account[1].certificates
            ):
                self.throttle.proven(account[1].id, credentials.address)
                return *account, Proof(credentials.certificate)
            check_open(account[1])
            check_open_accounts(self._realm.policy)
            return *account, BY_NAME_OR_PASSWORD
        if account is not None and account[1].password is None:
            # An open account has no password that could be wrong.
            check_open_accounts(self._realm.policy)
            return *account, BY_NAME_OR_PASSWORD
        # If there is no account, this is as slow, and refused with the same text, as if there were.
        id, hashed = (None, None) if account is None else (account[1].id, account[1].password)
        attempt = await self.throttle.begin(credentials.username, id, credentials.client)
        right = None
        try:
            right = await self._passwords.verify(
                hashed, credentials.password, credentials.client, logging_in
            )
        finally:
            self.throttle.end(attempt, right)
        if account is None or not right:
            raise WrongPassword()
        return *account, BY_NAME_OR_PASSWORD

    async def _check_token(self, credentials: NameToken) -> tuple[str, Account, Proof]:
        """No password is hashed, so a right token is accepted and a wrong one refused at once. It
        cannot be guessed, so a wrong one delays nothing: a stranger could delay the owner by it."""
        realm, token = self._realm, credentials.token
        tokens = realm.access_tokens if has_form(token) else realm.resume_tokens
        account = await tokens.account(credentials.username, token)
        if account is None:
            raise WrongPassword()
        if account[1].password is None:
            check_open_accounts(self._realm.policy)
        self.throttle.proven(account[1].id, credentials.address)
        return account


@implementer(IRealm)
class CredRealm:
    """The realm as an `IRealm` of `twisted.cred`: the mind is the peer, the avatar its session."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """Fires with (interface, session, log-out function). Fails with `AlreadyLoggedIn`,
        `UnknownAccount`, `StoreUnavailable`."""
        if ISession not in interfaces:
            raise ValueError(f"an avatar is an {ISession}, not {interfaces}")
        name, account, proof = avatarId
        return Deferred.fromCoroutine(self._session(name, account, mind, proof))

    async def _session(
        self, name: str, account: Account, peer: Peer, proof: Proof
    ) -> tuple[Any, Session, Callable[[], None]]:
        session = await self._realm.sessions.open(name, account, peer, proof)
        if proof.access_token:
            await self._realm.access_tokens.opened(session)
        return ISession, session, session.end


def portal(realm: Realm, passwords: Passwords, clock: Any) -> Portal:
    """The portal through which every protocol logs in."""
    return Portal(CredRealm(realm), [AccountChecker(realm, passwords, clock)])
