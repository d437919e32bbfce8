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
from twisted.internet.task import deferLater
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
from chatd.realm.session import Session


class INameOnly(ICredentials):
    """A name without a proof: enough for an open account."""

    username: str = Attribute("The name of the account.")


class IToken(ICredentials):
    """A name and a resume token or an access token of that account (`chatd.realm.tokens`,
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
    """A name and a password."""

    def __init__(self, username: str, password: str, address: str) -> None:
        self.username = username
        self.password = password
        self.address = address

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
        self._clock = clock
        self._throttle = LoginThrottle(clock)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """Fires with the avatar id; fails with `UnknownAccount`, `PasswordRequired`,
        `WrongPassword`."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def prove(self, name: str, password: str | None, address: str) -> Account:
        """The record of the account, if this is its password (None: it is open). Raises as
        `requestAvatarId`, and `Suspended` after that."""
        credentials = (
            NameOnly(name, address) if password is None else NamePassword(name, password, address)
        )
        _, account, _ = await self._check(credentials)
        check_not_suspended(account, self._realm.now())
        return account

    async def _check(
        self, credentials: NameOnly | NamePassword | NameToken
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
                return *account, Proof(credentials.certificate)
            check_open(account[1])
            check_open_accounts(self._realm.policy)
            return *account, BY_NAME_OR_PASSWORD
        if account is not None and account[1].password is None:
            # An open account has no password that could be wrong.
            check_open_accounts(self._realm.policy)
            return *account, BY_NAME_OR_PASSWORD
        wait = self._throttle.attempt(credentials.username, credentials.address)
        if wait:
            await deferLater(self._clock, wait)
        if account is None:
            # As slow, and refused with the same text, as if there were such an account.
            await self._passwords.verify(await self._passwords.decoy(), credentials.password)
            raise WrongPassword()
        name, record = account
        assert record.password is not None
        if not await self._passwords.verify(record.password, credentials.password):
            raise WrongPassword()
        self._throttle.succeeded(name, credentials.address)
        return name, record, BY_NAME_OR_PASSWORD

    async def _check_token(self, credentials: NameToken) -> tuple[str, Account, Proof]:
        """No password is hashed, so a right token is accepted and a wrong one refused at once: it
        cannot be guessed. A wrong one counts as an attempt, and delays later passwords."""
        tokens = self._realm.access_tokens if has_form(credentials.token) else self._realm.tokens
        account = await tokens.account(credentials.username, credentials.token)
        if account is None:
            self._throttle.attempt(credentials.username, credentials.address)
            raise WrongPassword()
        if account[1].password is None:
            check_open_accounts(self._realm.policy)
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
