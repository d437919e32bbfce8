"""Reports: complaints of users to the operators, about an account or a message."""

from __future__ import annotations

from contextlib import suppress

from chatd.core.entries import REPORT
from chatd.core.errors import Exists, UnknownEntry
from chatd.realm.context import Context
from chatd.realm.permissions import wrote
from chatd.realm.session import Session
from chatd.stores import CreateLog

REPORTS = "@server"
"""the log of all reports"""

_EXCERPT = 500
"""characters of a reported message that are quoted"""


class Reports:
    """Writes the log of reports, which operators read (``python -m chatd.admin reports``)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def start(self) -> None:
        """Create the log of reports unless there is one."""
        with suppress(Exists):
            await self._context.store.write([CreateLog(REPORTS)])

    async def report(self, session: Session, name: str, reason: str, log: str, seq: int) -> None:
        """Report an account and, with a `log`, the entry `seq` that it wrote there.

        Raises `UnknownAccount`, `UnknownEntry`.
        """
        context = self._context
        account, record = await context.accounts.existing(name)
        body = f"{account}: {reason}"
        if log:
            entry = await context.history.entry(session, log, seq)
            if not wrote(account, record.id, record.created, entry):
                raise UnknownEntry(f"that entry is not by {account}")
            body += f"\n{log} {seq}: {entry.body[:_EXCERPT]}"
        context.note(REPORTS, session.name, session.account, REPORT, body)
