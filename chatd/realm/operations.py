"""What operators may ask of a running daemon: plain records in and out.

The admin socket uses it; so can every other interface for operators. Nothing here checks who asks:
the caller decides that. Times are milliseconds since 1970 (UTC).

A listing comes in pages: at most `limit` items, from the first after `after` on. `Page.last` is the
`after` of the next page.
"""

from __future__ import annotations

import os.path
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import asdict

from chatd.core.errors import BackupFailed, BadRequest, NameTaken, Refused
from chatd.core.names import check_name, is_room, mailbox_log
from chatd.realm import invite_tokens
from chatd.realm.accounts import Account, fingerprints
from chatd.realm.erasure import Erasure
from chatd.realm.mass_deletion import MassDeletion
from chatd.realm.page import Page
from chatd.realm.permissions import is_suspended
from chatd.realm.personal_data import PersonalData
from chatd.realm.realm import Realm
from chatd.realm.room import RoomRecord
from chatd.realm.room_operations import RoomOperations
from chatd.realm.tasks import gather
from chatd.stores import COMMIT_TIMES, OnlineBackup, Position, StoreCounts

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


class InviteTokenInfo(msgspec.Struct, frozen=True):
    """A stored invite token: `key` is its hash, `expires` is None if it does not expire, `uses` is
    the number of accounts that can still be created with it."""

    key: str
    created: int
    expires: int | None
    uses: int
    note: str


class NewInviteToken(msgspec.Struct, frozen=True):
    """An invite token that was just created; the store keeps `key`, its hash, and not `token`."""

    token: str
    key: str
    expires: int | None


class AccessTokenInfo(msgspec.Struct, frozen=True):
    """A stored access token: its name, its scopes, when it was created (by an operator or
    the account), expires (None: never) and was last used (0: never), and the number of its
    sessions."""

    label: str
    scopes: list[str]
    created: int
    expires: int | None
    used: int
    sessions: int
    by_operator: bool


class NewAccessToken(msgspec.Struct, frozen=True):
    """An access token that was just made for the account `name`; the store has only its hash."""

    name: str
    token: str
    expires: int | None


class StoreStatistics(msgspec.Struct, frozen=True):
    """What a store has done since the daemon started: entries that it has answered, stored or
    refused, the characters of their texts, its batches, and how many seconds their commits took.

    `commits` counts them by their times: ``0.002`` those of more than 0.001 and at most 0.002
    seconds, and ``longer`` those of more than a second.
    """

    entries: int
    characters: int
    batches: int
    commit_seconds: float
    longest_commit: float
    commits: dict[str, int]


class Statistics(msgspec.Struct, frozen=True):
    """Counts of a running daemon, and when it started."""

    started: int
    accounts: int
    rooms: int
    sessions: int
    accounts_online: int
    rooms_in_memory: int
    store_backlog: int
    """characters of text that the store has accepted and not committed yet"""
    refusals: dict[str, int]
    """since the start: requests and connections that were refused, by the code of the refusal"""
    quotas_met: dict[str, int]
    """since the start: how often a bound was met, by its name"""
    queues: dict[str, int]
    """the lengths of the daemon's queues, by name"""
    store: StoreStatistics
    """what the store has done since the start"""


class LogLevel(Protocol):
    """How much the daemon logs."""

    @property
    def level(self) -> str:
        """The least important level that is logged."""

    def set(self, level: str) -> None:
        """Log this level and those above it from now on."""


