"""Reports: complaints of users to the operators, about an account or a message.

A report is an entry of the log `REPORTS`; that it is closed is a document of its own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

import msgspec

from chatd.core.entries import REPORT
from chatd.core.errors import Exists, ReportClosed, UnknownEntry
from chatd.core.names import REPORTS
from chatd.core.printable import in_one_line
from chatd.realm import changes
from chatd.realm.context import Context
from chatd.realm.last_hour import LastHour
from chatd.realm.page import Page
from chatd.realm.permissions import check_report_count, wrote
from chatd.realm.session import Session
from chatd.realm.tasks import gather
from chatd.stores import CreateLog, RequireLog

_EXCERPT = 500
"""characters of a reported message that are quoted"""


class Closing(msgspec.Struct, frozen=True, array_like=True):
    """A report has been closed, at a time (milliseconds since 1970, UTC), with an operator's note.
    Stored under the number of the report."""

    document_kind: ClassVar[str] = "report-closing"

    time: int
    note: str = ""


class Report(msgspec.Struct, frozen=True):
    """A report as operators see it; `seq` is its number, `closed` when it was closed (0: it is
    open), with `note`."""

    seq: int
    time: int
    sender: str
    body: str
    closed: int = 0
    note: str = ""


class Reports:
    """The log of reports, which users write and operators read and close
    (``python -m chatd.admin reports``)."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # By the id of the account that reports.
        self._made = LastHour(context.seconds)

    async def start(self) -> None:
        """Create the log of reports unless there is one."""
        with suppress(Exists):
            await self._context.store.write([CreateLog(REPORTS)])

    async def page(self, after: int, limit: int, open_only: bool = False) -> Page[Report, int]:
        """Reports, oldest first; with `open_only`, the open ones of these, so that a page may have
        less than `limit`. Raises `StoreUnavailable`."""
        context = self._context
        entries = await context.store.read(REPORTS, after, limit)
        closings = await gather(
            *(context.documents.get(Closing, str(entry.seq)) for entry in entries)
        )
        items = []
        for entry, stored in zip(entries, closings, strict=True):
            if stored is None:
                items.append(Report(entry.seq, entry.time, entry.sender, entry.body))
            elif not open_only:
                closing: Closing = stored.record
                items.append(
                    Report(
                        entry.seq,
                        entry.time,
                        entry.sender,
                        entry.body,
                        closing.time,
                        closing.note,
                    )
                )
        return Page(items, bool(entries), entries[-1].seq if entries else after)

    async def close(self, seq: int, note: str) -> None:
        """Close a report, with a note for operators, which is stored as one line.

        Raises `UnknownEntry`, `ReportClosed`, `StoreUnavailable`.
        """
        context = self._context
        entries = await context.store.read(REPORTS, seq - 1, 1) if seq > 0 else []
        if not entries or entries[0].seq != seq:
            raise UnknownEntry(f"There is no report {seq}.")
        closing = Closing(context.now(), in_one_line(note))
        try:
            await context.documents.write([changes.create(str(seq), closing)])
        except Exists:
            raise ReportClosed(f"Report {seq} is closed already.") from None

    async def report(self, session: Session, name: str, reason: str, log: str, seq: int) -> None:
        """Report an account and, with a `log`, the entry `seq` that it wrote there. The report is
        durable when this returns.

        Raises `LimitReached`, `UnknownAccount`, `UnknownEntry`, `StoreUnavailable`.
        """
        account = str(session.account)
        check_report_count(self._made.count(account), self._context.limits)
        with self._made.making(account):
            await self._report(session, name, reason, log, seq)

    async def _report(self, session: Session, name: str, reason: str, log: str, seq: int) -> None:
        context = self._context
        account, record = await context.accounts.existing(name)
        body = f"{account}: {reason}"
        if log:
            entry = await context.history.entry(session, log, seq)
            if not wrote(account, record.id, record.created, entry):
                raise UnknownEntry(f"that entry is not by {account}")
            body += f"\n{log} {seq}: {entry.body[:_EXCERPT]}"
        note = context.new_note(REPORTS, session.name, session.account, REPORT, body)
        context.append(note)
        # It is committed with what is queued before it.
        await context.store.write([RequireLog(REPORTS)])
        if note.refusal is not None:
            raise note.refusal
