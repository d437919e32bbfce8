"""Blocking: a blocked account cannot send messages, invitations or typing notices."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from chatd.core.errors import UnknownAccount
from chatd.realm.accounts import Account
from chatd.realm.context import Context
from chatd.realm.mailbox import Mailbox
from chatd.realm.permissions import check_blocked_count, check_not_deleted
from chatd.realm.read_state import NO_SETTINGS, Settings
from chatd.realm.session import Session
from chatd.realm.tasks import gather
from chatd.stores import RequireLog


class Blocking:
    """Changes the list of accounts that an account blocks (`chatd.realm.read_state.Settings`)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def set_blocked(self, session: Session, name: str, blocked: bool) -> None:
        """Block an account, or stop blocking it. Raises `UnknownAccount`, `LimitReached`,
        `NotLoggedIn` if the session's account has been deleted, `StoreUnavailable`."""
        context = self._context
        mailbox = session.mailbox
        # Also if the session ends meanwhile, the settings that are stored are used by the next one.
        with context.sessions.reserved(mailbox):
            await self._set_blocked(mailbox, name, blocked)

    async def _set_blocked(self, mailbox: Mailbox, name: str, blocked: bool) -> None:
        context = self._context
        other = await context.accounts.account(name)
        if blocked and other is None:
            raise UnknownAccount(f"There is no account called {name}.")

        def changed(current: Settings | None) -> Settings:
            settings = NO_SETTINGS if current is None else current
            others = {
                id: shown
                for id, shown in settings.blocked.items()
                if shown.lower() != name.lower() and (other is None or id != other[1].id)
            }
            if blocked and other is not None:
                check_blocked_count(len(others), context.limits)
                others[other[1].id] = other[0]
            return msgspec.structs.replace(settings, blocked=others)

        await change_settings(context, mailbox, changed)

    async def names(self, session: Session) -> list[str]:
        """Return the accounts that the account of a session blocks, and which still exist."""
        blocked = session.mailbox.settings.blocked
        documents = self._context.documents
        accounts = await gather(*(documents.get(Account, name) for name in blocked.values()))
        return [
            stored.key
            for id, stored in zip(blocked, accounts, strict=True)
            if stored is not None and stored.record.id == id
        ]


async def change_settings(
    context: Context, mailbox: Mailbox, changed: Callable[[Settings | None], Settings]
) -> None:
    """Store other settings of an account, and use them from now on. Raises `NotLoggedIn` if the
    account has been deleted, `StoreUnavailable`, and what `changed` does."""
    with context.sessions.reserved(mailbox):
        stored = await context.documents.change(
            Settings, mailbox.log, changed, (RequireLog(mailbox.log),)
        )
    check_not_deleted(mailbox.deleted or stored is None)
    assert stored is not None
    mailbox.settings = stored.record
    context.accounts.set_blocked(mailbox.owner, mailbox.log, stored.record.blocked)
