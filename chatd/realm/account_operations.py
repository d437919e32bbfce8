"""What operators may ask about accounts and their sessions; a part of `chatd.realm.operations`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import asdict

from chatd.core.errors import BadRequest
from chatd.core.names import mailbox_log
from chatd.realm.accounts import Account, fingerprints
from chatd.realm.page import Page
from chatd.realm.permissions import is_suspended
from chatd.realm.realm import Realm
from chatd.realm.tasks import gather
from chatd.stores import Position

_SESSIONS_ENDED = "An operator has ended this session."


class SuspensionInfo(msgspec.Struct, frozen=True):
    """A suspension: when it began, when it ends (None: when an operator ends it), and why."""

    since: int
    until: int | None
    reason: str


class AccountInfo(msgspec.Struct, frozen=True):
    """An account: when it was created, whether it is open (has no password), the number of its
    sessions, when it was last seen (0: unknown; now, while it has a session), and its suspension,
    if it is suspended."""

    name: str
    created: int
    open: bool
    sessions: int
    seen: int
    suspended: SuspensionInfo | None = None


class SessionInfo(msgspec.Struct, frozen=True):
    """A session: its account, when it began, and its protocol and address as text."""

    name: str
    since: int
    about: str


class AccountOperations:
    """Listing, changing and deleting any account, and ending its sessions."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._documents = realm.documents
        self._store = realm.store

    async def accounts(
        self, pattern: str, after: str, limit: int, suspended: bool = False
    ) -> Page[AccountInfo, str]:
        """Accounts whose names match a glob, in alphabetical order; with `suspended`, the suspended
        ones of these only, so that a page may have less than `limit`. Raises `PatternTooLong`."""
        self._realm.accounts.check_pattern(pattern)
        names = await self._documents.page(Account, pattern, after, limit)
        # All reads are in the queue before the first is awaited: one turn of the store.
        stored = await gather(*(self._documents.get(Account, name) for name in names))
        accounts = [account for account in stored if account is not None]
        ids = [account.record.id for account in accounts]
        positions = await gather(*(self._store.positions(id, mailbox_log(id)) for id in ids))
        items = [
            self._account_info(account.key, account.record, rows)
            for account, rows in zip(accounts, positions, strict=True)
        ]
        if suspended:
            items = [item for item in items if item.suspended is not None]
        return Page(items, len(names) == limit, names[-1] if names else after)

    def _account_info(
        self, name: str, account: Account, positions: Sequence[Position]
    ) -> AccountInfo:
        mailbox = self._realm.sessions.mailbox(account.id)
        sessions = 0 if mailbox is None else len(mailbox.all_sessions)
        if sessions:
            seen = self._realm.now()
        elif mailbox is not None and mailbox.loaded:
            seen = mailbox.state.seen
        else:
            seen = max((position.seen for position in positions), default=0)
        suspended = None
        if is_suspended(account, self._realm.now()):
            assert account.suspension is not None
            suspended = SuspensionInfo(**asdict(account.suspension))
        return AccountInfo(
            name, account.created, account.password is None, sessions, seen, suspended
        )

    async def sessions(self, name: str, after: str, limit: int) -> Page[SessionInfo, str]:
        """The sessions of an account, or of all accounts (an empty name), by account.

        A page has all sessions of an account or none, so it may have more than `limit` items.
        Raises `UnknownAccount`.
        """
        key = name.lower()
        if key:
            await self._realm.accounts.display_name(key)
        sessions = sorted(
            (session.name.lower(), session.since, session.name, session.peer.about)
            for session in self._realm.sessions.all()
            if session.name.lower() > after and key in ("", session.name.lower())
        )
        items: list[SessionInfo] = []
        last = after
        for account, since, display_name, about in sessions:
            if account != last and len(items) >= limit:
                return Page(items, True, last)
            items.append(SessionInfo(display_name, since, about))
            last = account
        return Page(items, False, last)

    async def end_sessions(self, name: str, sentence: str = "") -> int:
        """End all sessions of an account and its resume tokens, and return the number of sessions;
        `sentence` is the reason that they are given.

        Raises `UnknownAccount`, `StoreUnavailable` if its tokens could not be ended.
        """
        _, account = await self._realm.accounts.existing(name)
        return await self._realm.end_sessions(account.id, "kicked", sentence or _SESSIONS_ENDED)

    async def set_password(self, name: str, password: str | None) -> str:
        """Give an account another password, or none (it becomes open), and end its sessions. The
        certificates that log in to it are removed.

        Returns the account's name as first written. Raises `UnknownAccount`, `BadRequest` if the
        password is empty, `OpenAccountsForbidden`, `PasswordTooLong`, `Busy`.
        """
        name = await self._realm.accounts.display_name(name)
        if password is not None and not password:
            raise BadRequest("a password has at least one character")
        await self._realm.set_password(name, password)
        return name

    async def set_certificates(self, name: str, certificates: Sequence[str]) -> str:
        """Let these TLS certificates, and no others, log in to an account. The sessions that a
        removed one has opened end.

        Certificates are given by their SHA-256 fingerprints in hexadecimal digits. Returns the
        account's name as first written. Raises `UnknownAccount`, `FingerprintInvalid`,
        `LimitReached`, `Busy`.
        """
        name = await self._realm.accounts.display_name(name)
        await self._realm.set_certificates(name, fingerprints(certificates))
        return name

    async def delete_account(self, name: str) -> str:
        """Delete an account with its mailbox, and end its sessions. Returns its name as first
        written. Raises `UnknownAccount`."""
        name = await self._realm.accounts.display_name(name)
        await self._realm.delete_account(name)
        return name
