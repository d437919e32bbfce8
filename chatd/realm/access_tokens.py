"""Access tokens: with one, a bot or a script logs in to an account without its password.

A token is made by its account or by an operator. It has a name, one or more scopes (everything, or
sending to or reading one log) and perhaps an expiry date. It ends then, when it is revoked, when an
open account gets its first password, when an operator sets the password, and with the account. The
sessions that it has opened end with it.

The store has the hash of a token and never the token, as of resume tokens
(`chatd.realm.resume_tokens`).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import count

import msgspec

from chatd.core.errors import (
    Busy,
    Conflict,
    Exists,
    IllegalName,
    ScopeInvalid,
    StoreUnavailable,
    TokenTaken,
    UnknownAccount,
    UnknownRoom,
    UnknownToken,
    WrongPassword,
)
from chatd.core.names import check_word, is_room, mailbox_log, room_log
from chatd.realm import changes
from chatd.realm.access_token import ALL, READ, SEND, AccessToken, Grant
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.documents import Stored
from chatd.realm.mail_fetch import ENDED
from chatd.realm.membership import MemberRecord
from chatd.realm.permissions import check_access_token_count, check_grant_count
from chatd.realm.proof import Proof
from chatd.realm.resume_tokens import hashed
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks
from chatd.stores import Change

PREFIX = "chatd_"
"""the beginning of every access token, by which people and programs recognize one"""
_BYTES = 24
_LENGTH = len(PREFIX) + _BYTES * 4 // 3
SAVE_USE_AFTER = 3600 * 1000
"""milliseconds for which a token may be used before that is saved"""
INTERVAL_SECONDS = 60.0
"""the pause after uses were saved, and the longest one before expired tokens are looked for: the
wall clock may jump"""
_ENDED_SESSIONS = 100
"""sessions that may have ended when they are looked for, or as many as have not"""
_ATTEMPTS = 16


def has_form(token: str) -> bool:
    """Whether a text may be an access token. A resume token has another length."""
    return len(token) == _LENGTH and token.startswith(PREFIX)


class AccessTokens:
    """The access tokens of all accounts. `random_bytes` gives so many bytes that cannot be
    guessed."""

    def __init__(
        self, context: Context, tasks: Tasks, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._context = context
        self._documents = context.documents
        self._tasks = tasks
        self._random_bytes = random_bytes
        # The sessions that tokens have opened; some have ended.
        self._sessions: dict[Session, None] = {}
        # A heap of those whose tokens expire, with when that is; a number decides between equals.
        self._expiries: list[tuple[int, int, Session]] = []
        self._numbers = count()
        # When the expired ones are looked for next, by `Context.seconds`.
        self._look_for_expired: float | None = None
        self._look_at = _ENDED_SESSIONS
        # When tokens were used, by their hashes and the scope of their account, until it is saved.
        self._used: dict[tuple[str, str], int] = {}

    # Logging in

    async def account(self, name: str, token: str) -> tuple[str, Account, Proof] | None:
        """Return an account, with its name as first written, and the proof that the token is, if it
        has this token; otherwise None.

        It takes the same time whether there is no such account or no such token. Raises
        `StoreUnavailable`.
        """
        account = await self._documents.get(Account, name)
        # No account has the id 0, and so no token.
        owner = 0 if account is None else account.record.id
        key = hashed(token)
        stored = await self._documents.get(AccessToken, key, str(owner))
        if account is None or stored is None or self._expired(stored.record):
            return None
        return account.key, account.record, Proof("", key, stored.record.scope)

    async def opened(self, session: Session) -> None:
        """A session has been opened with a token; nothing has been pushed to it.

        Raises `WrongPassword` if the token has ended since `account` was asked, `Busy` if the
        session has been ended for another reason, and `StoreUnavailable`; then it has ended.
        """
        key, scope = session.proof.access_token, str(session.account)
        try:
            stored = await self._documents.get(AccessToken, key, scope)
        except StoreUnavailable:
            session.end()
            raise
        if stored is None or self._expired(stored.record):
            session.end()
            raise WrongPassword()
        if session.ended:
            raise Busy(ENDED)
        self._sessions[session] = None
        if stored.record.expires is not None:
            heappush(self._expiries, (stored.record.expires, next(self._numbers), session))
            self._plan()
        if len(self._sessions) > self._look_at:
            # A client can open and end many until `run` looks at them.
            self._release_ended()
            self._look_at = 2 * len(self._sessions) + _ENDED_SESSIONS
        if self._context.now() - stored.record.used >= SAVE_USE_AFTER:
            self._used[key, scope] = self._context.now()

    # Making, listing and ending tokens

    async def create(
        self,
        name: str,
        account: Account,
        token_name: str,
        scopes: Sequence[str],
        seconds: int | None,
        proven: bool,
    ) -> tuple[str, AccessToken]:
        """Make a token that is valid for so many seconds (None: for ever); return it, and what is
        stored of it. The token cannot be found out later.

        `account` is the record that the right to do so was proven against, if it is `proven`;
        otherwise an operator asks. Raises `IllegalName`, `ScopeInvalid`, `UnknownRoom`,
        `UnknownAccount`, `WrongPassword`, `TokenTaken`, `LimitReached`, `Busy`.
        """
        if not check_word(token_name):
            raise IllegalName("A token has a name of 1 to 32 letters, digits, dots, _ or -.")
        check_grant_count(len(scopes))
        grants = [await self._grant(name, account, scope) for scope in scopes]
        now = self._context.now()
        expires = None if seconds is None else now + seconds * 1000
        record = AccessToken(token_name, tuple(grants), now, expires, 0, not proven)
        token = PREFIX + urlsafe_b64encode(self._random_bytes(_BYTES)).decode()

        def steps(tokens: Sequence[Stored[AccessToken]]) -> list[Change]:
            expired = [each for each in tokens if self._expired(each.record)]
            others = [each for each in tokens if each not in expired]
            if any(each.record.name.lower() == token_name.lower() for each in others):
                raise TokenTaken()
            check_access_token_count(len(others), self._context.limits)
            creation = changes.create(hashed(token), record, str(account.id))
            return [creation, *map(changes.delete, expired)]

        await self._change(name, account.id, account if proven else None, steps)
        return token, record

    async def _grant(self, name: str, account: Account, scope: str) -> Grant:
        """A scope as it is stored. The account must be a member of its room."""
        right, _, target = scope.partition(" ")
        if scope == ALL:
            return Grant(ALL)
        if right not in (SEND, READ) or (right == READ and not is_room(target)):
            raise ScopeInvalid()
        if not is_room(target):
            shown, other = await self._context.accounts.existing(target)
            return Grant(right, mailbox_log(other.id), shown)
        (room,) = await self._context.rooms.load((target,))
        if room is not None:
            member = await self._documents.get(MemberRecord, name, room.scope)
            if member is not None and member.record.account == account.id:
                return Grant(right, room_log(room.id), room.display_name)
        raise UnknownRoom(f"{name} is not a member of a room {target}.")

    async def listing(self, account: int) -> list[tuple[AccessToken, int]]:
        """The tokens of an account, given by its id, that have not expired, in alphabetical order
        of their names, each with the number of its sessions. The time of the last use is now while
        there are any."""
        scope = str(account)
        mailbox = self._context.sessions.mailbox(account)
        sessions = [] if mailbox is None else mailbox.all_sessions
        items: list[tuple[AccessToken, int]] = []
        for stored in await self._documents.scan(AccessToken, scope):
            record = stored.record
            if self._expired(record):
                continue
            count = sum(each.proof.access_token == stored.key for each in sessions)
            used = self._used.get((stored.key, scope), record.used)
            used = self._context.now() if count else max(used, record.used)
            items.append((msgspec.structs.replace(record, used=used), count))
        return sorted(items, key=lambda item: item[0].name.lower())

    async def revoke(
        self, name: str, account: int, token_name: str, requester: Session | None = None
    ) -> str:
        """End a token of an account, given by its name and id, and the sessions that the token has
        opened, except that of the requester. Returns the hash of the token.

        Raises `UnknownToken`, `UnknownAccount` if the account has been deleted, `Busy`.
        """
        key = ""

        def steps(tokens: Sequence[Stored[AccessToken]]) -> list[Change]:
            nonlocal key
            for each in tokens:
                if each.record.name.lower() == token_name.lower():
                    key = each.key
                    return [changes.delete_any(AccessToken, key, str(account))]
            raise UnknownToken()

        await self._change(name, account, None, steps)
        self._used.pop((key, str(account)), None)
        self._context.sessions.end(
            account,
            "token-ended",
            "The access token of this session has been revoked.",
            requester,
            lambda session: session.proof.access_token == key,
        )
        return key

    async def _change(
        self,
        name: str,
        account: int,
        proven: Account | None,
        steps: Callable[[Sequence[Stored[AccessToken]]], list[Change]],
    ) -> None:
        """Change the tokens of an account, given by its name and id, by what `steps` returns for
        those that it has, and note in its record that they have changed.

        Raises what `steps` does, `UnknownAccount` if the account has been deleted, `WrongPassword`
        if it has another password now than `proven` has, `Busy`.
        """
        for _ in range(_ATTEMPTS):
            stored = await self._documents.get(Account, name)
            if stored is None or stored.record.id != account:
                raise UnknownAccount()
            if proven is not None and stored.record.password != proven.password:
                raise WrongPassword()
            tokens = await self._documents.scan(AccessToken, str(account))
            record = msgspec.structs.replace(stored.record, changed=self._context.now())
            try:
                await self._documents.write([changes.update(stored, record), *steps(tokens)])
            except (Conflict, Exists):
                continue
            return
        raise Busy()

    # Use and expiry

    async def run(self) -> None:
        """Save uses, and release sessions that have ended, every `INTERVAL_SECONDS`; never
        returns."""
        while True:
            await self._tasks.sleep(INTERVAL_SECONDS)
            self._release_ended()
            # The store logs its failure, and the next round saves what is left of this one.
            with suppress(StoreUnavailable):
                await self.save_uses()

    def end_expired(self) -> None:
        """End the sessions of tokens that have expired."""
        now = self._context.now()
        while self._expiries and self._expiries[0][0] <= now:
            _, _, session = heappop(self._expiries)
            if _is_open(session):
                session.end()
                session.peer.session_ended(
                    "token-ended", "The access token of this session has expired."
                )
        self._plan()

    def _plan(self) -> None:
        """Look for expired tokens when the next one expires, or after `INTERVAL_SECONDS`."""
        if not self._expiries:
            return
        pause = max(0.0, (self._expiries[0][0] - self._context.now()) / 1000)
        pause = min(pause, INTERVAL_SECONDS)
        at = self._context.seconds() + pause
        if self._look_for_expired is None or at < self._look_for_expired:
            self._look_for_expired = at
            self._tasks.spawn(self._end_expired_at(at, pause))

    async def _end_expired_at(self, at: float, pause: float) -> None:
        await self._tasks.sleep(pause)
        # Otherwise an earlier look has been planned meanwhile, which plans the next one.
        if self._look_for_expired == at:
            self._look_for_expired = None
            self.end_expired()

    def _release_ended(self) -> None:
        """Hold the sessions no longer that have ended, or are not those of a token any more."""
        self._sessions = {session: None for session in self._sessions if _is_open(session)}
        self._expiries = [each for each in self._expiries if _is_open(each[2])]
        heapify(self._expiries)

    async def save_uses(self) -> None:
        """Save when tokens were used that are in use, or have been since the last time. Raises
        `StoreUnavailable`."""
        now = self._context.now()
        for session in self._sessions:
            if not session.ended and session.proof.access_token:
                self._used[session.proof.access_token, str(session.account)] = now
        for key, scope in list(self._used):
            stored = await self._documents.get(AccessToken, key, scope)
            used = self._used.pop((key, scope), 0)
            if stored is None or used - stored.record.used < SAVE_USE_AFTER:
                continue
            record = msgspec.structs.replace(stored.record, used=used)
            # A token that has ended meanwhile stays ended.
            with suppress(Conflict):
                await self._documents.write([changes.update(stored, record)])

    def _expired(self, token: AccessToken) -> bool:
        return token.expires is not None and token.expires <= self._context.now()


def _is_open(session: Session) -> bool:
    """Whether a session has not ended, and is that of a token: one that has set the first password
    of its account is not any more."""
    return not session.ended and bool(session.proof.access_token)
