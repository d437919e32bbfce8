"""The accounts there are: making and finding them, their passwords, and who takes nothing from
whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from chatd.core.errors import (
    Blocked,
    Conflict,
    Exists,
    FingerprintInvalid,
    LimitReached,
    NameTaken,
    PatternTooLong,
    UnknownAccount,
)
from chatd.core.limits import Limits
from chatd.core.names import check_name, mailbox_log
from chatd.realm.mailbox import SETTINGS, Settings
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Document, Store

ACCOUNT = "account"
"""the kind of document that holds an account; its key is the name"""
_CERTIFICATES = 8
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class Account(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of an account beside its name: when it was made (milliseconds since 1970,
    UTC), the hash of its password in PHC string format, or None for an open account, and the
    SHA-256 fingerprints of certificates that log in to it, in hexadecimal digits."""

    created: int
    password: str | None = None
    certificates: tuple[str, ...] = ()


def fingerprints(texts: Sequence[str]) -> tuple[str, ...]:
    """The SHA-256 of certificates, with or without colons, as they are kept. Raises
    `FingerprintInvalid`, `LimitReached`."""
    if len(texts) > _CERTIFICATES:
        raise LimitReached(f"an account has at most {_CERTIFICATES} certificates")
    found = tuple(text.replace(":", "").lower() for text in texts)
    if not all(map(_FINGERPRINT.fullmatch, found)):
        raise FingerprintInvalid()
    return tuple(dict.fromkeys(found))


_AT_ONCE = 250
"""names that are compared with a pattern before others have their turn"""


class Accounts:
    """All accounts. Those met lately are known by heart, so that a message to them need not ask the
    store."""

    def __init__(self, store: Store, limits: Limits, background: Tasks) -> None:
        self._store = store
        self._background = background
        self._limits = limits
        self.known: dict[str, str] = {}
        """the inboxes of accounts known to exist, by the name in lower case"""
        self.blocked: dict[str, frozenset[str]] = {}
        """those of them that take nothing from some others"""
        self._leaving: set[str] = set()

    async def account(self, name: str) -> tuple[str, Account] | None:
        """The name as first written, and what is stored; None if there is no such account."""
        document, settings = await gather(
            self._store.get(ACCOUNT, name), self._store.get(SETTINGS, mailbox_log(name))
        )
        if document is None or name.lower() in self._leaving:
            return None
        self._remember(name)
        if settings is not None:
            self.block(
                mailbox_log(name), msgspec.msgpack.decode(settings.body, type=Settings).blocked
            )
        return document.key, decoded(document)

    async def display_name(self, name: str) -> str:
        """An account's name as first written. Raises `UnknownAccount`."""
        found = await self.account(name)
        if found is None:
            raise UnknownAccount()
        return found[0]

    async def register(self, name: str, account: Account) -> None:
        """Make an account. Raises `IllegalName`, `NameTaken`."""
        check_name(name)
        try:
            await self._store.create(ACCOUNT, name, msgspec.msgpack.encode(account))
        except Exists:
            raise NameTaken() from None
        self._remember(name)

    async def names(self, pattern: str = "*") -> list[str]:
        """The names of all accounts that match a glob, in order of creation. Raises
        `PatternTooLong`."""
        self.check_pattern(pattern)
        return await self._store.list(ACCOUNT, pattern)

    async def names_like(self, matches: Callable[[str], bool]) -> list[str]:
        """The names of all accounts for which this is true, in order of creation; others go on
        meanwhile."""
        names = await self._store.list(ACCOUNT)
        found: list[str] = []
        for start in range(0, len(names), _AT_ONCE):
            if start:
                await self._background.sleep(0)
            found += filter(matches, names[start : start + _AT_ONCE])
        return found

    async def find_accounts(self, pattern: str, after: str, limit: int) -> tuple[list[str], bool]:
        """The names that match a glob, in alphabetical order from the first after `after` on, and
        whether there are more. Raises `PatternTooLong`."""
        self.check_pattern(pattern)
        names = await self._store.page(ACCOUNT, pattern, after, limit + 1)
        return names[:limit], len(names) > limit

    def check_pattern(self, pattern: str) -> None:
        """Accept a pattern by its length, or raise `PatternTooLong`."""
        if len(pattern) > self._limits.pattern:
            raise PatternTooLong(
                f"search pattern too long: {len(pattern)} characters, the limit is {self._limits.pattern}"
            )

    async def set_password(self, name: str, account: Account, password: str | None) -> Account:
        """Give an account, known as `account`, another password (its hash, or None: it becomes
        open). Raises `UnknownAccount` if it has changed meanwhile."""
        document = await self._store.get(ACCOUNT, name)
        if document is None or decoded(document) != account or name.lower() in self._leaving:
            raise UnknownAccount()
        changed = msgspec.structs.replace(account, password=password)
        try:
            await self._store.update(
                ACCOUNT, name, document.version, msgspec.msgpack.encode(changed)
            )
        except Conflict:
            raise UnknownAccount() from None
        return changed

    async def set_certificates(self, name: str, certificates: tuple[str, ...]) -> None:
        """Let these certificates, by their fingerprints, log in to an account, and no others.
        Raises `UnknownAccount`, `Conflict` if somebody else has changed it meanwhile."""
        document = await self._store.get(ACCOUNT, name)
        if document is None or name.lower() in self._leaving:
            raise UnknownAccount()
        changed = msgspec.structs.replace(decoded(document), certificates=certificates)
        await self._store.update(ACCOUNT, name, document.version, msgspec.msgpack.encode(changed))

    def _remember(self, name: str) -> None:
        if len(self.known) >= self._limits.accounts_cached:
            self.known.clear()
            self.blocked.clear()
        self.known[name.lower()] = mailbox_log(name)

    def block(self, log: str, blocked: Sequence[str]) -> None:
        """An inbox takes nothing from these any more."""
        if blocked:
            self.blocked[log] = frozenset(blocked)
        else:
            self.blocked.pop(log, None)

    def takes_from(self, log: str, sender: str) -> bool:
        """Whether an inbox takes anything from a sender; of an account that is known."""
        return sender.lower() not in self.blocked.get(log, ())

    async def check_reachable(self, name: str, sender: str) -> str:
        """The inbox of an account, if it takes anything from `sender`. Raises `UnknownAccount`,
        `Blocked`."""
        log = mailbox_log(await self.display_name(name))
        if not self.takes_from(log, sender):
            raise Blocked()
        return log

    def mailbox_log(self, name: str, sender: str) -> str | None:
        """The inbox of an account, None if it is not known by heart. Raises `Blocked`."""
        log = self.known.get(name.lower())
        if log is not None and self.blocked and not self.takes_from(log, sender):
            raise Blocked()
        return log

    def leaving(self, name: str) -> bool:
        """Whether it is being deleted."""
        return name.lower() in self._leaving

    def leave(self, name: str) -> None:
        """It is being deleted: from now on it is unknown."""
        self.known.pop(name.lower(), None)
        self._leaving.add(name.lower())

    def left(self, name: str) -> None:
        """It has been deleted, or was not."""
        self._leaving.discard(name.lower())
        self.blocked.pop(mailbox_log(name), None)


def decoded(document: Document) -> Account:
    """The account in a document."""
    return msgspec.msgpack.decode(document.body, type=Account)
