"""The place of a session in one log: what it has been sent, and whether it is live or behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.core.entries import Cursor
from chatd.realm.live_log import LiveLog

if TYPE_CHECKING:
    from chatd.realm.session import Session


class Subscription:
    """What a session has been sent of one log, `live_log`.

    That is the entries up to the seq `sent` or, while the subscription is `live`, up to
    `LiveLog.pushed` if that is more. It is live while every entry is pushed to the session when it
    is committed; otherwise `Session.catch_up` reads the log from `sent` on. `skip` (None: nothing)
    has entries after `sent` that the session does not need, since they have been acknowledged.
    """

    __slots__ = ("live", "live_log", "sent", "session", "skip")

    def __init__(self, session: Session, live_log: LiveLog, sent: int) -> None:
        self.session = session
        self.live_log = live_log
        self.sent = sent
        self.skip: Cursor | None = None
        self.live = False

    @property
    def position(self) -> int:
        """See `chatd.realm.live_log.Subscriber`."""
        return max(self.sent, self.live_log.pushed) if self.live else self.sent

    def stop(self) -> None:
        """Push nothing more until the session has caught up."""
        self.sent = self.position
        self.live = False

    def show_after(self, cursor: Cursor) -> None:
        """Have `Session.catch_up` show what has not been acknowledged."""
        self.stop()
        self.sent = min(cursor.upto, self.live_log.head)
        self.skip = cursor if cursor.ahead else None
