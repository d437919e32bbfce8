"""Accounts: registering and finding them, their passwords and certificates, and the cache that
lets messages be sent without asking the store."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import ClassVar

import msgspec

from chatd.core.errors import (
    Exists,
    FingerprintInvalid,
    NameTaken,
    PatternTooLong,
    UnknownAccount,
)
from chatd.core.names import check_name, mailbox_log
from chatd.realm.context import Context
from chatd.realm.documents import Stored
from chatd.realm.permissions import check_certificate_count, check_not_blocked, is_blocked
from chatd.realm.read_state import Settings
from chatd.realm.tasks import Tasks, gather

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 250
"""how many names are compared with a pattern before other work gets a turn"""


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
    check_certificate_count(len(texts))
    digests = tuple(text.replace(":", "").lower() for text in texts)
    if not all(map(_FINGERPRINT.fullmatch, digests)):
        raise FingerprintInvalid()
    return tuple(dict.fromkeys(digests))


class Accounts:
    """All accounts. Those used recently are cached, so that a message to them can be sent without
    asking the store."""

    def __init__(self, context: Context, tasks: Tasks) -> None:
        self._context = context
        self._documents = context.documents
        self._limits = context.limits
        self._tasks = tasks
        self.direct_logs: dict[str, str] = {}
        """the logs of the mailboxes of cached accounts that block no account, by the name in lower
        case: a message to one of these needs no further check"""
        # What the other cached accounts block; all names in lower case.
        self._blocking: dict[str, frozenset[str]] = {}
        self._being_deleted: set[str] = set()

    # Finding

    async def account(self, name: str) -> tuple[str, Account] | None:
        """Return the name as first written, and the account; None if there is no such account."""
        account, settings = await gather(
            self._documents.get(Account, name), self._documents.get(Settings, mailbox_log(name))
        )
        if account is None or name.lower() in self._being_deleted:
            return None
        mailbox = self._context.sessions.mailbox(name)
        if mailbox is not None and mailbox.loaded:
            # A change of its settings may not be saved yet.
            self._add(name, mailbox.settings)
        else:
            self._add(name, Settings() if settings is None else settings.record)
        return account.key, account.record

    async def display_name(self, name: str) -> str:
        """Return an account's name as first written. Raises `UnknownAccount`."""
        account = await self.account(name)
        if account is None:
            raise UnknownAccount(f"There is no account called {name}.")
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
                await self._tasks.sleep(0)
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
        self._add(name, Settings())

    async def set_password(self, name: str, account: Account, password: str | None) -> None:
        """Set the password of an account: its hash, or None to make the account open.

        `account` is the record that the right to do so was proven against. Raises `UnknownAccount`
        if the account has been deleted since then, or has another password.
        """

        def changed(current: Account | None) -> Account:
            if (
                current is None
                or (current.created, current.password) != (account.created, account.password)
                or self.being_deleted(name)
            ):
                raise UnknownAccount()
            return msgspec.structs.replace(current, password=password)

        await self._documents.change(Account, name, changed)

    async def set_certificates(self, name: str, certificates: tuple[str, ...]) -> None:
        """Replace the certificates, given by their fingerprints, that log in to an account.

        Raises `UnknownAccount`.
        """

        def changed(current: Account | None) -> Account:
            if current is None or self.being_deleted(name):
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

    def _add(self, name: str, settings: Settings) -> None:
        if len(self.direct_logs) + len(self._blocking) >= self._limits.accounts_cached:
            self.direct_logs.clear()
            self._blocking.clear()
        self._set(name, settings.blocked)

    def set_blocked(self, name: str, blocked: Collection[str]) -> None:
        """Note which accounts a cached account blocks, by their names in lower case.

        An account that is not cached is not added: it may be deleted by now, and what is cached
        can be sent messages without asking the store.
        """
        key = name.lower()
        if key in self.direct_logs or key in self._blocking:
            self._set(name, blocked)

    def _set(self, name: str, blocked: Collection[str]) -> None:
        key = name.lower()
        if blocked:
            self.direct_logs.pop(key, None)
            self._blocking[key] = frozenset(blocked)
        else:
            self._blocking.pop(key, None)
            self.direct_logs[key] = mailbox_log(name)

    def cached_log(self, name: str, sender: str) -> str | None:
        """Return the log of the mailbox of an account, None if the account is not cached.

        Raises `Blocked`.
        """
        key = name.lower()
        blocked = self._blocking.get(key)
        if blocked is None:
            return self.direct_logs.get(key)
        check_not_blocked(blocked, sender)
        return mailbox_log(name)

    async def reachable_log(self, name: str, sender: str) -> str:
        """Return the log of the mailbox of an account that does not block `sender`.

        Raises `UnknownAccount`, `Blocked`.
        """
        await self.display_name(name)
        check_not_blocked(self._blocking.get(name.lower(), ()), sender)
        return mailbox_log(name)

    def blocks(self, name: str, sender: str) -> bool:
        """Whether a cached account blocks a sender."""
        return is_blocked(self._blocking.get(name.lower(), ()), sender)

    def being_deleted(self, name: str) -> bool:
        """Whether an account is being deleted."""
        return name.lower() in self._being_deleted

    def begin_deletion(self, name: str) -> None:
        """Treat an account as unknown from now on, because it is being deleted."""
        self._remove(name)
        self._being_deleted.add(name.lower())

    def end_deletion(self, name: str) -> None:
        """Undo `begin_deletion`: the account has been deleted, or the deletion has failed."""
        self._remove(name)
        self._being_deleted.discard(name.lower())

    def _remove(self, name: str) -> None:
        self.direct_logs.pop(name.lower(), None)
        self._blocking.pop(name.lower(), None)
