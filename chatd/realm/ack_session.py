"""A session that follows: its peer is pushed what its logs get, acknowledges it, and resumes after
that.

It reads several logs, its inbox and rooms, each on its own. A log is **live** while the peer takes
everything that is appended to it at once. When the connection cannot take more, all of them fall
**behind**: they cost no memory, and are read page by page, one after another, when the connection
has drained.

What has been acknowledged is the account's (`chatd.realm.mailbox`); where to begin is each
session's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from chatd.core.entries import TEXT, Cursor, Entry
from chatd.core.errors import NothingToAcknowledge, TooManyGaps, UnknownLog
from chatd.core.limits import Limits
from chatd.realm.live_log import LiveLog
from chatd.realm.mailbox import Mailbox
from chatd.realm.read_state import RoomPosition
from chatd.realm.session import Peer, Session
from chatd.stores import Append


class AckPeer(Peer, Protocol):
    """What a protocol with acknowledgements is to its session."""

    def push(self, runs: Sequence[Sequence[Append]]) -> None:
        """Send what was committed just now: runs of one log each, with seqs that follow each
        other."""

    def replay(self, log: str, entries: Sequence[Entry]) -> None:
        """Send entries from a log."""

    def echo(self, appends: Sequence[Append]) -> None:
        """Tell what another session of the account put into somebody's inbox."""

    def receipt(self, log: str, what: str, seqs: Sequence[int]) -> None:
        """Tell that entries have been ``delivered`` or ``read``."""

    def typing(self, log: str, name: str, typing: bool) -> None:
        """Tell that somebody is writing, or has stopped."""

    def presence(self, name: str, status: str, text: str, seen: int) -> None:
        """Tell that somebody who is watched has changed."""

    def joined(self, log: str) -> None:
        """Another session of the account has made it a member of a room."""

    def left(self, room: str, reason: str) -> None:
        """The account is no member of a room any more."""


class Subscription:
    """One log of a session. While it is `live` the session has been sent all there is; else up to
    `sent`, and needs none of `skip`."""

    __slots__ = ("live", "live_log", "sent", "session", "skip")

    def __init__(self, session: AckSession, live_log: LiveLog, sent: int) -> None:
        self.session = session
        self.live_log = live_log
        self.sent = sent
        self.skip: Cursor | None = None
        self.live = False

    @property
    def position(self) -> int:
        """See `chatd.realm.live_log.ReadState`."""
        return self.live_log.head if self.live else self.sent

    def stop(self) -> None:
        """Be handed nothing more until it has been caught up with."""
        if self.live:
            self.sent = self.live_log.head
            self.live = False


