"""Accounts: registering and finding them, their passwords and certificates, and the cache that
lets messages be sent without asking the store."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

import msgspec

from chatd.core.errors import (
    Blocked,
    Exists,
    FingerprintInvalid,
    LimitReached,
    NameTaken,
    PatternTooLong,
    UnknownAccount,
)
from chatd.core.limits import Limits
from chatd.core.names import check_name, mailbox_log
from chatd.realm.documents import Documents, Stored
from chatd.realm.read_state import Settings
from chatd.realm.tasks import Tasks, gather

_CERTIFICATES = 8
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 250
"""names that are compared with a pattern before other work has its turn"""


class Account(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of an account, under its name.

    `created` is milliseconds since 1970 (UTC). `password` is the hash of its password in PHC
    string format, None for an open account. `certificates` are the SHA-256 fingerprints, in
    hexadecimal digits, of the certificates that log in to it.
    """

    document_kind: ClassVar[str] = "account"

    created: int
    password: str | None = None
    certificates: tuple[str, ...] = ()


def fingerprints(texts: Sequence[str]) -> tuple[str, ...]:
    """Return SHA-256 fingerprints as `Account` has them; `texts` may contain colons.

    Raises `FingerprintInvalid`, `LimitReached`.
    """
    if len(texts) > _CERTIFICATES:
        raise LimitReached(f"an account has at most {_CERTIFICATES} certificates")
    digests = tuple(text.replace(":", "").lower() for text in texts)
    if not all(map(_FINGERPRINT.fullmatch, digests)):
        raise FingerprintInvalid()
    return tuple(dict.fromkeys(digests))


class Accounts:
    """All accounts. Those used lately are cached, so that a message to them can be sent without
    asking the store."""

    def __init__(self, documents: Documents, limits: Limits, background: Tasks) -> None:
        self._documents = documents
        self._background = background
        self._limits = limits
        self.known: dict[str, str] = {}
        """the mailbox logs of accounts known to exist, by the name in lower case"""
        self.blocked: dict[str, frozenset[str]] = {}
        """those of them that take nothing from some others"""
        self._leaving: set[str] = set()

    # Finding

    async def account(self, name: str) -> tuple[str, Account] | None:
        """Return the name as first written, and the account; None if there is no such account."""
        account, settings = await gather(
            self._documents.get(Account, name), self._documents.get(Settings, mailbox_log(name))
        )
        if account is None or name.lower() in self._leaving:
            return None
        self._remember(name)
        if settings is not None:
            self.block(mailbox_log(name), settings.record.blocked)
        return account.key, account.record

    async def display_name(self, name: str) -> str:
        """Return an account's name as first written. Raises `UnknownAccount`."""
        account = await self.account(name)
        if account is None:
            raise UnknownAccount()
        return account[0]

    async def names(self, pattern: str = "*") -> list[str]:
        """Return the names of all accounts that match a glob, in order of creation.

        Raises `PatternTooLong`.
        """
        self.check_pattern(pattern)
        return await self._documents.list(Account, pattern)

    async def names_like(self, matches: Callable[[str], bool]) -> list[str]:
        """Return the names of all accounts that `matches` accepts, in order of creation.

        Other work goes on between the names.
        """
        names = await self._documents.list(Account)
        matching: list[str] = []
        for start in range(0, len(names), _AT_ONCE):
            if start:
                await self._background.sleep(0)
            matching += filter(matches, names[start : start + _AT_ONCE])
        return matching

    async def find_accounts(self, pattern: str, after: str, limit: int) -> tuple[list[str], bool]:
        """Return at most `limit` names that match a glob and are greater than `after`, in
        alphabetical order, and whether there are more. Raises `PatternTooLong`."""
        self.check_pattern(pattern)
        names = await self._documents.page(Account, pattern, after, limit + 1)
        return names[:limit], len(names) > limit

    def check_pattern(self, pattern: str) -> None:
        """Raise `PatternTooLong` if a pattern has too many characters."""
        limit = self._limits.pattern
        if len(pattern) > limit:
            raise PatternTooLong(
                f"search pattern too long: {len(pattern)} characters, the limit is {limit}"
            )

    # Registering and changing

    async def register(self, name: str, account: Account) -> None:
        """Store a new account. Raises `IllegalName`, `NameTaken`."""
        check_name(name)
        try:
            await self._documents.create(name, account)
        except Exists:
            raise NameTaken() from None
        self._remember(name)

    async def set_password(self, name: str, account: Account, password: str | None) -> None:
        """Set the password of an account: its hash, or None to make the account open.

        `account` is what the right to do so was proven for. Raises `UnknownAccount` if the account
        has been deleted since then, or has another password.
        """

        def changed(current: Account | None) -> Account:
            if (
                current is None
                or (current.created, current.password) != (account.created, account.password)
                or self.leaving(name)
            ):
                raise UnknownAccount()
            return msgspec.structs.replace(current, password=password)

        await self._documents.change(Account, name, changed)

    async def set_certificates(self, name: str, certificates: tuple[str, ...]) -> None:
        """Replace the certificates, given by their fingerprints, that log in to an account.

        Raises `UnknownAccount`.
        """

        def changed(current: Account | None) -> Account:
            if current is None or self.leaving(name):
                raise UnknownAccount()
            return msgspec.structs.replace(current, certificates=certificates)

        await self._documents.change(Account, name, changed)

    def delete(self, account: Stored[Account]) -> Awaitable[object]:
        """Delete an account, unless another has its name by now.

        Its mailbox is not deleted; the caller does that in the same transaction.
        """

        def deleted(current: Account | None) -> Account | None:
            return None if current and current.created == account.record.created else current

        return self._documents.change_from(Account, account.key, account, deleted)

    # The cache

    def _remember(self, name: str) -> None:
        if len(self.known) >= self._limits.accounts_cached:
            self.known.clear()
            self.blocked.clear()
        self.known[name.lower()] = mailbox_log(name)

    def block(self, log: str, blocked: Sequence[str]) -> None:
        """Note which accounts a mailbox takes nothing from."""
        if blocked:
            self.blocked[log] = frozenset(blocked)
        else:
            self.blocked.pop(log, None)

    def takes_from(self, log: str, sender: str) -> bool:
        """Whether a mailbox, of an account in the cache, takes anything from a sender."""
        return sender.lower() not in self.blocked.get(log, ())

    async def check_reachable(self, name: str, sender: str) -> str:
        """Return the mailbox log of an account that does not block `sender`.

        Raises `UnknownAccount`, `Blocked`.
        """
        log = mailbox_log(await self.display_name(name))
        if not self.takes_from(log, sender):
            raise Blocked()
        return log

    def mailbox_log(self, name: str, sender: str) -> str | None:
        """Return the mailbox log of a cached account, None for another. Raises `Blocked`."""
        log = self.known.get(name.lower())
        if log is not None and self.blocked and not self.takes_from(log, sender):
            raise Blocked()
        return log

    def leaving(self, name: str) -> bool:
        """Whether an account is being deleted."""
        return name.lower() in self._leaving

    def leave(self, name: str) -> None:
        """Treat an account as unknown from now on, since it is being deleted."""
        self.known.pop(name.lower(), None)
        self._leaving.add(name.lower())

    def left(self, name: str) -> None:
        """Undo `leave`: the account has been deleted, or could not be."""
        self._leaving.discard(name.lower())
        self.blocked.pop(mailbox_log(name), None)
