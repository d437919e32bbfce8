"""Blocking: a blocked account cannot send messages, invitations or typing notices."""

from __future__ import annotations

import msgspec

from chatd.realm.context import Context
from chatd.realm.permissions import check_blocked_count, check_logged_in
from chatd.realm.session import Session


class Blocking:
    """Changes the list of accounts that an account blocks (`chatd.realm.read_state.Settings`)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def set_blocked(self, session: Session, name: str, blocked: bool) -> None:
        """Block an account, or stop blocking it. Raises `UnknownAccount`, `LimitReached`,
        `NotLoggedIn` if the session ends meanwhile, `StoreUnavailable`."""
        context = self._context
        if blocked:
            await context.accounts.display_name(name)
            # The account of the session may have been deleted meanwhile.
            check_logged_in(None if session.ended else session)
        mailbox = session.mailbox
        key = name.lower()
        others = tuple(other for other in mailbox.settings.blocked if other != key)
        if blocked:
            check_blocked_count(len(others), context.limits)
            others = (*others, key)
        mailbox.settings = msgspec.structs.replace(mailbox.settings, blocked=others)
        context.accounts.set_blocked(session.name, others)
        await mailbox.saved_state.saved()
