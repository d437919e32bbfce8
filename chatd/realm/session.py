"""A session: one authenticated connection of an account, behind which is a `chatd.realm.peer.Peer`.

A session subscribes to the account's mailbox and, if its protocol has rooms, to the rooms of the
account, each with a position of its own. A log is **live** while the peer takes everything that is
appended to it at once: each batch of committed entries is pushed in one write. When the connection
cannot take more, all logs fall **behind**: they cost no memory, and are read page by page, one
after another, when the connection has drained.

An entry waits until it is acknowledged. A client of version 1 acknowledges by itself; for the
others, the protocol acknowledges what has arrived (`chatd.server.arrivals`). What is acknowledged
belongs to the account (`chatd.realm.read_state`), the position to resume from to each session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from chatd.core.entries import TEXT, Cursor, Entry
from chatd.core.errors import NothingToAcknowledge, TooManyGaps
from chatd.realm.live_log import LiveLog, Run
from chatd.realm.peer import Peer
from chatd.realm.permissions import check_acknowledge, readable_after
from chatd.realm.proof import BY_NAME_OR_PASSWORD, Proof
from chatd.realm.subscription import Subscription
from chatd.stores import Append

if TYPE_CHECKING:
    from chatd.realm.context import Context
    from chatd.realm.mailbox import Mailbox


SESSIONS_PER_COMMAND = 50
"""notified sessions that count as one command of the account that caused the notification"""


class Session:
    """A peer logged in to the account whose mailbox is `mailbox`. Nothing is pushed before
    `begin`.

    `name` is the account's name as first written, `account` its id, `created` when it was created,
    `since` when the session began; times are milliseconds since 1970 (UTC).
    """

    __slots__ = (
        "_begun",
        "_catching_up",
        "_context",
        "_fetched",
        "_held",
        "account",
        "answers",
        "changed",
        "closing",
        "created",
        "ended",
        "mailbox",
        "name",
        "network",
        "options",
        "outbox",
        "peer",
        "proof",
        "resume_token",
        "scope",
        "sendable",
        "since",
        "subscriptions",
        "wants_receipts",
        "wants_typing",
    )

    def __init__(
        self,
        context: Context,
        mailbox: Mailbox,
        created: int,
        peer: Peer,
        proof: Proof = BY_NAME_OR_PASSWORD,
    ) -> None:
        self._context = context
        self.name = mailbox.owner
        self.account = mailbox.account
        self.created = created
        self.mailbox = mailbox
        self.peer = peer
        self.proof = proof
        """by what the session was opened"""
        self.network = peer.network
        """as what its client is counted; the same from the beginning to the end"""
        self.scope = proof.scope
        """what the access token of the session permits (`chatd.realm.scoped_session`); None:
        everything, as without one"""
        self.options = peer.session_options
        self.since = context.now()
        self.subscriptions: dict[str, Subscription] = {}
        """by the names by which clients know the logs"""
        self.sendable = self.subscriptions
        """the subscriptions of rooms that the session may send to, by the same names"""
        self.changed = 0
        """when the certificates or access tokens of the account were changed, if the client is to
        be notified of that; otherwise 0"""
        self.answers: list[Append] = []
        self.outbox: list[Run] = []
        """runs committed just now, to be pushed"""
        self.ended = False
        self.closing = False
        """whether the connection is about to close"""
        self.resume_token = ""
        """the hash of the session's resume token, empty if it has none"""
        self.wants_receipts = False
        self.wants_typing = False
        self._catching_up = False
        # With `SessionOptions.fetches`: the seq up to which waiting mail was not asked for, and
        # whether nothing may be shown before it is.
        self._fetched = 0
        self._held = False
        self._begun = False
        self._attach()

    def _attach(self) -> None:
        """Subscribe to the mailbox, as its session."""
        mailbox = self.mailbox
        self.add(mailbox, mailbox.state.cursor)
        if self.options.fetches:
            self._fetched = mailbox.head
            # A cursor must not get ever more gaps from sessions that never fetch their mail.
            self._held = len(mailbox.state.cursor.ahead) >= self._context.limits.gaps
            self._mail.sent = mailbox.head
            self._mail.skip = None
        if self.options.exclusive:
            mailbox.exclusive = self

    def _detach(self) -> None:
        """Undo `_attach`, and end all subscriptions."""
        for log in list(self.subscriptions):
            self.unsubscribe(log)
        if self.mailbox.exclusive is self:
            self.mailbox.exclusive = None

    # Subscriptions

    @property
    def _mail(self) -> Subscription:
        return self.subscriptions[self.mailbox.name]

    def add(self, live_log: LiveLog, cursor: Cursor) -> None:
        """Subscribe to a log, before `begin`, from what has been acknowledged of it."""
        subscription = self.subscriptions[live_log.name] = Subscription(
            self, live_log, min(cursor.upto, live_log.head)
        )
        if cursor.ahead:
            subscription.skip = cursor
        live_log.subscribe(subscription)

    def begin(self, positions: Mapping[str, int]) -> None:
        """Begin to push. A log for which the client has given a position is shown from there."""
        self._begun = True
        for log, subscription in self.subscriptions.items():
            position = positions.get(log)
            if position is not None and position <= subscription.live_log.head:
                subscription.sent = position
                subscription.skip = None
            subscription.live = not self._held and subscription.sent >= subscription.live_log.head

    def subscribe(self, live_log: LiveLog) -> None:
        """Subscribe to a room, from its next entry on, if the session follows rooms."""
        if live_log.name not in self.subscriptions and self.options.rooms:
            subscription = self.subscriptions[live_log.name] = Subscription(
                self, live_log, live_log.head
            )
            live_log.subscribe(subscription)
            subscription.live = self._begun and self.peer.writable

    def following(self, log: str) -> Subscription | None:
        """The subscription to a log, by the name by which clients know it; None if there is
        none."""
        return self.subscriptions.get(log)

    def show_unacknowledged(self, room: str) -> None:
        """The client is only now notified that it follows a room: show what no session of the
        account has acknowledged by now."""
        self.subscriptions[room].show_after(self.mailbox.memberships[room].state.cursor)

    def unsubscribe(self, log: str) -> None:
        """Stop showing a log."""
        subscription = self.subscriptions.pop(log, None)
        if subscription is not None:
            subscription.live_log.unsubscribe(subscription)
            subscription.live = False

    # Mail that waits

    @property
    def taken(self) -> Cursor:
        """The entries of the mailbox that have been acknowledged, or shown to this client."""
        mail = self._mail
        cursor = self.mailbox.state.cursor.acknowledge(self._fetched + 1, mail.position)
        return cursor if mail.skip is None else cursor.union(mail.skip)

    def fetch_mail(self) -> None:
        """Have `catch_up` show the waiting mail, before anything that is committed meanwhile."""
        mail = self._mail
        if mail.live and not self._fetched:
            # Everything has been shown.
            return
        skip = self.taken
        self._held = False
        self._fetched = 0
        mail.stop()
        mail.sent = min(skip.upto, self.mailbox.head)
        mail.skip = skip if skip.ahead else None

    # Showing entries

    def push(self) -> None:
        """Show the outbox, and fall behind if the connection does not take all of it.

        A peer that raises an exception is aborted, and no other.
        """
        runs = self.outbox
        if not runs:
            return
        self.outbox = []
        try:
            self.peer.show(runs)
            if self.peer.writable:
                return
        except Exception:
            self.peer.failed()
        self.fall_behind()

    def fall_behind(self) -> None:
        """Stop pushing; `catch_up` continues from here."""
        for subscription in self.subscriptions.values():
            subscription.stop()

    @property
    def behind(self) -> bool:
        """Whether there are entries for `catch_up` to show."""
        return (
            self._begun
            and not self.ended
            and not self._held
            and any(not subscription.live for subscription in self.subscriptions.values())
        )

    async def catch_up(self) -> None:
        """Show entries from the logs until there are no more, or the connection takes no more.

        Raises `StoreUnavailable`; entries that have not been shown by then still wait.
        """
        if self._catching_up or not self._begun:
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
            and self.subscriptions.get(subscription.live_log.name) is subscription
        )

    async def _show_page(self, subscription: Subscription) -> None:
        live_log = subscription.live_log
        skip = subscription.skip
        if skip is not None:
            subscription.sent = skip.passed(subscription.sent)
        # A client may have given a position from before it joined.
        sent = subscription.sent = max(subscription.sent, readable_after(self, subscription))
        if sent >= live_log.head:
            subscription.live = True
            subscription.skip = None
            return
        entries = await live_log.store.read(live_log.log, sent, self._context.limits.page)
        if subscription.live or subscription.sent != sent or not self._can_read(subscription):
            return
        # Entries that have been trimmed are passed over.
        subscription.sent = entries[-1].seq if entries else live_log.head
        if skip is not None:
            entries = [entry for entry in entries if not skip.has(entry.seq)]
        if entries:
            if live_log is self.mailbox:
                self.mailbox.expect_receipts(
                    (entry.seq, entry.author) for entry in entries if entry.kind == TEXT
                )
            self.peer.show(tuple(_runs(live_log.name, entries)))

    # Acknowledging

    def acknowledge(self, log: str, first: int, last: int, since: int = 0) -> None:
        """Acknowledge the entries from `first` (0: from the oldest) to `last`, and notify their
        senders.

        `since` is when the account or room of the log was created; 0: it is not known which log
        of this name is meant. Raises `UnknownLog`, `NothingToAcknowledge`, `TooManyGaps`.
        """
        live_log = check_acknowledge(self, log, since).live_log
        mailbox = self.mailbox
        mail = live_log is mailbox
        if last < first:
            raise NothingToAcknowledge(f"no entries of {log} are from {first} to {last}")
        if last > live_log.head:
            raise NothingToAcknowledge(
                f"{log} has no entry {last}: its last one is {live_log.head}"
            )
        state = mailbox.state if mail else mailbox.memberships[log].state
        first = first or 1 + min(state.cursor.upto, last)
        former = state.cursor
        cursor = former.acknowledge(first, last)
        if len(cursor.ahead) > self._context.limits.gaps:
            raise TooManyGaps()
        if cursor is not former:
            state.cursor = cursor
            self._context.positions.changed(state, self.options.save_within)
        if mail and mailbox.unconfirmed:
            due = mailbox.receipts_due(*former.missing(first, last))
            self._context.receipts.notify_delivered(mailbox, due)

    # Sending

    def answer(self) -> None:
        """Answer the appends in `answers`; other sessions of the account see what was sent.

        A peer that raises an exception is aborted, and no other.
        """
        answers = self.answers
        self.answers = []
        try:
            self.peer.answer(answers)
        except Exception:
            self.peer.failed()
        if self.ended or len(self.mailbox.subscriptions) > 1:
            self._echo(answers)

    def _echo(self, appends: Sequence[Append]) -> None:
        """Show the other sessions of the account what this one has sent."""
        # The mailbox may have been released and loaded again since this session ended.
        for other in self._context.sessions.of(self.account):
            if other is not self:
                try:
                    other.echo(appends)
                except Exception:
                    other.peer.failed()

    @property
    def disconnected(self) -> bool:
        """Whether the connection is closed: see `chatd.realm.requester`."""
        return self.peer.disconnected

    def charge(self, commands: float) -> None:
        """Count work that the session has caused as so many of its commands."""
        self.peer.charge(commands)

    def echo(self, appends: Sequence[Append]) -> None:
        """Another session of the account has sent these entries. Those of subscribed logs are
        pushed anyway."""
        if self.ended:
            return
        logs = {subscription.live_log.log for subscription in self.subscriptions.values()}
        appends = [
            append
            for append in appends
            if append.refusal is None and not append.resent and append.log not in logs
        ]
        if appends:
            self.peer.echo(appends)

    def announce(self, time: int, text: str) -> bool:
        """Show an operator's announcement, unless the client is not logged in yet, or any more;
        whether it was shown.

        A peer that raises an exception is aborted, and no other.
        """
        if not self._begun or self.ended:
            return False
        try:
            self.peer.announcement(time, text)
        except Exception:
            self.peer.failed()
        return True

    def end(self) -> None:
        """End the session: what it has not acknowledged waits. Does nothing if it has ended."""
        if self.ended:
            return
        if not self.mailbox.deleted:
            self.peer.session_ending()
        self.ended = True
        self._detach()
        self._context.sessions.session_ended(self)


def _runs(log: str, entries: Sequence[Entry]) -> Iterator[Run]:
    """Entries of a log as runs: one, unless there are gaps between them."""
    start = 0
    if entries[-1].seq - entries[0].seq >= len(entries):
        for end in range(1, len(entries)):
            if entries[end].seq != entries[end - 1].seq + 1:
                yield Run(log, entries[start:end])
                start = end
    yield Run(log, entries[start:])
