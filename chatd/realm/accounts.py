"""Accounts: registering and finding them, their passwords and certificates, and the cache that
lets messages be sent without asking the store."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from typing import ClassVar

import msgspec

from chatd.core.errors import (
    Busy,
    Conflict,
    Exists,
    FingerprintInvalid,
    NameTaken,
    PatternTooLong,
    UnknownAccount,
    WrongPassword,
)
from chatd.core.glob import first_place, is_past, matcher
from chatd.core.names import check_name, mailbox_log, mailbox_name
from chatd.realm import changes
from chatd.realm.access_token import ending_all_access_tokens
from chatd.realm.context import Context
from chatd.realm.permissions import check_certificate_count, check_not_blocked
from chatd.realm.read_state import NO_SETTINGS, Settings
from chatd.realm.requester import OPERATOR, Requester, check_connected, examine
from chatd.realm.restrictions import shown_end
from chatd.realm.resume_token import ending_all_resume_tokens
from chatd.realm.tasks import Tasks
from chatd.stores import Change, CreateLog

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_ATTEMPTS = 16
_AT_ONCE = 250
"""how many names are compared with a pattern before other work gets a turn"""


class Suspension(msgspec.Struct, frozen=True, array_like=True):
    """An operator has suspended an account.

    `since` and `until` are milliseconds since 1970 (UTC); `until` is None if it is suspended until
    an operator ends that. `reason` is shown to the account; it may be empty.
    """

    since: int
    until: int | None = None
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What the account is shown."""
        end = "" if self.until is None else f" until {shown_end(self.until)}"
        return f"This account is suspended{end}{f': {self.reason}' if self.reason else '.'}"


