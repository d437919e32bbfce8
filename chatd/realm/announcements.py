"""Announcements: a text of an operator for all sessions. It is not stored."""

from __future__ import annotations

from chatd.core.errors import BadRequest
from chatd.core.printable import in_one_line
from chatd.realm.context import Context
from chatd.realm.tasks import Tasks

AT_ONCE = 50
"""sessions that are shown an announcement before other work goes on"""


class Announcements:
    """Shows announcements, in turns."""

    def __init__(self, context: Context, tasks: Tasks) -> None:
        self._context = context
        self._tasks = tasks

    async def announce(self, text: str) -> int:
        """Show a text, as one line, to all sessions that began before, and return their number.

        Raises `BadRequest` if the text is empty.
        """
        text = in_one_line(text)
        if not text:
            raise BadRequest("an announcement has a text")
        sessions = self._context.sessions
        time = self._context.now()
        shown = waited = 0
        for account in sessions.accounts():
            if shown - waited >= AT_ONCE:
                await self._tasks.sleep(0)
                waited = shown
            shown += sum(session.announce(time, text) for session in sessions.of(account))
        return shown
