"""Reports: complaints of users to the operators, about an account or a message."""

from __future__ import annotations

from chatd.core.entries import REPORT
from chatd.core.errors import UnknownEntry
from chatd.core.names import mailbox_log
from chatd.realm.ack_session import AckSession
from chatd.realm.context import Context

REPORTS = mailbox_log("server")
"""the log of all reports; no account can have its name, since `server` is reserved"""

_EXCERPT = 500
"""characters of a reported message that are quoted"""


class Reports:
    """Writes the log of reports, which operators read (``python -m chatd.admin reports``)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def report(self, session: AckSession, name: str, reason: str, log: str, seq: int) -> None:
        """Report an account and, with a `log`, the entry `seq` that it wrote there.

        Raises `UnknownAccount`, `UnknownEntry`.
        """
        context = self._context
        account = await context.accounts.display_name(name)
        body = f"{account}: {reason}"
        if log:
            entry = await context.history.entry(session, log, seq)
            if entry.sender.lower() != account.lower():
                raise UnknownEntry(f"that entry is not by {account}")
            body += f"\n{log} {seq}: {entry.body[:_EXCERPT]}"
        context.note(REPORTS, session.name, REPORT, body)
