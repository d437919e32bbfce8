"""Suspensions: operators keep accounts from being used, for a time or until they end it.

A suspended account has no sessions. Its resume tokens, its mail and its rooms are as they were when
the suspension ends. What refuses its log-ins is `chatd.realm.permissions.check_not_suspended`, at
the opening of each session: a log-in that is under way meanwhile is refused as well, since the
record of the account has changed.
"""

from __future__ import annotations

from chatd.core.errors import NotSuspended
from chatd.core.printable import in_one_line
from chatd.realm.accounts import Suspension
from chatd.realm.context import Context


class Suspensions:
    """Suspends accounts and ends that."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def suspend(
        self, name: str, seconds: int | None, reason: str
    ) -> tuple[str, Suspension, int]:
        """Suspend an account for so many seconds (None: until `unsuspend`), in place of a
        suspension that it has, and end its sessions. `reason` is shown as one line.

        Returns its name as first written, the suspension and the number of sessions. Raises
        `UnknownAccount`, `Busy`, `StoreUnavailable`.
        """
        context = self._context
        now = context.now()
        until = None if seconds is None else now + seconds * 1000
        suspension = Suspension(now, until, in_one_line(reason))
        name, account = await context.accounts.existing(name)
        await context.accounts.set_suspension(name, account, suspension)
        ended = context.sessions.end(account.id, "suspended", suspension.sentence)
        return name, suspension, ended

    async def unsuspend(self, name: str) -> str:
        """End the suspension of an account. Returns its name as first written.

        Raises `UnknownAccount`, `NotSuspended` if it has none, `Busy`, `StoreUnavailable`.
        """
        context = self._context
        name, account = await context.accounts.existing(name)
        if account.suspension is None:
            raise NotSuspended(f"{name} is not suspended.")
        await context.accounts.set_suspension(name, account, None)
        return name
