"""A session that claims: what is committed goes to its protocol as fast as that takes it, and is
read then.

A session is **live** while its peer takes everything at once: each batch of committed entries is
pushed to it in one write. When the peer's connection cannot take more, the session falls
**behind**: it is pushed nothing, costs no memory, and the log keeps what it misses. When the
connection has drained it reads its log page by page until it has caught up, and is live again. What
claims are for: `chatd.realm.claims`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from chatd.core.entries import Cursor, Entry
from chatd.core.limits import Limits
from chatd.realm.claims import Claim
from chatd.realm.mailbox import Mailbox
from chatd.realm.session import Peer, Session
from chatd.stores import Append, Store


class AutoAckPeer(Peer, Protocol):
    """What a protocol without acknowledgements is to its session."""

    @property
    def takes_over(self) -> bool:
        """Whether logging in here ends a session elsewhere that would be in the way."""

    def push(self, appends: Sequence[Append]) -> None:
        """Send entries that were committed just now."""

    def replay(self, entries: Sequence[Entry]) -> None:
        """Send entries from the log."""

    def unsent(self) -> list[int]:
        """The seqs of entries that were pushed or replayed and have not left this process."""

    def not_arrived(self) -> list[int]:
        """The seqs of entries that were pushed or replayed and may not have reached the other
        end."""

    def hung_up(self) -> bool:
        """Whether the other end has closed the connection, perhaps unnoticed yet."""


class AutoAckSession(Session):
    """A peer logged in as the account `name`, reading `mailbox`; there is at most one of them for
    each."""

    __slots__ = (
        "_after",
        "_automatic",
        "_boot",
        "_cursor",
        "_limits",
        "_pushed",
        "_reading",
        "_store",
        "live",
        "peer",
        "session",
    )

    def __init__(
        self,
        name: str,
        mailbox: Mailbox,
        peer: AutoAckPeer,
        store: Store,
        limits: Limits,
        boot: str,
        since: int,
        went: Callable[[Session], None],
    ) -> None:
        super().__init__(name, mailbox, since, went)
        self.peer: AutoAckPeer = peer
        self.session = self
        self._store = store
        self._limits = limits
        self._boot = boot
        self._reading = False
        # What this session or those before it were handed; while it is live, also all of (_after,
        # _pushed].
        self._cursor = mailbox.acknowledged
        self._after = self._pushed = mailbox.head
        # Mail after this seq needs no asking for. A cursor must not get ever more gaps from
        # sessions that never fetch their mail: with too many of them, everything waits until it is
        # asked for.
        crowded = len(self._cursor.ahead) >= limits.gaps
        self._automatic = sys.maxsize if crowded else mailbox.head
        self.live = not crowded
        mailbox.session = self
        mailbox.subscribe(self)
        if self.live:
            mailbox.set_claim(self._cursor, Claim(mailbox.head, boot))

    @property
    def behind(self) -> bool:
        """Whether there is something for `catch_up` to do."""
        return not self.live and not self.ended and self._automatic != sys.maxsize

    @property
    def handed(self) -> Cursor:
        """What has been handed to the peer by now."""
        return (
            self._cursor.acknowledge(self._after + 1, self._pushed) if self.live else self._cursor
        )

    @property
    def position(self) -> int:
        """See `chatd.realm.live_log.Reading`."""
        return self.handed.without(self.peer.not_arrived()).upto

    def push(self) -> bool:
        """See `Session`."""
        outbox = self.outbox
        self.outbox = []
        for run in outbox:
            self._pushed = run[-1].seq
            self.peer.push(run)
        return self.peer.writable

    def fall_behind(self) -> None:
        """Stop pushing."""
        self._cursor = self.handed
        self.live = False
        # A peer that reads slowly may never come to read what its kernel or ours still holds.
        self.mailbox.set_claim(self._cursor.without(self.peer.not_arrived()), None)

    def ask(self) -> bool:
        """Whether there is waiting mail; from now on `catch_up` brings it."""
        if self._next(0) is None:
            return False
        self._automatic = 0
        return True

    async def catch_up(self) -> None:
        """Read on in the log until there is nothing more to send, or the peer takes no more.

        May raise `StoreUnavailable`; what has not been sent by then still waits.
        """
        if not self.behind or self._reading:
            return
        self._reading = True
        try:
            while not self.ended and self.peer.writable:
                part = self._next(self._automatic)
                if part is None:
                    self._go_live()
                    return
                first, last = part
                limit = min(self._limits.page, last - first + 1)
                entries = await self._store.read(self.mailbox.log, first - 1, limit)
                # What is no longer in the log cannot be waited for.
                entries = [entry for entry in entries if entry.seq <= last]
                self._cursor = self._cursor.acknowledge(first, entries[-1].seq if entries else last)
                if entries and not self.ended:
                    self.peer.replay(entries)
        finally:
            self._reading = False

    def _next(self, after: int) -> tuple[int, int] | None:
        """The oldest range of entries after seq `after` that has not been handed over."""
        for first, last in self.handed.union(self.mailbox.acked).waiting(self.mailbox.head):
            if last > after:
                return max(first, after + 1), last
        return None

    def _go_live(self) -> None:
        self._after = self._pushed = self._automatic = self.mailbox.head
        self.live = True
        self.mailbox.set_claim(
            self._cursor.without(self.peer.unsent()), Claim(self._after, self._boot)
        )

    def end(self, lost: Sequence[int] | None = None) -> None:
        """Log out. The entries with the seqs `lost` wait again; without it, whatever may not have
        reached the other end. Ending twice is ending once."""
        if self.ended:
            return
        handed = self.handed
        self.ended = True
        self.live = False
        self.mailbox.remove_session(self)
        self._went(self)
        self.mailbox.set_claim(
            handed.without(self.peer.not_arrived() if lost is None else lost), None
        )

    def vanish(self) -> None:
        """See `Session`."""
        self.ended = True
        self.live = False
        self.mailbox.remove_session(self)
        self._went(self)
