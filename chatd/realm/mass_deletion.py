"""Deletion of many accounts: those whose names match a pattern, and that are old or idle.

It is done a page at a time, so that other work goes on in between and an operator can stop it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

import msgspec

from chatd.core.errors import BadRequest, Busy, UnknownAccount, WrongPassword
from chatd.realm.accounts import Account
from chatd.realm.page import Page
from chatd.realm.realm import Realm


class Listed(Protocol):
    """An account as it is listed; see `chatd.realm.operations.AccountInfo`."""

    @property
    def name(self) -> str: ...
    @property
    def created(self) -> int: ...
    @property
    def seen(self) -> int: ...


class Listing(Protocol):
    """A function that lists the accounts whose names match a glob, page by page."""

    def __call__(self, pattern: str, after: str, limit: int) -> Awaitable[Page[Any, str]]: ...


class Deleted(msgspec.Struct, frozen=True):
    """An account that was deleted, or would be: when it was created and last seen (0: unknown).
    `refused` is a code if it could not be deleted, because it was changed meanwhile."""

    name: str
    created: int
    seen: int
    refused: str = ""


class MassDeletion:
    """Deletes accounts of one realm. `accounts` lists them, as
    `chatd.realm.operations.Operations.accounts`."""

    def __init__(self, realm: Realm, accounts: Listing) -> None:
        self._realm = realm
        self._accounts = accounts

    async def page(
        self,
        pattern: str,
        older: int | None,
        idle: int | None,
        dry_run: bool,
        after: str,
        limit: int,
    ) -> Page[Deleted, str]:
        """Delete, of the next `limit` accounts that match a glob, those created more than `older`
        seconds ago and not seen for `idle` seconds; with `dry_run` only list them.

        None stands for any time, but not for both. An account that was never seen counts as seen
        when it was created, one that has a session as seen now, one with access tokens when one of
        them was used. Raises `BadRequest`, `PatternTooLong`.
        """
        if older is None and idle is None:
            raise BadRequest("say how old, or how long idle, the accounts have to be")
        now = self._realm.now()
        listed = await self._accounts(pattern, after, limit)
        items = []
        for account in listed.items:
            seen = max(account.seen, account.created)
            if (older is None or now - account.created >= older * 1000) and (
                idle is None
                or (
                    now - seen >= idle * 1000
                    and now - await self._tokens_used(account) >= idle * 1000
                )
            ):
                refused = "" if dry_run else await self._delete(account, idle is not None)
                items.append(Deleted(account.name, account.created, account.seen, refused))
        return Page(items, listed.more, listed.last)

    async def _tokens_used(self, account: Listed) -> int:
        """When an access token of an account was last used, 0 if none was."""
        stored = await self._realm.documents.get(Account, account.name)
        if stored is None:
            return 0
        tokens = await self._realm.access_tokens.listing(stored.record.id)
        return max((token.used for token, _ in tokens), default=0)

    async def _delete(self, account: Listed, must_be_offline: bool) -> str:
        """Delete an account, if it is the one that was listed. Returns the code of a refusal."""
        try:
            name, record = await self._realm.accounts.existing(account.name)
            if record.created != account.created:
                raise UnknownAccount()
            sessions = self._realm.sessions
            mailbox = sessions.mailbox(record.id)
            scoped = mailbox is not None and bool(mailbox.scoped)
            if must_be_offline and (scoped or sessions.online(name)):
                raise Busy()
            await self._realm.delete_account(name, record)
        except (UnknownAccount, WrongPassword, Busy) as refusal:
            return refusal.code
        return ""
