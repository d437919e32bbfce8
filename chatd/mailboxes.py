"""An account's inbox as this daemon holds it: how far it is read, and who is reading it now.

What the store keeps of it, beside the log itself, are two documents under the log's name:

- ``cursor``: what has been acknowledged.
- ``claim``: there while a session takes every entry as it is committed. It says "all after seq `after`
  is handed over the moment it is committed", so that no message costs a write of its own to say it.

An entry is handed to a claiming session before its sender hears that it was accepted. So if the daemon is
killed, all that senders were told was accepted is with the kernel, on its way to the reader, or waiting in
the log, and `Mailbox.settle` may count what follows `after` as read. For the same reason, what is committed
between the end of a session and the end of its claim is not answered before the claim is gone. If the whole
machine went down, that proves nothing: then those entries wait again, and may be seen twice, not never.
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


async def all_of(*answers: Awaitable[Any]) -> list[Any]:
    """The results, when all are there; if any failed, then the first failure."""
    results: list[Any] = []
    failure: Refused | None = None
    for answer in answers:
        try:
            results.append(await answer)
        except Refused as refused:
            failure = failure or refused
    if failure is not None:
        raise failure
    return results


class Mailbox:
    """One inbox, from the time someone logs in until the store knows how far that someone read.

    `head` is the last seq known to be committed; `cursor` is what the store should say, or will as soon as
    it can; `claimed` is whether there may be a claim in the store; `reserved` that a login is under way.
    """

    __slots__ = (
        "_background",
        "_claim",
        "_kept",
        "_saving",
        "_settled",
        "_store",
        "_tried",
        "claimed",
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
        self.claimed = False
        self._store = store
        self._background = background
        self._settled = settled
        self._claim: Claim | None = None
        self._kept: dict[str, Document] = {}
        self._saving = False
        self._tried: list[Callable[[], None]] = []

    async def load(self, *others: Awaitable[Any]) -> list[Any]:
        """Read what the store has, and the answers to `others`. May raise `StoreUnavailable`."""
        store = self._store
        # All of them are in the queue before the first is awaited, so they are of one moment.
        cursor, claim, head, *answers = await all_of(
            store.get(CURSOR, self.log), store.get(CLAIM, self.log), store.head(self.log), *others
        )
        for kind, document in ((CURSOR, cursor), (CLAIM, claim)):
            if document is not None:
                self._kept[kind] = document
        self.claimed = CLAIM in self._kept
        if CURSOR in self._kept:
            self.cursor = msgspec.msgpack.decode(self._kept[CURSOR].body, type=Cursor)
        self.head = max(self.head, head)
        return answers

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
        if claim is not None:
            self.claimed = True
        if tried is not None:
            self._tried.append(tried)
        if not self._saving:
            self._saving = True
            self._background.spawn(self._save_until_kept())

    def when_kept(self, tried: Callable[[], None]) -> None:
        """Call this as `keep` would, with nothing new to say."""
        self.keep(self.cursor, self._claim, tried)

    async def _save_until_kept(self) -> None:
        while not self.gone:
            tried, self._tried = self._tried, []
            changes = self._submit()
            failed = False
            for kind, body, written in changes:
                try:
                    self._remember(kind, body, await written)
                except Refused:
                    failed = True
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

    def _submit(self) -> list[tuple[str, bytes | None, Awaitable[int | None]]]:
        """Queue what has to be written for the store to say what it should: (kind, body, the new version)."""
        wanted = {
            CURSOR: msgspec.msgpack.encode(self.cursor) if self.cursor != Cursor() else None,
            CLAIM: msgspec.msgpack.encode(self._claim) if self._claim is not None else None,
        }
        changes: list[tuple[str, bytes | None, Awaitable[int | None]]] = []
        for kind, body in wanted.items():
            kept = self._kept.get(kind)
            if kept is None:
                if body is not None:
                    changes.append((kind, body, self._store.create(kind, self.log, body)))
            elif body is None:
                changes.append((kind, body, self._store.delete(kind, self.log, kept.version)))
            elif body != kept.body:
                changes.append((kind, body, self._store.update(kind, self.log, kept.version, body)))
        return changes

    def _remember(self, kind: str, body: bytes | None, version: int | None) -> None:
        if body is not None and version is not None:
            self._kept[kind] = Document(self.log, version, body)
            return
        del self._kept[kind]
        if kind == CLAIM and self._claim is None:
            self.claimed = False

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
