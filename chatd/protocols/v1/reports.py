"""Version 1: reports to the operators."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.protocols.v1.requests import V1Connection, handles
from chatd.realm.session import Session

_COMMANDS = 50
"""commands that a report counts as, since an operator has to read it"""


@handles(c.Report)
async def report(connection: V1Connection, session: Session, request: c.Report) -> c.Message:
    """Report an account, perhaps with an entry that it sent."""
    connection.charge(_COMMANDS)
    await connection.realm.reports.report(
        session, request.name, request.reason, request.log, request.seq
    )
    return c.Done(request.ref)
