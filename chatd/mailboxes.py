"""An account's inbox as this daemon holds it: how far it is read, and who is reading it now.

What the store keeps of it, beside the log itself, are two documents under the log's name:

- ``cursor``: what has been acknowledged.
- ``claim``: there while a session takes every entry as it is committed. It says "all after seq `after`
  is handed over the moment it is committed", so that no message costs a write of its own to say it.

An entry is handed to a claiming session before its sender hears that it was accepted. So if the daemon is
killed, all that senders were told was accepted is with the reader's kernel or waiting in the log, and
`Mailbox.settle` may count what follows `after` as read. If the whole machine went down, that proves
nothing: then those entries wait again, and may be seen twice rather than never.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from chatd.entries import Cursor
from chatd.errors import Refused
from chatd.stores import Document, Store

if TYPE_CHECKING:
    from chatd.sessions import Session

CURSOR = "cursor"
CLAIM = "claim"
RETRY_SECONDS = 1.0
"""how long a failed write of a cursor or a claim waits before it is tried again"""


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """See above; `boot` tells one run of the machine from another."""

    after: int
    boot: str


class Background(msgspec.Struct, frozen=True):
    """How work that nobody waits for is done: `spawn` runs a coroutine and reports its failure, `sleep`
    waits for some seconds."""

    spawn: Callable[[Coroutine[Any, Any, None]], object]
    sleep: Callable[[float], Awaitable[object]]


class Mailbox:
    """One inbox, from the time someone logs in until the store knows how far that someone read.

    `head` is the last seq known to be committed; `cursor` is what the store should say, or will as soon as
    it can; `reserved` that a login is under way.
    """

    __slots__ = (
        "_background",
        "_claim",
        "_kept",
        "_saving",
        "_settled",
        "_store",
        "_tried",
        "cursor",
        "gone",
        "head",
        "log",
        "reserved",
        "session",
    )

    def __init__(
        self, store: Store, background: Background, log: str, settled: Callable[[Mailbox], None]
    ) -> None:
        """`settled` is called when nobody reads any more and the store knows all there is to know."""
        self.log = log
        self.head = 0
        self.cursor = Cursor()
        self.session: Session | None = None
        self.reserved = False
        self.gone = False
        self._store = store
        self._background = background
        self._settled = settled
        self._claim: Claim | None = None
        self._kept: dict[str, Document] = {}
        self._saving = False
        self._tried: list[Callable[[], None]] = []

    async def load(self) -> None:
        """Read what the store has. May raise `StoreUnavailable`."""
        store = self._store
        # All three are in the queue before the first is awaited, so they are of one moment.
        cursor, claim, head = store.get(CURSOR, self.log), store.get(CLAIM, self.log), store.head(self.log)
        for kind, document in ((CURSOR, await cursor), (CLAIM, await claim)):
            if document is not None:
                self._kept[kind] = document
        if CURSOR in self._kept:
            self.cursor = msgspec.msgpack.decode(self._kept[CURSOR].body, type=Cursor)
        self.head = max(self.head, await head)

    def settle(self, boot: str) -> None:
        """After a daemon that ended without a word: decide what its sessions had read (see above)."""
        if CLAIM in self._kept:
            claim = msgspec.msgpack.decode(self._kept[CLAIM].body, type=Claim)
            read = claim.boot == boot
            self.keep(self.cursor.acknowledge(claim.after + 1, self.head) if read else self.cursor, None)

    def keep(self, cursor: Cursor, claim: Claim | None, tried: Callable[[], None] | None = None) -> None:
        """Have the store say this from now on, trying until it does or something newer is to be said.

        `tried` is called as soon as this, or what came after it, has been committed or has failed once.
        """
        self.cursor = cursor
        self._claim = claim
        if tried is not None:
            self._tried.append(tried)
        if not self._saving:
            self._saving = True
            self._background.spawn(self._save_until_kept())

    async def _save_until_kept(self) -> None:
        while not self.gone:
            tried, self._tried = self._tried, []
            changes = self._changes()
            try:
                for change in changes:
                    await change
            except Refused:
                failed = True
            else:
                failed = False
            for function in tried:
                function()
            if failed:
                await self._background.sleep(RETRY_SECONDS)
                await self._reload()
            elif not changes and not self._tried:
                break
        self._saving = False
        for function in self._tried:
            function()
        self._tried = []
        if self.session is None and not self.reserved:
            self._settled(self)

    def _changes(self) -> list[Awaitable[None]]:
        """What has to be written for the store to say what it should; all in the queue already."""
        wanted = {
            CURSOR: msgspec.msgpack.encode(self.cursor) if self.cursor != Cursor() else None,
            CLAIM: msgspec.msgpack.encode(self._claim) if self._claim is not None else None,
        }
        return [
            self._write(kind, body)
            for kind, body in wanted.items()
            if body != (self._kept[kind].body if kind in self._kept else None)
        ]

    def _write(self, kind: str, body: bytes | None) -> Awaitable[None]:
        kept = self._kept.get(kind)
        if body is None:
            assert kept is not None
            return self._forget(kind, self._store.delete(kind, self.log, kept.version))
        if kept is None:
            return self._remember(kind, body, self._store.create(kind, self.log, body))
        return self._remember(kind, body, self._store.update(kind, self.log, kept.version, body))

    async def _remember(self, kind: str, body: bytes, written: Awaitable[int]) -> None:
        self._kept[kind] = Document(self.log, await written, body)

    async def _forget(self, kind: str, written: Awaitable[None]) -> None:
        await written
        del self._kept[kind]

    async def _reload(self) -> None:
        """Versions may be off after a failure; read them again, or leave it to the next round."""
        try:
            for kind in (CURSOR, CLAIM):
                document = await self._store.get(kind, self.log)
                if document is None:
                    self._kept.pop(kind, None)
                else:
                    self._kept[kind] = document
        except Refused:
            return
