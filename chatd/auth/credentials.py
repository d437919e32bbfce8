"""Who may log in: credentials, their checker and the portal of `twisted.cred`; hashing off the reactor's
thread; and slowing down those who guess.

Passwords are hashed with argon2id (RFC 9106, the library's recommended parameters for its low-memory
setting) and stored in PHC string format. An account without a password is *open*: its name is enough.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from secrets import token_hex
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import Attribute, Interface, implementer

from chatd.core.errors import Busy, PasswordTooLong, UnknownAccount, WrongPassword
from chatd.core.limits import Limits
from chatd.realm.account import Account
from chatd.realm.ack_session import FollowingPeer, FollowingSession
from chatd.realm.auto_ack_session import ClaimingPeer, ClaimingSession
from chatd.realm.permissions import check_open, check_open_accounts
from chatd.realm.realm import Realm

T = TypeVar("T")


class INamed(ICredentials):
    """Being someone by saying so: enough for an open account."""

    username: str = Attribute("The name of the account.")


class IFrom(Interface):
    """Credentials that say where they come from, so that guessing can be slowed down by address."""

    address: str = Attribute("The address of the peer, without its port.")


class IClaimingSession(Interface):
    """What a portal gives a protocol without acknowledgements: a `chatd.realm.auto_ack_session.ClaimingSession`."""


class IFollowingSession(Interface):
    """What a portal gives a protocol with acknowledgements: a `chatd.realm.ack_session.FollowingSession`."""


@implementer(INamed, IFrom)
class Named:
    """A name without a password; perhaps with the fingerprint of a certificate that the peer has shown to be
    its own."""

    def __init__(self, username: str, address: str, certificate: str | None = None) -> None:
        self.username = username
        self.address = address
        self.certificate = certificate


@implementer(IUsernamePassword, IFrom)
class NamedWithPassword:
    """A name and the password that came with it."""

    def __init__(self, username: str, password: str, address: str) -> None:
        self.username = username
        self.password = password
        self.address = address

    def checkPassword(self, password: bytes) -> bool:
        """Stored passwords are hashes, so there is nothing to compare with; see `AccountChecker`."""
        return False


class Passwords:
    """Hashing and comparing, on threads of their own, with a bounded queue before them."""

    def __init__(self, reactor: Any, limits: Limits, hasher: PasswordHasher | None = None) -> None:
        self._reactor = reactor
        self._limits = limits
        self._hasher = hasher or PasswordHasher()
        self._pool = ThreadPool(0, 2, "chatd-passwords")
        self._waiting = 0
        self._decoy = ""

    def start(self) -> None:
        """Start taking work."""
        self._pool.start()

    def stop(self) -> None:
        """Finish what was begun."""
        self._pool.stop()

    async def hash(self, password: str) -> str:
        """The hash of a new password, in PHC string format. Raises `PasswordTooLong`, `Busy`."""
        if len(password) > self._limits.password:
            raise PasswordTooLong()
        return await self._run(self._hasher.hash, password)

    async def verify(self, hashed: str, password: str) -> bool:
        """Whether `password` is the one that was hashed; compared in constant time. Raises `Busy`."""
        if len(password) > self._limits.password:
            return False
        return await self._run(self._verify, hashed, password)

    async def decoy(self) -> str:
        """A hash that no password is known for."""
        if not self._decoy:
            self._decoy = await self._run(self._hasher.hash, token_hex())
        return self._decoy

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        if self._waiting >= self._limits.hashes:
            raise Busy("too many passwords are being checked at the moment; try again later")
        self._waiting += 1
        try:
            return await deferToThreadPool(self._reactor, self._pool, function, *args)
        finally:
            self._waiting -= 1


class Guesses:
    """When the next attempt at an account, or from an address, is looked at.

    Each attempt takes the next free moment, so that many at once gain nothing. The first three are free;
    then the gap after each doubles from half a second, up to 10 s for an account (its owner has to wait,
    too) and 60 s for an address. The right password, or an hour's peace, forgives.
    """

    _FREE = 3
    _FIRST = 0.5
    _LONGEST_WAIT = 60.0
    _PEACE = 3600.0
    _REMEMBERED = 10_000

    def __init__(self, clock: Any) -> None:
        self._now: Callable[[], float] = IReactorTime(clock).seconds
        # How many attempts there were, and when the next one may be looked at.
        self._attempts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def attempt(self, account: str, address: str) -> float:
        """How many seconds this attempt has to wait. Raises `Busy` when too many are waiting."""
        now = self._now()
        account_key, address_key = self._keys(account, address)
        wait = max(self._attempts.get(key, (0, now))[1] - now for key in (account_key, address_key))
        if wait > self._LONGEST_WAIT:
            raise Busy("too many attempts to log in; try again later")
        for key, longest in ((account_key, 10.0), (address_key, 60.0)):
            count, free = self._attempts.pop(key, (0, now))
            if now - free > self._PEACE:
                count = 0
            gap = (
                min(longest, self._FIRST * 2.0 ** min(count - self._FREE, 16)) if count >= self._FREE else 0.0
            )
            self._attempts[key] = (count + 1, max(now, free) + gap)
        while len(self._attempts) > self._REMEMBERED:
            self._attempts.popitem(last=False)
        return max(0.0, wait)

    def succeeded(self, account: str, address: str) -> None:
        """The right password came: the account's attempts are forgiven, of the address's just this one, or
        whoever has an account could guess at those of others without end."""
        account_key, address_key = self._keys(account, address)
        self._attempts.pop(account_key, None)
        count, free = self._attempts.get(address_key, (0, 0.0))
        if count:
            self._attempts[address_key] = (count - 1, free)

    def _keys(self, account: str, address: str) -> tuple[str, str]:
        return account.lower(), "from " + address


@implementer(ICredentialsChecker)
class AccountChecker:
    """Checks names and passwords against the realm's accounts. The avatar id is the name as first written,
    and the account as it was when the right to it was proven."""

    credentialInterfaces = (INamed, IUsernamePassword)

    def __init__(self, realm: Realm, passwords: Passwords, clock: Any) -> None:
        self._realm = realm
        self._passwords = passwords
        self._clock = clock
        self._guesses = Guesses(clock)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """Fires with the avatar id; fails with `UnknownAccount`, `PasswordRequired`, `WrongPassword`."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def prove(self, name: str, password: str | None, address: str) -> Account:
        """The account, if this is its password. Raises as `requestAvatarId`."""
        given = Named(name, address) if password is None else NamedWithPassword(name, password, address)
        _, account = await self._check(given)
        return account

    async def _check(self, credentials: Named | NamedWithPassword) -> tuple[str, Account]:
        found = await self._realm.directory.account(credentials.username)
        if isinstance(credentials, Named):
            if found is None:
                raise UnknownAccount()
            if credentials.certificate is not None and credentials.certificate in found[1].certificates:
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
class Avatars:
    """The realm as `twisted.cred` wants it: the mind is the peer, the avatar its session."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """(the interface, session, its logout), as a Deferred; fails with `AlreadyLoggedIn`."""
        name, account = avatarId
        if IClaimingSession in interfaces:
            return Deferred.fromCoroutine(self._claiming(name, account, mind))
        if IFollowingSession in interfaces:
            return Deferred.fromCoroutine(self._following(name, account, mind))
        raise NotImplementedError("only sessions are provided")

    async def _claiming(
        self, name: str, account: Account, peer: ClaimingPeer
    ) -> tuple[Any, ClaimingSession, Callable[[], None]]:
        session = await self._realm.login(name, account, peer)
        return IClaimingSession, session, session.end

    async def _following(
        self, name: str, account: Account, peer: FollowingPeer
    ) -> tuple[Any, FollowingSession, Callable[[], None]]:
        session = await self._realm.follow(name, account, peer)
        return IFollowingSession, session, session.end


def portal(realm: Realm, passwords: Passwords, clock: Any) -> Portal:
    """The portal through which every protocol logs in."""
    return Portal(Avatars(realm), [AccountChecker(realm, passwords, clock)])