class Operations(RoomOperations):
    """Everything that operators may ask of one daemon; that about rooms is in `RoomOperations`.

    `random_bytes` gives so many bytes that cannot be guessed, for invite tokens; `log_level` is
    None if it cannot be changed.
    """

    def __init__(
        self,
        realm: Realm,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        log_level: LogLevel | None = None,
    ) -> None:
        super().__init__(realm)
        self._random_bytes = random_bytes
        self._log_level = log_level
        self._store = realm.store
        self._started = realm.now()
        self.suspensions = realm.suspensions
        self.announcements = realm.announcements
        self.audit = realm.audit
        self.mass_deletion = MassDeletion(realm, self.accounts)
        self.personal_data = PersonalData(realm)
        self.erasure = Erasure(realm)
        self.reports = realm.reports
        self.address_bans = realm.address_bans

    # Accounts and sessions

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

    # Reports

    # Invite tokens

    async def create_invite_token(
        self, uses: int, seconds: int | None, note: str
    ) -> NewInviteToken:
        """Create a token for `uses` accounts, valid for so many seconds (None: for ever)."""
        now = self._realm.now()
        expires = None if seconds is None else now + seconds * 1000
        token = await invite_tokens.make(
            self._documents, now, uses, expires, note, self._random_bytes
        )
        return NewInviteToken(token, invite_tokens.hashed(token), expires)

    async def create_invite_tokens(
        self, names: Sequence[str], seconds: int | None, note: str
    ) -> list[dict[str, object]]:
        """Create a token for one account for each of these names, which is noted with it; return
        `name` with the fields of `NewInviteToken`, or with `refused`, a code, and `sentence`: the
        account exists, or cannot."""
        items: list[dict[str, object]] = []
        for name in names:
            try:
                check_name(name)
                if await self._realm.accounts.account(name) is not None:
                    raise NameTaken(f"There is an account called {name} already.")
            except Refused as refused:
                items.append({"name": name, "refused": refused.code, "sentence": str(refused)})
                continue
            made = await self.create_invite_token(1, seconds, f"{name} {note}".rstrip())
            items.append({"name": name, **asdict(made)})
        return items

    async def invite_tokens(self) -> list[InviteTokenInfo]:
        """All invite tokens in order of creation, including used and expired ones."""
        return [
            InviteTokenInfo(key, token.created, token.expires, token.uses, token.note)
            for key, token in await invite_tokens.listing(self._documents)
        ]

    async def revoke_invite_token(self, token_or_key: str) -> str:
        """Delete an invite token, given as the token or the beginning of its key. Returns the key.
        Raises `InviteInvalid` unless exactly one matches."""
        return await invite_tokens.revoke(self._documents, token_or_key)

    # Access tokens

    async def create_access_token(
        self, name: str, token_name: str, scopes: Sequence[str], seconds: int | None
    ) -> NewAccessToken:
        """Make an access token of an account, valid for so many seconds (None: for ever).

        Raises `UnknownAccount` and as `AccessTokens.create`.
        """
        name, account = await self._realm.accounts.existing(name)
        token, record = await self._realm.access_tokens.create(
            name, account, token_name, scopes, seconds, proven=False
        )
        return NewAccessToken(name, token, record.expires)

    async def access_tokens(self, name: str) -> list[AccessTokenInfo]:
        """The access tokens of an account, in alphabetical order of their names. Raises
        `UnknownAccount`."""
        _, account = await self._realm.accounts.existing(name)
        return [
            AccessTokenInfo(
                token.name,
                [grant.text for grant in token.grants],
                token.created,
                token.expires,
                token.used,
                sessions,
                token.by_operator,
            )
            for token, sessions in await self._realm.access_tokens.listing(account.id)
        ]

    async def revoke_access_token(self, name: str, token_name: str) -> str:
        """End an access token of an account, and the sessions that it has opened. Returns the
        account's name as first written. Raises `UnknownAccount`, `UnknownToken`, `Busy`."""
        name, account = await self._realm.accounts.existing(name)
        await self._realm.access_tokens.revoke(name, account.id, token_name)
        return name

    # The daemon

    async def statistics(self) -> Statistics:
        """Counts of accounts, rooms, sessions and work in progress."""
        accounts, rooms = await gather(
            self._documents.count(Account), self._documents.count(RoomRecord)
        )
        sessions = self._realm.sessions.all()
        counters = self._realm.counters
        return Statistics(
            started=self._started,
            accounts=accounts,
            rooms=rooms,
            sessions=len(sessions),
            accounts_online=len({session.account for session in sessions}),
            rooms_in_memory=sum(map(is_room, self._realm.delivery.live_logs)),
            store_backlog=self._store.backlog,
            refusals=dict(counters.refusals),
            quotas_met=dict(counters.quotas_met),
            queues=counters.queues,
            store=_store_statistics(self._store.counts),
        )

    def log_level(self, level: str) -> str:
        """Log lines of this level and above from now on; with an empty text, change nothing.
        Returns the level. Raises `BadRequest` if it cannot be changed."""
        if self._log_level is None:
            raise BadRequest("the log of this daemon has no level")
        if level:
            self._log_level.set(level)
        return self._log_level.level

    async def backup(self, path: str) -> None:
        """Write a copy of the whole store, as of one moment, to a new file.

        Raises `BadRequest` unless the path is absolute, and `BackupFailed`.
        """
        if not os.path.isabs(path):
            raise BadRequest(
                "the path of a backup must be absolute: the daemon may run in another directory"
            )
        if not isinstance(self._store, OnlineBackup):
            raise BackupFailed(
                "this kind of store has no online backup (a store in memory, for example)"
            )
        await self._store.backup(path)


def _store_statistics(counts: StoreCounts) -> StoreStatistics:
    times = [*map(str, COMMIT_TIMES), "longer"]
    return StoreStatistics(
        counts.entries,
        counts.characters,
        counts.batches,
        round(counts.commit_seconds, 6),
        round(counts.longest_commit, 6),
        dict(zip(times, counts.commits, strict=True)),
    )
