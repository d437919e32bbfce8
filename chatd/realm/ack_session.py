"""A session of a peer that acknowledges entries, and resumes after the last one it has.

The session subscribes to several logs, the mailbox and rooms, each with a position of its own. A
log is **live** while the peer takes everything that is appended to it at once. When the connection
cannot take more, all logs fall **behind**: they cost no memory, and are read page by page, one
after another, when the connection has drained.

The cursor (what has been acknowledged) belongs to the account (`chatd.realm.mailbox`); the position
to resume from belongs to each session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chatd.core.entries import TEXT, Cursor
from chatd.core.errors import NothingToAcknowledge, TooManyGaps
from chatd.core.limits import Limits
from chatd.realm.live_log import LiveLog, Run
from chatd.realm.mailbox import Mailbox
from chatd.realm.permissions import check_acknowledge
from chatd.realm.read_state import RoomPosition
from chatd.realm.session import Peer, Session
from chatd.stores import Append


class Subscription:
    """One log of a session. While it is `live`, the session has been sent every entry; otherwise
    those up to `sent`, and it needs none of those in `skip`."""

    __slots__ = ("live", "live_log", "sent", "session", "skip")

    def __init__(self, session: AckSession, live_log: LiveLog, sent: int) -> None:
        self.session = session
        self.live_log = live_log
        self.sent = sent
        self.skip: Cursor | None = None
        self.live = False

    @property
    def position(self) -> int:
        """See `chatd.realm.live_log.Subscriber`."""
        return self.live_log.head if self.live else self.sent

    def stop(self) -> None:
        """Push nothing more until the session has caught up."""
        if self.live:
            self.sent = self.live_log.head
            self.live = False


class AckSession(Session):
    """A session whose peer acknowledges; an account may have several. Nothing is pushed before
    `begin`."""

    __slots__ = (
        "_catching_up",
        "_limits",
        "_notify_delivered",
        "created",
        "subscriptions",
        "wants_typing",
    )

    def __init__(
        self,
        name: str,
        created: int,
        mailbox: Mailbox,
        peer: Peer,
        limits: Limits,
        since: int,
        on_end: Callable[[Session], None],
        notify_delivered: Callable[[str, Mapping[str, Sequence[int]]], None],
    ) -> None:
        """`notify_delivered(log, seqs by sender)` is called when senders have to be notified that
        their entries are delivered."""
        super().__init__(name, mailbox, peer, since, on_end)
        self.created = created
        """when the account was created, in milliseconds since 1970 (UTC)"""
        self.subscriptions: dict[str, Subscription] = {}
        self.wants_typing = False
        self._limits = limits
        self._notify_delivered = notify_delivered
        self._catching_up = False
        self.add(mailbox, mailbox.acknowledged)

    def add(self, live_log: LiveLog, cursor: Cursor) -> None:
        """Subscribe to a log, before `begin`, from what has been acknowledged of it."""
        subscription = self.subscriptions[live_log.log] = Subscription(
            self, live_log, min(cursor.upto, live_log.head)
        )
        if cursor.ahead:
            subscription.skip = cursor
        live_log.subscribe(subscription)

    def begin(self, positions: Mapping[str, int]) -> None:
        """Begin to push. A log for which the client has given a position is shown from there."""
        for log, subscription in self.subscriptions.items():
            position = positions.get(log)
            if position is not None and position <= subscription.live_log.head:
                subscription.sent = position
                subscription.skip = None
            subscription.live = subscription.sent >= subscription.live_log.head

    def rewind(self) -> None:
        """Show the entries of the mailbox again that have not been acknowledged."""
        mailbox = self.mailbox
        subscription = self.subscriptions[mailbox.log]
        subscription.stop()
        subscription.sent = min(mailbox.acknowledged.upto, mailbox.head)
        subscription.skip = mailbox.acknowledged if mailbox.acknowledged.ahead else None

    def subscribe(self, live_log: LiveLog) -> None:
        """Subscribe to a room, from its next entry on."""
        if live_log.log not in self.subscriptions:
            subscription = self.subscriptions[live_log.log] = Subscription(
                self, live_log, live_log.head
            )
            live_log.subscribe(subscription)
            subscription.live = self.peer.writable

    def unsubscribe(self, log: str) -> None:
        """Stop showing a log."""
        subscription = self.subscriptions.pop(log, None)
        if subscription is not None:
            subscription.live_log.unsubscribe(subscription)
            subscription.live = False

    @property
    def behind(self) -> bool:
        """See `Session`."""
        return not self.ended and any(
            not subscription.live for subscription in self.subscriptions.values()
        )

    def fall_behind(self) -> None:
        """See `Session`."""
        for subscription in self.subscriptions.values():
            subscription.stop()

    async def catch_up(self) -> None:
        """See `Session`."""
        if self._catching_up:
            return
        self._catching_up = True
        try:
            for subscription in list(self.subscriptions.values()):
                while not subscription.live and self._can_read(subscription):
                    await self._show_page(subscription)
        finally:
            self._catching_up = False

    def _can_read(self, subscription: Subscription) -> bool:
        return (
            not self.ended
            and self.peer.writable
            and self.subscriptions.get(subscription.live_log.log) is subscription
        )

    async def _show_page(self, subscription: Subscription) -> None:
        live_log = subscription.live_log
        if subscription.skip is not None:
            subscription.sent = subscription.skip.passed(subscription.sent)
        if subscription.sent >= live_log.head:
            subscription.live = True
            subscription.skip = None
            return
        entries = await live_log.store.read(live_log.log, subscription.sent, self._limits.page)
        if subscription.live or not self._can_read(subscription):
            return
        # Entries that have been trimmed are passed over.
        subscription.sent = entries[-1].seq if entries else live_log.head
        skip = subscription.skip
        if skip is not None:
            entries = [entry for entry in entries if not skip.has(entry.seq)]
        if entries:
            if live_log is self.mailbox:
                self.mailbox.expect_receipts(
                    (entry.seq, entry.sender) for entry in entries if entry.kind == TEXT
                )
            self.peer.show((Run(live_log.log, entries),))

    def acknowledge(self, log: str, first: int, last: int) -> None:
        """Acknowledge the entries from `first` (0: from the oldest) to `last`, and notify their
        senders.

        Raises `UnknownLog`, `NothingToAcknowledge`, `TooManyGaps`.
        """
        head = check_acknowledge(self, log).live_log.head
        if last > head or last < first:
            raise NothingToAcknowledge(f"{log} has no entry {last}: its last one is {head}")
        mailbox = self.mailbox
        if log == mailbox.log:
            first = first or 1 + min(mailbox.acked.upto, last)
            former = mailbox.acked
            acked = former.acknowledge(first, last)
            if len(acked.ahead) > self._limits.gaps:
                raise TooManyGaps()
            mailbox.acked = acked
            mailbox.saved_state.save_soon()
            if mailbox.unconfirmed:
                due = mailbox.receipts_due(*former.missing(first, last))
                self._notify_delivered(log, due)
            return
        position = mailbox.read_state.positions[log]
        cursor = position.cursor.acknowledge(first or 1, last)
        if len(cursor.ahead) > self._limits.gaps:
            raise TooManyGaps()
        mailbox.read_state.positions[log] = RoomPosition(position.since, cursor, position.read)
        mailbox.saved_state.save_soon()

    def end(self, lost: Sequence[int] | None = None) -> None:
        """See `Session`."""
        if not self.ended:
            self.end_without_saving()
            self.mailbox.saved_state.save_now()

    def end_without_saving(self) -> None:
        """See `Session`."""
        self.ended = True
        for log in list(self.subscriptions):
            self.unsubscribe(log)
        self._on_end(self)

    def echo(self, appends: Sequence[Append]) -> None:
        """See `Session`. Entries of subscribed logs are pushed anyway."""
        appends = [
            append
            for append in appends
            if append.refusal is None and not append.resent and append.log not in self.subscriptions
        ]
        if appends and not self.ended:
            self.peer.echo(appends)
