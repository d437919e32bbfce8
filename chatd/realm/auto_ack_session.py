"""A session of a peer that cannot acknowledge: what it has been handed counts as read.

The session is **live** while its peer takes everything at once: each batch of committed entries is
pushed in one write. When the connection cannot take more, the session falls **behind**: nothing is
pushed, it costs no memory, and the log holds what it misses. When the connection has drained, the
session reads its log page by page until it has caught up, and is live again. The claims that a
session makes in the store are explained in `chatd.realm.claims`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from chatd.core.entries import Cursor
from chatd.core.limits import Limits
from chatd.realm.claims import Claim
from chatd.realm.live_log import Run
from chatd.realm.mailbox import Mailbox
from chatd.realm.session import Peer, Session
from chatd.stores import Store


class AutoAckSession(Session):
    """A session whose peer cannot acknowledge; each account has at most one of this kind."""

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
        "session",
    )

    def __init__(
        self,
        name: str,
        mailbox: Mailbox,
        peer: Peer,
        store: Store,
        limits: Limits,
        boot: str,
        since: int,
        on_end: Callable[[Session], None],
    ) -> None:
        super().__init__(name, mailbox, peer, since, on_end)
        self.session = self
        self._store = store
        self._limits = limits
        self._boot = boot
        self._reading = False
        # What was handed to this session or earlier ones; while it is live, also all entries after
        # _after up to _pushed.
        self._cursor = mailbox.acknowledged
        self._after = self._pushed = mailbox.head
        # Mail after this seq is pushed without being fetched. A cursor must not get ever more gaps
        # from sessions that never fetch their mail: with too many gaps, all mail waits for a fetch.
        too_many_gaps = len(self._cursor.ahead) >= limits.gaps
        self._automatic = sys.maxsize if too_many_gaps else mailbox.head
        self.live = not too_many_gaps
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
        """The entries that have been handed to the peer."""
        return (
            self._cursor.acknowledge(self._after + 1, self._pushed) if self.live else self._cursor
        )

    @property
    def position(self) -> int:
        """See `chatd.realm.live_log.Subscriber`."""
        return self.handed.without(self.peer.not_arrived()).upto

    def push(self) -> bool:
        """See `Session`."""
        runs = self.outbox
        self.outbox = []
        self.peer.show(runs)
        self._pushed = runs[-1].entries[-1].seq
        return self.peer.writable

    def fall_behind(self) -> None:
        """See `Session`."""
        self._cursor = self.handed
        self.live = False
        # A slow peer may never read what is still in a kernel's buffer.
        self.mailbox.set_claim(self._cursor.without(self.peer.not_arrived()), None)

    def fetch_mail(self) -> None:
        """Have `catch_up` show the waiting mail, before anything that is committed meanwhile."""
        if self._next(0) is not None:
            self._automatic = 0
            if self.live:
                self.fall_behind()

    async def catch_up(self) -> None:
        """See `Session`."""
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
                # An entry that has been trimmed must not be waited for.
                entries = [entry for entry in entries if entry.seq <= last]
                self._cursor = self._cursor.acknowledge(first, entries[-1].seq if entries else last)
                if entries and not self.ended:
                    self.peer.show((Run(self.mailbox.log, entries),))
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
        """See `Session`. The entries with the seqs `lost` wait again; None: those that may not have
        reached the client."""
        if self.ended:
            return
        handed = self.handed
        self.ended = True
        self.live = False
        self.mailbox.remove_session(self)
        self._on_end(self)
        self.mailbox.set_claim(
            handed.without(self.peer.not_arrived() if lost is None else lost), None
        )

    def end_without_saving(self) -> None:
        """See `Session`."""
        self.ended = True
        self.live = False
        self.mailbox.remove_session(self)
        self._on_end(self)
