"""What operators may ask about invite tokens and access tokens; a part of
`chatd.realm.operations`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import asdict

from chatd.core.errors import NameTaken, Refused
from chatd.core.names import check_name
from chatd.realm import invite_tokens
from chatd.realm.realm import Realm


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


class TokenOperations:
    """Making, listing and revoking invite tokens, and the access tokens of any account.

    `random_bytes` gives so many bytes that cannot be guessed, for invite tokens.
    """

    def __init__(self, realm: Realm, random_bytes: Callable[[int], bytes]) -> None:
        self._realm = realm
        self._documents = realm.documents
        self._random_bytes = random_bytes

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
