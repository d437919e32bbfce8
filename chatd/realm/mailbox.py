"""An account's inbox as this daemon holds it: how far it is read, and who is reading it now.

What the store keeps of it, beside the log itself, are documents under the log's name:

- ``cursor``: what has been acknowledged.
- ``reading``: how far rooms have been read, and since when; ``settings``: whom the account blocks.
- ``claim``: there while a session takes every entry as it is committed. It says "all after seq
  `after` is handed over the moment it is committed", so that no message costs a write of its own to
  say it.

An entry is handed to a claiming session before its sender hears that it was accepted. So if the
daemon is killed, all that senders were told was accepted is with the kernel, on its way to the
reader, or waiting in the log, and `Mailbox.settle` may count what follows `after` as read. For the
same reason, what is committed between the end of a session and the end of its claim is not answered
before the claim is gone. If the whole machine went down, that proves nothing: then those entries
wait again, and may be seen twice, not never.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

import msgspec

from chatd.core.entries import Cursor
from chatd.core.errors import Refused, StoreUnavailable
from chatd.realm.live_log import LiveLog
from chatd.realm.tasks import Tasks, gather
from chatd.stores import Document, Store

if TYPE_CHECKING:
    from chatd.realm.auto_ack_session import AutoAckSession
    from chatd.realm.session import Session

SOON_SECONDS = 1.0
"""how long an acknowledgement may wait before the store hears of it, unless somebody asks for it"""
RETRY_SECONDS = 1.0
"""how long a failed write of a cursor or a claim waits before it is tried again"""

_UNCONFIRMED = 4_096


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """See above; `boot` tells one run of the machine from another."""

    document_kind: ClassVar[str] = "claim"

    after: int
    boot: str


class RoomPosition(msgspec.Struct, frozen=True, array_like=True):
    """An account's place in a room: `since` is when the room was made, for a later room of the same
    name is another one; `cursor` what the account has acknowledged; `read` up to where a person has
    read."""

    since: int
    cursor: Cursor
    read: int


class ReadState(msgspec.Struct, array_like=True):
    """What else is kept of an account's reading: up to where a person has read the inbox, its
    positions in rooms by the log's name, and when it was last seen (milliseconds since 1970, UTC)."""

    document_kind: ClassVar[str] = "reading"

    read: int = 0
    positions: dict[str, RoomPosition] = {}
    seen: int = 0


class Settings(msgspec.Struct, frozen=True, array_like=True):
    """What an account wants: names, in lower case, from which it takes nothing, and to look as if
    it were never there."""

    document_kind: ClassVar[str] = "settings"

    blocked: tuple[str, ...] = ()
    hidden: bool = False


