"""A session that follows: its peer is pushed what its logs get, acknowledges it, and resumes after that.

It reads several logs, its inbox and rooms, each on its own. A log is **live** while the peer takes everything
that is appended to it at once. When the connection cannot take more, all of them fall **behind**: they cost
no memory, and are read page by page, one after another, when the connection has drained.

What has been acknowledged is the account's (`chatd.realm.mailbox`); where to begin is each session's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from chatd.core.entries import TEXT, Cursor, Entry
from chatd.core.errors import NothingToAcknowledge, TooManyGaps, UnknownLog
from chatd.core.limits import Limits
from chatd.realm.live_log import Feed
from chatd.realm.mailbox import Mailbox, Place
from chatd.realm.session import Peer, Session
from chatd.stores import Append


class FollowingPeer(Peer, Protocol):
    """What a protocol with acknowledgements is to its session."""

    def push(self, runs: Sequence[Sequence[Append]]) -> None:
        """Send what was committed just now: runs of one log each, with seqs that follow each other."""

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


class Reader:
    """One log of a session. While it is `live` the session has been sent all there is; else up to `sent`,
    and needs none of `skip`."""

    __slots__ = ("feed", "live", "sent", "session", "skip")

    def __init__(self, session: FollowingSession, feed: Feed, sent: int) -> None:
        self.session = session
        self.feed = feed
        self.sent = sent
        self.skip: Cursor | None = None
        self.live = False

    @property
    def position(self) -> int:
        """See `chatd.realm.live_log.Reading`."""
        return self.feed.head if self.live else self.sent

    def stop(self) -> None:
        """Be handed nothing more until it has been caught up with."""
        if self.live:
            self.sent = self.feed.head
            self.live = False


class FollowingSession(Session):
    """A peer logged in as the account `name`, besides others perhaps. Nothing is pushed before `begin`."""

    __slots__ = ("_catching_up", "_limits", "created", "peer", "readers", "wants_typing")

    def __init__(
        self,
        name: str,
        created: int,
        mailbox: Mailbox,
        peer: FollowingPeer,
        limits: Limits,
        since: int,
        went: Callable[[Session], None],
    ) -> None:
        super().__init__(name, mailbox, since, went)
        self.created = created
        """when the account was made, in milliseconds since 1970 (UTC)"""
        self.peer: FollowingPeer = peer
        self.readers: dict[str, Reader] = {}
        self.wants_typing = False
        self._limits = limits
        self._catching_up = False
        self._add(mailbox, mailbox.known)

    def follow(self, feed: Feed, place: Place) -> None:
        """Read a room, too; before `begin`."""
        self._add(feed, place.cursor)

    def _add(self, feed: Feed, cursor: Cursor) -> None:
        reader = self.readers[feed.log] = Reader(self, feed, min(cursor.upto, feed.head))
        if cursor.ahead:
            reader.skip = cursor
        feed.attach(reader)

    def begin(self, positions: Mapping[str, int]) -> None:
        """Push from now on. Where the peer says how far it was in a log, it goes on there."""
        for log, reader in self.readers.items():
            position = positions.get(log)
            if position is not None and position <= reader.feed.head:
                reader.sent = position
                reader.skip = None
            reader.live = reader.sent >= reader.feed.head

    def rewind(self) -> None:
        """Go back, in the inbox, to what has not been acknowledged: it did not reach the peer."""
        mailbox = self.mailbox
        reader = self.readers[mailbox.log]
        reader.stop()
        reader.sent = min(mailbox.known.upto, mailbox.head)
        reader.skip = mailbox.known if mailbox.known.ahead else None

    def enter(self, feed: Feed) -> None:
        """Read a room from here on."""
        if feed.log not in self.readers:
            reader = self.readers[feed.log] = Reader(self, feed, feed.head)
            feed.attach(reader)
            reader.live = self.peer.writable

    def quit(self, log: str) -> None:
        """Read a room no more."""
        reader = self.readers.pop(log, None)
        if reader is not None:
            reader.feed.detach(reader)
            reader.live = False

    @property
    def behind(self) -> bool:
        """See `Session`."""
        return not self.ended and any(not reader.live for reader in self.readers.values())

    def push(self) -> bool:
        """See `Session`."""
        outbox = self.outbox
        self.outbox = []
        self.peer.push(outbox)
        return self.peer.writable

    def fall_behind(self) -> None:
        """See `Session`."""
        for reader in self.readers.values():
            reader.stop()

    async def catch_up(self) -> None:
        """See `Session`."""
        if self._catching_up:
            return
        self._catching_up = True
        try:
            for reader in list(self.readers.values()):
                while not reader.live and self._goes_on(reader):
                    await self._read_on(reader)
        finally:
            self._catching_up = False

    def _goes_on(self, reader: Reader) -> bool:
        return not self.ended and self.peer.writable and self.readers.get(reader.feed.log) is reader

    async def _read_on(self, reader: Reader) -> None:
        feed = reader.feed
        if reader.skip is not None:
            while reader.skip.has(reader.sent + 1):
                reader.sent += 1
        if reader.sent >= feed.head:
            reader.live = True
            reader.skip = None
            return
        entries = await feed.store.read(feed.log, reader.sent, self._limits.page)
        if reader.live or not self._goes_on(reader):
            return
        # What is no longer in the log cannot be sent.
        reader.sent = entries[-1].seq if entries else feed.head
        skip = reader.skip
        if skip is not None:
            entries = [entry for entry in entries if not skip.has(entry.seq)]
        if entries:
            if feed is self.mailbox:
                self.mailbox.expect_receipts(
                    (entry.seq, entry.sender) for entry in entries if entry.kind == TEXT
                )
            self.peer.replay(feed.log, entries)

    def acknowledge(self, log: str, first: int, last: int) -> dict[str, list[int]]:
        """Entries need not be sent to this account again; `first` 0: all up to `last`. Gives who should hear
        that they are delivered, and which.

        Raises `UnknownLog`, `NothingToAcknowledge`, `TooManyGaps`.
        """
        reader = self.readers.get(log)
        if reader is None:
            raise UnknownLog()
        head = reader.feed.head
        if last > head or last < first:
            raise NothingToAcknowledge(f"{log} has no entry {last}: its last one is {head}")
        mailbox = self.mailbox
        if log == mailbox.log:
            first = first or 1 + min(mailbox.acked.upto, last)
            acked = mailbox.acked.acknowledge(first, last)
            if len(acked.ahead) > self._limits.holes:
                raise TooManyGaps()
            mailbox.acked = acked
            mailbox.keep_soon()
            return mailbox.receipts_due(first, last) if mailbox.unconfirmed else {}
        place = mailbox.reading.places.get(log)
        if place is None:
            raise UnknownLog()
        cursor = place.cursor.acknowledge(first or 1, last)
        if len(cursor.ahead) > self._limits.holes:
            raise TooManyGaps()
        mailbox.reading.places[log] = Place(place.since, cursor, place.read)
        mailbox.keep_soon()
        return {}

    def end(self) -> None:
        """See `Session`."""
        if not self.ended:
            self.vanish()
            self.mailbox.keep_now()

    def vanish(self) -> None:
        """See `Session`."""
        self.ended = True
        for log in list(self.readers):
            self.quit(log)
        self._went(self)

    def echo(self, appends: Sequence[Append]) -> None:
        """See `Session`. What it reads itself is pushed to it."""
        appends = [
            append
            for append in appends
            if append.refusal is None and not append.resent and append.log not in self.readers
        ]
        if appends and not self.ended:
            self.peer.echo(appends)
