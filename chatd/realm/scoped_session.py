"""A session that an access token has opened which permits some things only.

It follows the rooms that the token may read, from the position that the client gives, or else from
the next entry on. It acknowledges nothing for the account: whatever its client has received stays
unread for the people who use the account. It is not a session of the mailbox: it is pushed no
private message, and is not seen as the presence of the account.
"""

from __future__ import annotations

from chatd.core.entries import Cursor
from chatd.realm.live_log import LiveLog
from chatd.realm.permissions import check_read_log, may_read_in_scope, may_send_in_scope
from chatd.realm.session import Session
from chatd.realm.subscription import Subscription


class ScopedSession(Session):
    """A session whose `scope` is not None. `subscriptions` are the rooms that it may read,
    `sendable` those that it may send to."""

    __slots__ = ()

    def _attach(self) -> None:
        self.sendable = {}
        self.mailbox.scoped = (*self.mailbox.scoped, self)

    def _detach(self) -> None:
        for log in {**self.subscriptions, **self.sendable}:
            self.unsubscribe(log)
        others = (session for session in self.mailbox.scoped if session is not self)
        self.mailbox.scoped = tuple(others)

    def add(self, live_log: LiveLog, cursor: Cursor) -> None:
        """Follow a room from its next entry on, if it is in the scope, before `begin`."""
        self._follow(live_log)

    def subscribe(self, live_log: LiveLog) -> None:
        """Follow a room from its next entry on, if it is in the scope."""
        if self.following(live_log.name) is None:
            self._follow(live_log)
            subscription = self.subscriptions.get(live_log.name)
            if subscription is not None:
                subscription.live = self._begun and self.peer.writable

    def _follow(self, live_log: LiveLog) -> None:
        assert self.scope is not None
        readable = may_read_in_scope(self.scope, live_log.log)
        sendable = may_send_in_scope(self.scope, live_log.log)
        subscription = Subscription(self, live_log, live_log.head)
        if readable:
            self.subscriptions[live_log.name] = subscription
        if sendable:
            self.sendable[live_log.name] = subscription
        if readable or sendable:
            # Without the right to read it never becomes live, so nothing is pushed.
            live_log.subscribe(subscription)

    def following(self, log: str) -> Subscription | None:
        """See `Session`."""
        return self.subscriptions.get(log) or self.sendable.get(log)

    def show_unacknowledged(self, room: str) -> None:
        """See `Session`. What the account has acknowledged does not count."""

    def unsubscribe(self, log: str) -> None:
        """See `Session`."""
        subscription = self.sendable.pop(log, None)
        if subscription is not None and log not in self.subscriptions:
            subscription.live_log.unsubscribe(subscription)
        super().unsubscribe(log)

    def acknowledge(self, log: str, first: int, last: int, since: int = 0) -> None:
        """Do nothing, if the session may read the log. Raises `UnknownLog`."""
        check_read_log(self, log)

    def answer(self) -> None:
        """See `Session`."""
        answers = self.answers
        super().answer()
        if not self.ended and len(self.mailbox.subscriptions) == 1:
            self._echo(answers)
