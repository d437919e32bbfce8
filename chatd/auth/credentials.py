"""Who may log in: credentials, their checker and the portal of `twisted.cred`; hashing off the
reactor's thread; and slowing down those who guess.

Passwords are hashed with argon2id (RFC 9106, the library's recommended parameters for its
low-memory setting) and stored in PHC string format. An account without a password is *open*: its
name is enough.
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
from chatd.realm.accounts import Account
from chatd.realm.ack_session import AckSession
from chatd.realm.auto_ack_session import AutoAckSession
from chatd.realm.permissions import check_open, check_open_accounts
from chatd.realm.realm import Realm
from chatd.realm.session import Peer


class INameOnly(ICredentials):
    """Being someone by saying so: enough for an open account."""

    username: str = Attribute("The name of the account.")


class IPeerAddress(Interface):
    """Credentials that say where they come from, so that guessing can be slowed down by address."""

    address: str = Attribute("The address of the peer, without its port.")


class IAutoAckSession(Interface):
    """What a portal gives a protocol without acknowledgements: a
    `chatd.realm.auto_ack_session.AutoAckSession`."""


class IAckSession(Interface):
    """What a portal gives a protocol with acknowledgements: a
    `chatd.realm.ack_session.AckSession`."""


@implementer(INameOnly, IPeerAddress)
class NameOnly:
    """A name without a password; perhaps with the fingerprint of a certificate that the peer has
    shown to be its own."""

    def __init__(self, username: str, address: str, certificate: str | None = None) -> None:
        self.username = username
        self.address = address
        self.certificate = certificate


@implementer(IUsernamePassword, IPeerAddress)
class NamePassword:
    """A name and the password that came with it."""

    def __init__(self, username: str, password: str, address: str) -> None:
        self.username = username
        self.password = password
        self.address = address

    def checkPassword(self, password: bytes) -> bool:
        """Stored passwords are hashes, so there is nothing to compare with; see
        `AccountChecker`."""
        return False


@implementer(ICredentialsChecker)
class AccountChecker:
    """Checks names and passwords against the realm's accounts. The avatar id is the name as first
    written, and the account as it was when the right to it was proven."""

    credentialInterfaces = (INameOnly, IUsernamePassword)

    def __init__(self, realm: Realm, passwords: Passwords, clock: Any) -> None:
        self._realm = realm
        self._passwords = passwords
        self._clock = clock
        self._guesses = LoginThrottle(clock)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """Fires with the avatar id; fails with `UnknownAccount`, `PasswordRequired`,
        `WrongPassword`."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def prove(self, name: str, password: str | None, address: str) -> Account:
        """The account, if this is its password. Raises as `requestAvatarId`."""
        given = (
            NameOnly(name, address) if password is None else NamePassword(name, password, address)
        )
        _, account = await self._check(given)
        return account

    async def _check(self, credentials: NameOnly | NamePassword) -> tuple[str, Account]:
        found = await self._realm.accounts.account(credentials.username)
        if isinstance(credentials, NameOnly):
            if found is None:
                raise UnknownAccount()
            if (
                credentials.certificate is not None
                and credentials.certificate in found[1].certificates
            ):
                return found
            check_open(found[1])
            check_open_accounts(self._realm.policy)
            return found
        if found is not None and found[1].password is None:
            # An open account has no password that could be wrong; who it is was never in doubt.
            check_open_accounts(self._realm.policy)
            return found
        wait = self._guesses.attempt(credentials.username, credentials.address)
        if wait:
            await deferLater(self._clock, wait)
        if found is None:
            # It takes as long, and says the same, as when there is such an account.
            await self._passwords.verify(await self._passwords.decoy(), credentials.password)
            raise WrongPassword()
        name, account = found
        assert account.password is not None
        if not await self._passwords.verify(account.password, credentials.password):
            raise WrongPassword()
        self._guesses.succeeded(name, credentials.address)
        return found


@implementer(IRealm)
class CredRealm:
    """The realm as `twisted.cred` wants it: the mind is the peer, the avatar its session."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """(the interface, session, its logout), as a Deferred; fails with `AlreadyLoggedIn`."""
        name, account = avatarId
        if IAutoAckSession in interfaces:
            return Deferred.fromCoroutine(self._auto_ack_session(name, account, mind))
        if IAckSession in interfaces:
            return Deferred.fromCoroutine(self._ack_session(name, account, mind))
        raise NotImplementedError("only sessions are provided")

    async def _auto_ack_session(
        self, name: str, account: Account, peer: Peer
    ) -> tuple[Any, AutoAckSession, Callable[[], None]]:
        session = await self._realm.sessions.open_auto_ack_session(name, account, peer)
        return IAutoAckSession, session, session.end

    async def _ack_session(
        self, name: str, account: Account, peer: Peer
    ) -> tuple[Any, AckSession, Callable[[], None]]:
        session = await self._realm.sessions.open_ack_session(name, account, peer)
        return IAckSession, session, session.end


def portal(realm: Realm, passwords: Passwords, clock: Any) -> Portal:
    """The portal through which every protocol logs in."""
    return Portal(CredRealm(realm), [AccountChecker(realm, passwords, clock)])
