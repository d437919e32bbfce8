"""Resume tokens: with one, a client that connects again logs in without a password being hashed.

A token belongs to one account. It ends when it has not been used for 30 days, when the session that
has it logs out, when the password is changed or a certificate is removed, when an operator ends the
sessions of the account, and with the account.

The store has the hash of a token and never the token, so a token cannot be used by reading the
store or a copy of it. A token has 192 random bits, so its hash needs no salt and cannot be reversed
by guessing.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256

import msgspec

from chatd.core.errors import Conflict, Exists, StoreUnavailable
from chatd.realm import changes
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.documents import Stored
from chatd.realm.proof import Proof
from chatd.realm.resume_token import ResumeToken, ending_all_resume_tokens
from chatd.realm.session import Session
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Change

_BYTES = 24
_DAY = 24 * 3600 * 1000
LIFETIME = 30 * _DAY
"""milliseconds without use after which a token ends"""
SAVE_USE_AFTER = _DAY
"""milliseconds for which a token may be used before that is saved: a reconnection is no write"""
INTERVAL_SECONDS = 6 * 3600.0
"""the pause after the uses by all open sessions have been saved"""
_AT_ONCE = 64
_PAUSE_SECONDS = 0.02
_ATTEMPTS = 16


def hashed(token: str) -> str:
    """Return the key under which a token is stored."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class ResumeTokens:
    """The resume tokens of all accounts. `random_bytes` gives so many bytes that cannot be
    guessed."""

    def __init__(
        self, context: Context, tasks: Tasks, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._context = context
        self._documents = context.documents
        self._tasks = tasks
        self._random_bytes = random_bytes

    # Logging in

    async def account(self, name: str, token: str) -> tuple[str, Account, Proof] | None:
        """Return an account, with its name as first written, and by what it was opened when the
        token was issued, if it has this token; otherwise None.

        It takes the same time whether there is no such account or no such token. Raises
        `StoreUnavailable`.
        """
        account = await self._documents.get(Account, name)
        # No account has the id 0, and so no token.
        owner = 0 if account is None else account.record.id
        stored = await self._documents.get(ResumeToken, hashed(token), str(owner))
        if account is None or stored is None or self._expired(stored.record):
            return None
        return account.key, account.record, Proof(stored.record.certificate)

    async def resumed(self, session: Session, token: str) -> None:
        """A session has been opened with a token, and has it from now on.

        If the token has ended since `account` was asked, so has the session.
        """
        session.resume_token = hashed(token)
        with suppress(StoreUnavailable):
            stored = await self._stored(session)
            if stored is not None:
                await self._save_use(stored)
            elif not session.ended:
                session.end()
                session.peer.session_ended(
                    "wrong-password", "The resume token has ended: log in again."
                )

    async def issue(self, session: Session) -> str:
        """Return a new token for a session; empty if the session has ended, has been opened by an
        access token, or the store cannot store a token at the moment.

        If the account has `Limits.resume_tokens`, the one that was last used longest ago ends.
        """
        if session.proof.access_token:
            return ""
        token = urlsafe_b64encode(self._random_bytes(_BYTES)).decode()
        key, scope = hashed(token), str(session.account)
        with suppress(StoreUnavailable):
            for _ in range(_ATTEMPTS):
                account, count = await gather(
                    self._documents.get(Account, session.name),
                    self._documents.count(ResumeToken, scope),
                )
                steps: list[Change] = []
                if count >= self._context.limits.resume_tokens:
                    steps += await self._making_room(scope)
                # What ends all tokens of the account also ends its sessions.
                if session.ended or account is None or account.record.id != session.account:
                    return ""
                record = ResumeToken(self._context.now(), session.proof.certificate)
                steps += [changes.require(account), changes.create(key, record, scope)]
                try:
                    await self._documents.write(steps)
                except (Conflict, Exists):
                    continue
                session.resume_token = key
                if not session.ended:
                    return token
                await self.revoke(session)
                break
        return ""

    async def _making_room(self, scope: str) -> list[Change]:
        """The deletions of the tokens for which there is no room beside a new one."""
        stored = await self._documents.scan(ResumeToken, scope)
        stored.sort(key=lambda each: each.record.used)
        surplus = max(0, len(stored) + 1 - self._context.limits.resume_tokens)
        expired = sum(self._expired(each.record) for each in stored)
        return [
            changes.delete_any(ResumeToken, each.key, scope)
            for each in stored[: max(surplus, expired)]
        ]

    # Ending tokens

    async def revoke(self, session: Session) -> None:
        """End the token of a session, if it has one. Raises `StoreUnavailable`."""
        if session.resume_token:
            ending = changes.delete_any(ResumeToken, session.resume_token, str(session.account))
            await self._documents.write([ending])
            session.resume_token = ""

    async def revoke_all(self, account: int) -> None:
        """End all tokens of an account, given by its id. Raises `StoreUnavailable`."""
        await self._documents.write([ending_all_resume_tokens(account)])

    # Use

    async def run(self) -> None:
        """Save the uses by open sessions, now and every `INTERVAL_SECONDS`; never returns. So the
        token of a connection that lasts for months does not end before it is needed."""
        while True:
            # The store logs its failure, and the next round saves what is left of this one.
            with suppress(StoreUnavailable):
                await self.save_uses()
            await self._tasks.sleep(INTERVAL_SECONDS)

    async def save_uses(self) -> None:
        """Save that the tokens of all open sessions are in use. Raises `StoreUnavailable`."""
        sessions = [session for session in self._context.sessions.all() if session.resume_token]
        for start in range(0, len(sessions), _AT_ONCE):
            await self._save_uses(sessions[start : start + _AT_ONCE])
            await self._tasks.sleep(_PAUSE_SECONDS)

    async def _save_uses(self, sessions: Sequence[Session]) -> None:
        stored = await gather(*map(self._stored, sessions))
        await gather(*(self._save_use(token) for token in stored if token is not None))

    async def _stored(self, session: Session) -> Stored[ResumeToken] | None:
        return await self._documents.get(ResumeToken, session.resume_token, str(session.account))

    async def _save_use(self, stored: Stored[ResumeToken]) -> None:
        now = self._context.now()
        if now - stored.record.used >= SAVE_USE_AFTER:
            # A token that has ended meanwhile stays ended.
            with suppress(Conflict):
                record = msgspec.structs.replace(stored.record, used=now)
                await self._documents.write([changes.update(stored, record)])

    def _expired(self, token: ResumeToken) -> bool:
        return self._context.now() - token.used >= LIFETIME