class AckSession(Session):
    """A peer logged in as the account `name`, besides others perhaps. Nothing is pushed before
    `begin`."""

    __slots__ = ("_catching_up", "_limits", "created", "peer", "subscriptions", "wants_typing")

    def __init__(
        self,
        name: str,
        created: int,
        mailbox: Mailbox,
        peer: AckPeer,
        limits: Limits,
        since: int,
        went: Callable[[Session], None],
    ) -> None:
        super().__init__(name, mailbox, since, went)
        self.created = created
        """when the account was made, in milliseconds since 1970 (UTC)"""
        self.peer: AckPeer = peer
        self.subscriptions: dict[str, Subscription] = {}
        self.wants_typing = False
        self._limits = limits
        self._catching_up = False
        self._add(mailbox, mailbox.acknowledged)

    def follow(self, live_log: LiveLog, position: RoomPosition) -> None:
        """Read a room, too; before `begin`."""
        self._add(live_log, position.cursor)

    def _add(self, live_log: LiveLog, cursor: Cursor) -> None:
        subscription = self.subscriptions[live_log.log] = Subscription(
            self, live_log, min(cursor.upto, live_log.head)
        )
        if cursor.ahead:
            subscription.skip = cursor
        live_log.subscribe(subscription)

    def begin(self, positions: Mapping[str, int]) -> None:
        """Push from now on. Where the peer says how far it was in a log, it goes on there."""
        for log, subscription in self.subscriptions.items():
            position = positions.get(log)
            if position is not None and position <= subscription.live_log.head:
                subscription.sent = position
                subscription.skip = None
            subscription.live = subscription.sent >= subscription.live_log.head

    def rewind(self) -> None:
        """Go back, in the inbox, to what has not been acknowledged: it did not reach the peer."""
        mailbox = self.mailbox
        subscription = self.subscriptions[mailbox.log]
        subscription.stop()
        subscription.sent = min(mailbox.acknowledged.upto, mailbox.head)
        subscription.skip = mailbox.acknowledged if mailbox.acknowledged.ahead else None

    def enter(self, live_log: LiveLog) -> None:
        """Read a room from here on."""
        if live_log.log not in self.subscriptions:
            subscription = self.subscriptions[live_log.log] = Subscription(
                self, live_log, live_log.head
            )
            live_log.subscribe(subscription)
            subscription.live = self.peer.writable

    def quit(self, log: str) -> None:
        """Read a room no more."""
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

    def push(self) -> bool:
        """See `Session`."""
        outbox = self.outbox
        self.outbox = []
        self.peer.push(outbox)
        return self.peer.writable

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
                while not subscription.live and self._goes_on(subscription):
                    await self._read_on(subscription)
        finally:
            self._catching_up = False

    def _goes_on(self, subscription: Subscription) -> bool:
        return (
            not self.ended
            and self.peer.writable
            and self.subscriptions.get(subscription.live_log.log) is subscription
        )

    async def _read_on(self, subscription: Subscription) -> None:
        live_log = subscription.live_log
        if subscription.skip is not None:
            while subscription.skip.has(subscription.sent + 1):
                subscription.sent += 1
        if subscription.sent >= live_log.head:
            subscription.live = True
            subscription.skip = None
            return
        entries = await live_log.store.read(live_log.log, subscription.sent, self._limits.page)
        if subscription.live or not self._goes_on(subscription):
            return
        # What is no longer in the log cannot be sent.
        subscription.sent = entries[-1].seq if entries else live_log.head
        skip = subscription.skip
        if skip is not None:
            entries = [entry for entry in entries if not skip.has(entry.seq)]
        if entries:
            if live_log is self.mailbox:
                self.mailbox.expect_receipts(
                    (entry.seq, entry.sender) for entry in entries if entry.kind == TEXT
                )
            self.peer.replay(live_log.log, entries)

    def acknowledge(self, log: str, first: int, last: int) -> dict[str, list[int]]:
        """Entries need not be sent to this account again; `first` 0: all up to `last`. Gives who
        should hear that they are delivered, and which.

        Raises `UnknownLog`, `NothingToAcknowledge`, `TooManyGaps`.
        """
        subscription = self.subscriptions.get(log)
        if subscription is None:
            raise UnknownLog()
        head = subscription.live_log.head
        if last > head or last < first:
            raise NothingToAcknowledge(f"{log} has no entry {last}: its last one is {head}")
        mailbox = self.mailbox
        if log == mailbox.log:
            first = first or 1 + min(mailbox.acked.upto, last)
            acked = mailbox.acked.acknowledge(first, last)
            if len(acked.ahead) > self._limits.gaps:
                raise TooManyGaps()
            mailbox.acked = acked
            mailbox.saved_state.save_soon()
            return mailbox.receipts_due(first, last) if mailbox.unconfirmed else {}
        position = mailbox.read_state.positions.get(log)
        if position is None:
            raise UnknownLog()
        cursor = position.cursor.acknowledge(first or 1, last)
        if len(cursor.ahead) > self._limits.gaps:
            raise TooManyGaps()
        mailbox.read_state.positions[log] = RoomPosition(position.since, cursor, position.read)
        mailbox.saved_state.save_soon()
        return {}

    def end(self) -> None:
        """See `Session`."""
        if not self.ended:
            self.vanish()
            self.mailbox.saved_state.save_now()

    def vanish(self) -> None:
        """See `Session`."""
        self.ended = True
        for log in list(self.subscriptions):
            self.quit(log)
        self._went(self)

    def echo(self, appends: Sequence[Append]) -> None:
        """See `Session`. What it reads itself is pushed to it."""
        appends = [
            append
            for append in appends
            if append.refusal is None and not append.resent and append.log not in self.subscriptions
        ]
        if appends and not self.ended:
            self.peer.echo(appends)