class Mailbox(LiveLog):
    """One inbox, from the time someone logs in until the store knows how far that someone read.

    `head` is the last seq known to be committed; `cursor` is what a claiming session and those
    before it have read, `acked` what has been acknowledged since the mailbox was loaded: the store
    should say both together, or will as soon as it can. `claimed` is whether there may be a claim
    in the store; `reserved` how many logins are under way, and `claiming` whether one of them is of
    a session that claims.
    """

    __slots__ = (
        "_asked",
        "_background",
        "_claim",
        "_kept",
        "_saving",
        "_settled",
        "_soon",
        "_tried",
        "acked",
        "allowance",
        "claiming",
        "cursor",
        "failing",
        "gone",
        "loaded",
        "read_state",
        "reserved",
        "session",
        "settings",
        "unconfirmed",
    )

    def __init__(
        self, store: Store, background: Tasks, log: str, settled: Callable[[Mailbox], None]
    ) -> None:
        """`settled` is called when nobody reads any more and the store knows all there is to
        know."""
        super().__init__(store, log)
        self.cursor = Cursor()
        self.acked = Cursor()
        self.session: AutoAckSession | None = None
        self.reserved = 0
        self.claiming = False
        self.gone = False
        self.failing = False
        """whether the last attempt to have something kept failed"""
        self.read_state = ReadState()
        self.settings = Settings()
        self.unconfirmed: OrderedDict[int, str] = OrderedDict()
        """the seqs whose senders, named here, want to know when they are delivered"""
        self.allowance: Any = None
        """what bounds the account's commands, whatever the number of its sessions"""
        self._background = background
        self._settled = settled
        self._claim: Claim | None = None
        self._kept: dict[str, Document] = {}
        self.loaded = False
        self._asked = False
        self._saving = False
        self._soon = False
        self._tried: list[Callable[[], None]] = []

    async def load(self, *others: Awaitable[Any]) -> list[Any]:
        """Read what the store has, unless that was done, and the answers to `others`. May raise
        `StoreUnavailable`."""
        if self.loaded:
            return await gather(*others)
        store = self.store
        # All of them are in the queue before the first is awaited, so they are of one moment.
        kinds = (
            Cursor.document_kind,
            Claim.document_kind,
            ReadState.document_kind,
            Settings.document_kind,
        )
        head, *found = await gather(
            store.head(self.log), *(store.get(kind, self.log) for kind in kinds), *others
        )
        # Another login may have been quicker.
        if not self.loaded:
            self.loaded = True
            self._kept = {
                kind: document
                for kind, document in zip(kinds, found, strict=False)
                if document is not None
            }
            self.claimed = Claim.document_kind in self._kept
            if Cursor.document_kind in self._kept:
                self.cursor = self.acked = msgspec.msgpack.decode(
                    self._kept[Cursor.document_kind].body, type=Cursor
                )
            if ReadState.document_kind in self._kept:
                self.read_state = msgspec.msgpack.decode(
                    self._kept[ReadState.document_kind].body, type=ReadState
                )
            if Settings.document_kind in self._kept:
                self.settings = msgspec.msgpack.decode(
                    self._kept[Settings.document_kind].body, type=Settings
                )
            self.head = max(self.head, head)
        return found[len(kinds) :]

    @property
    def known(self) -> Cursor:
        """All that has been read by now, whatever the store says yet."""
        return (self.cursor if self.session is None else self.session.handed).union(self.acked)

    @property
    def consumed(self) -> int:
        """See `LiveLog`."""
        return min(
            [self.known.upto, *(subscription.position for subscription in self.subscriptions)]
        )

    @property
    def sessions(self) -> list[Session]:
        """All sessions of the account."""
        return [cast("Session", subscription.session) for subscription in self.subscriptions]

    def release(self, session: AutoAckSession) -> None:
        """The claiming session is over."""
        self.session = None
        self.unsubscribe(session)

    def expect_receipts(self, entries: Iterable[tuple[int, str]]) -> None:
        """Remember who wrote the entries of these seqs, for `receipts_due`; of the latest ones
        only."""
        unconfirmed = self.unconfirmed
        unconfirmed.update(entries)
        while len(unconfirmed) > _UNCONFIRMED:
            unconfirmed.popitem(last=False)

    def receipts_due(self, first: int, last: int) -> dict[str, list[int]]:
        """Who should hear that the entries from `first` to `last` are delivered, and of which of
        theirs."""
        due: dict[str, list[int]] = {}
        unconfirmed = self.unconfirmed
        if last - first < len(unconfirmed):
            seqs: Iterable[int] = range(first, last + 1)
        else:
            seqs = [seq for seq in unconfirmed if first <= seq <= last]
        for seq in seqs:
            sender = unconfirmed.pop(seq, None)
            if sender is not None:
                due.setdefault(sender, []).append(seq)
        return due

    def settle(self, boot: str) -> None:
        """After a daemon that ended without a word: decide what its sessions had read (see
        above)."""
        if Claim.document_kind in self._kept:
            claim = msgspec.msgpack.decode(self._kept[Claim.document_kind].body, type=Claim)
            read = claim.boot == boot
            self.keep(
                self.cursor.acknowledge(claim.after + 1, self.head) if read else self.cursor, None
            )

    def keep_soon(self) -> None:
        """Have what has changed kept within `SOON_SECONDS`, together with what changes until
        then."""
        if not self._soon:
            self._soon = True
            self._background.spawn(self._keep_later())

    async def _keep_later(self) -> None:
        await self._background.sleep(SOON_SECONDS)
        if self._soon and not self.gone:
            self.keep_now()

    def keep(
        self, cursor: Cursor, claim: Claim | None, tried: Callable[[], None] | None = None
    ) -> None:
        """Have the store say this from now on, trying until it does or something newer is to be
        said.

        `tried` is called as soon as this, or what came after it, has been committed or has failed
        once.
        """
        self._asked = True
        self.cursor = cursor
        self._claim = claim
        if claim is not None:
            self.claimed = True
        if tried is not None:
            self._tried.append(tried)
        if not self._saving:
            self._saving = True
            self._background.spawn(self._save_until_kept())

    def keep_now(self) -> None:
        """Have what has changed kept at once."""
        self.keep(self.cursor, self._claim)

    async def kept(self) -> None:
        """What has changed is in the store when this is done. Raises `StoreUnavailable`."""
        self.keep_now()
        while self._saving and not self.failing:
            # It takes its turn behind what is being written.
            await self.store.head(self.log)
        if self.failing:
            raise StoreUnavailable()

    def when_kept(self, tried: Callable[[], None]) -> None:
        """Call this as `keep` would, with nothing new to say."""
        self.keep(self.cursor, self._claim, tried)

    async def _save_until_kept(self) -> None:
        while not self.gone:
            self._soon = self._asked = False
            tried, self._tried = self._tried, []
            changes = self._submit()
            failed = False
            for kind, body, written in changes:
                try:
                    self._remember(kind, body, await written)
                except Refused:
                    failed = True
            self.failing = failed
            for function in tried:
                function()
            if failed:
                await self._background.sleep(RETRY_SECONDS)
                await self._reload()
            elif not self._asked:
                break
        self._saving = False
        for function in self._tried:
            function()
        self._tried = []
        self.settle_down()

    def settle_down(self) -> None:
        """Say that this mailbox is done with, if it is."""
        if not self.subscriptions and not self.reserved and not self._saving:
            self._settled(self)

    def _submit(self) -> list[tuple[str, bytes | None, Awaitable[int | None]]]:
        """Queue what has to be written for the store to say what it should: (kind, body, the new
        version)."""
        cursor = self.cursor.union(self.acked)
        wanted = {
            Cursor.document_kind: _encoded(cursor, Cursor()),
            Claim.document_kind: _encoded(self._claim, None),
            ReadState.document_kind: _encoded(self.read_state, ReadState()),
            Settings.document_kind: _encoded(self.settings, Settings()),
        }
        changes: list[tuple[str, bytes | None, Awaitable[int | None]]] = []
        for kind, body in wanted.items():
            kept = self._kept.get(kind)
            if kept is None:
                if body is not None:
                    changes.append((kind, body, self.store.create(kind, self.log, body)))
            elif body is None:
                changes.append((kind, body, self.store.delete(kind, self.log, kept.version)))
            elif body != kept.body:
                changes.append((kind, body, self.store.update(kind, self.log, kept.version, body)))
        return changes

    def _remember(self, kind: str, body: bytes | None, version: int | None) -> None:
        if body is not None and version is not None:
            self._kept[kind] = Document(self.log, version, body)
            return
        del self._kept[kind]
        if kind == Claim.document_kind and self._claim is None:
            self.claimed = False

    async def _reload(self) -> None:
        """Versions may be off after a failure; read them again, or leave it to the next round."""
        try:
            for kind in (
                Cursor.document_kind,
                Claim.document_kind,
                ReadState.document_kind,
                Settings.document_kind,
            ):
                document = await self.store.get(kind, self.log)
                if document is None:
                    self._kept.pop(kind, None)
                else:
                    self._kept[kind] = document
        except Refused:
            return


def _encoded(value: object, nothing: object) -> bytes | None:
    """A document's body, or None where there is nothing to keep."""
    return None if value == nothing else msgspec.msgpack.encode(value)