class Account(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of an account, under its name.

    `created` is milliseconds since 1970 (UTC). `password` is the hash of its password in PHC
    string format, None for an open account. `certificates` are the SHA-256 fingerprints, in
    hexadecimal digits, of the certificates that log in to it. `id` is never given to another
    account: whatever else is stored of the account refers to it. `changed` is when its certificates
    or access tokens were last changed, 0 if that is not known. `suspension` may be over
    (`chatd.realm.permissions.check_not_suspended`).
    """

    document_kind: ClassVar[str] = "account"

    created: int
    password: str | None = None
    certificates: tuple[str, ...] = ()
    id: int = 0
    changed: int = 0
    suspension: Suspension | None = None


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
        self.direct_logs: dict[str, tuple[str, str]] = {}
        """the mailboxes of cached accounts that block no account, and the names by which clients
        know them, by the account's name in lower case: a message to one of these needs no further
        check"""
        # The mailboxes of the other cached accounts, and the ids of the accounts that they block.
        self._blocking: dict[str, tuple[str, Container[int]]] = {}

    # Finding

    async def account(self, name: str) -> tuple[str, Account] | None:
        """Return the name as first written, and the account; None if there is no such account."""
        account = await self._documents.get(Account, name)
        if account is None:
            self._remove(name)
            return None
        log = mailbox_log(account.record.id)
        settings = await self._documents.get(Settings, log)
        self._add(name, log, NO_SETTINGS if settings is None else settings.record)
        return account.key, account.record

    async def existing(self, name: str) -> tuple[str, Account]:
        """Return the name as first written, and the account. Raises `UnknownAccount`."""
        account = await self.account(name)
        if account is None:
            raise UnknownAccount(f"There is no account called {name}.")
        return account

    async def display_name(self, name: str) -> str:
        """Return an account's name as first written. Raises `UnknownAccount`."""
        return (await self.existing(name))[0]

    async def names(self, pattern: str = "*", requester: Requester = OPERATOR) -> list[str]:
        """Return the names of all accounts that match a glob, in order of creation.

        Raises as `names_like`, and `PatternTooLong`.
        """
        self.check_pattern(pattern)
        return await self.names_like(None if pattern == "*" else matcher(pattern), requester)

    async def names_like(
        self, matches: Callable[[str], bool] | None, requester: Requester = OPERATOR
    ) -> list[str]:
        """Return the names of all accounts that `matches` accepts, all for None, in order of
        creation.

        The requester is charged for the names that there are, not for those that match. Other work
        goes on between the names. Raises `Disconnected`.
        """
        names = await self._documents.list(Account)
        examine(requester, len(names))
        if matches is None:
            return names
        matching: list[str] = []
        for start in range(0, len(names), _AT_ONCE):
            if start:
                await self._tasks.sleep(0)
                check_connected(requester)
            matching += filter(matches, names[start : start + _AT_ONCE])
        return matching

    async def find_accounts(
        self, pattern: str, after: str, limit: int, requester: Requester = OPERATOR
    ) -> tuple[list[str], bool]:
        """Return at most `limit` names that match a glob and are greater than `after`, in
        alphabetical order, and whether there are more.

        The requester is charged for the names that are compared with the glob: all, unless it
        begins with plain characters. Raises `PatternTooLong`, `Disconnected`.
        """
        self.check_pattern(pattern)
        matches = matcher(pattern)
        found: list[str] = []
        at, size = first_place(pattern, after), limit + 1
        while True:
            names = await self._documents.page(Account, "*", at, size)
            examine(requester, len(names))
            found += filter(matches, names)
            if len(names) < size or len(found) > limit or is_past(pattern, names[-1]):
                return found[:limit], len(found) > limit
            at, size = names[-1], max(size, _AT_ONCE)
            await self._tasks.sleep(0)

    def check_pattern(self, pattern: str) -> None:
        """Raise `PatternTooLong` if a pattern has too many characters."""
        limit = self._limits.pattern
        if len(pattern) > limit:
            raise PatternTooLong(
                f"search pattern too long: {len(pattern)} characters, the limit is {limit}"
            )

    # Registering and changing

    async def register(self, name: str, account: Account, others: Sequence[Change] = ()) -> None:
        """Store a new account with an empty mailbox, together with other changes. Raises
        `IllegalName`, `NameTaken`, `Conflict` if those are refused."""
        check_name(name)
        log = mailbox_log(account.id)
        try:
            await self._documents.write([changes.create(name, account), CreateLog(log), *others])
        except Exists:
            raise NameTaken() from None
        self._add(name, log, NO_SETTINGS)

    async def set_password(
        self, name: str, account: Account, password: str | None, proven: bool
    ) -> bool:
        """Set the password of an account: its hash, or None to make the account open. Its resume
        tokens end by the same write.

        Its certificates are removed and its access tokens end, too, if the account was open, since
        any client could have added one, and unless `proven`: an operator gives the account back to
        its owner. Returns whether it is one of these cases.

        Raises `UnknownAccount` if the account has been deleted since `account` was read. With
        `proven`, the right to do so was proven against that record: raises `WrongPassword` if it
        has another password now. Raises `Busy` if the account never stays the same.
        """

        regained = False

        def changed(current: Account) -> tuple[Account, list[Change]]:
            nonlocal regained
            regained = not proven or current.password is None
            record = msgspec.structs.replace(current, password=password)
            ending: list[Change] = [ending_all_resume_tokens(account.id)]
            if regained:
                record = self._with_certificates(record, ())
                ending.append(ending_all_access_tokens(account.id))
            return record, ending

        await self._change(name, account, proven, changed)
        return regained

    async def set_certificates(
        self, name: str, account: Account, certificates: tuple[str, ...], proven: bool
    ) -> frozenset[str]:
        """Replace the certificates, given by their fingerprints, that log in to an account.

        If one of them is removed, the resume tokens of the account end by the same write, since
        that certificate may have got one. Returns the certificates that were removed.

        Raises `UnknownAccount` if the account has been deleted since `account` was read. With
        `proven`, the right to do so was proven against that record: raises `WrongPassword` if it
        has another password now. Raises `Busy` if the account never stays the same.
        """

        removed: frozenset[str] = frozenset()

        def changed(current: Account) -> tuple[Account, list[Change]]:
            nonlocal removed
            removed = frozenset(current.certificates).difference(certificates)
            ending: list[Change] = [ending_all_resume_tokens(account.id)] if removed else []
            return self._with_certificates(current, certificates), ending

        await self._change(name, account, proven, changed)
        return removed

    def _with_certificates(self, account: Account, certificates: tuple[str, ...]) -> Account:
        """The record with these certificates, and with the time if they are others."""
        if certificates == account.certificates:
            return account
        now = self._context.now()
        return msgspec.structs.replace(account, certificates=certificates, changed=now)

    async def set_suspension(
        self, name: str, account: Account, suspension: Suspension | None
    ) -> None:
        """Suspend an account, or end that. Raises `UnknownAccount`, `Busy`."""

        def changed(current: Account) -> tuple[Account, list[Change]]:
            return msgspec.structs.replace(current, suspension=suspension), []

        await self._change(name, account, False, changed)

    async def _change(
        self,
        name: str,
        account: Account,
        proven: bool,
        function: Callable[[Account], tuple[Account, list[Change]]],
    ) -> None:
        """Replace the record of an account by what `function` makes of it: the new record, and
        what ends by the same write.

        Raises `UnknownAccount` if the account has been deleted since `account` was read,
        `WrongPassword` if it is `proven` and has another password now, `Busy`.
        """
        for _ in range(_ATTEMPTS):
            stored = await self._documents.get(Account, name)
            if stored is None or stored.record.id != account.id:
                raise UnknownAccount()
            if proven and stored.record.password != account.password:
                raise WrongPassword()
            record, ending = function(stored.record)
            try:
                await self._documents.write([changes.update(stored, record), *ending])
            except Conflict:
                continue
            return
        raise Busy()

    # The cache

    def _add(self, name: str, log: str, settings: Settings) -> None:
        if len(self.direct_logs) + len(self._blocking) >= self._limits.accounts_cached:
            self.direct_logs.clear()
            self._blocking.clear()
        self.set_blocked(name, log, settings.blocked)

    def set_blocked(self, name: str, log: str, blocked: Container[int]) -> None:
        """Note the ids of the accounts that an account blocks; `log` is its mailbox."""
        key = name.lower()
        if blocked:
            self.direct_logs.pop(key, None)
            self._blocking[key] = (log, blocked)
        else:
            self._blocking.pop(key, None)
            self.direct_logs[key] = (log, mailbox_name(name))

    def mailbox(self, name: str, account: int) -> tuple[str, str]:
        """The mailbox of an account, given by its name and id, and the name by which clients know
        it. They are the strings of the cache if possible, since there is one mailbox for every
        session."""
        log = mailbox_log(account)
        direct = self.direct_logs.get(name.lower())
        return direct if direct is not None and direct[0] == log else (log, mailbox_name(name))

    def cached_log(self, name: str, sender: int) -> str | None:
        """Return the mailbox of an account, None if the account is not cached.

        `sender` is the id of the account that wants to send to it. Raises `Blocked`.
        """
        key = name.lower()
        blocking = self._blocking.get(key)
        if blocking is None:
            direct = self.direct_logs.get(key)
            return None if direct is None else direct[0]
        log, blocked = blocking
        check_not_blocked(blocked, sender)
        return log

    async def reachable_log(self, name: str, sender: int) -> str:
        """Return the mailbox of an account that does not block `sender`.

        Raises `UnknownAccount`, `Blocked`.
        """
        await self.display_name(name)
        log = self.cached_log(name, sender)
        if log is None:
            raise UnknownAccount(f"There is no account called {name}.")
        return log

    def _remove(self, name: str) -> None:
        self.direct_logs.pop(name.lower(), None)
        self._blocking.pop(name.lower(), None)

    def deleted(self, name: str, log: str) -> None:
        """An account has been deleted; `log` was its mailbox."""
        key = name.lower()
        if key in self.direct_logs and self.direct_logs[key][0] == log:
            del self.direct_logs[key]
        if key in self._blocking and self._blocking[key][0] == log:
            del self._blocking[key]
