"""Write-behind of one mailbox: its cursor, claim, read state and settings, saved in the background.

What changes in memory is saved soon or at once, and changes that are made while a write is under
way are saved together by the next one. A failed write is tried again until it succeeds. If another
daemon has changed a document meanwhile, its changes and these are merged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from chatd.core.entries import Cursor
from chatd.core.errors import Refused, StoreUnavailable
from chatd.realm.claims import Claim
from chatd.realm.documents import Documents, Stored
from chatd.realm.read_state import ReadState, Settings
from chatd.realm.tasks import Tasks, gather

SOON_SECONDS = 1.0
"""how long `SavedState.save_soon` waits for further changes"""
RETRY_SECONDS = 1.0
"""how long after a failed write it is tried again"""

_ATTEMPTS_KNOWN = 16
"""records of failed writes that are remembered for each document"""

_NO_CURSOR, _NO_READ_STATE, _NO_SETTINGS = Cursor(), ReadState(), Settings()
"""what is not stored: shared by all mailboxes, since there is one for every idle session"""


class Positions(Protocol):
    """What is saved: the mailbox, as `SavedState` sees it."""

    log: str
    cursor: Cursor
    """what the sessions of peers that cannot acknowledge have handed over"""
    acked: Cursor
    """what clients have acknowledged; saved as the union of this and `cursor`"""
    claim: Claim | None
    claimed: bool
    """whether the store may have a claim"""
    read_state: ReadState
    settings: Settings
    deleted: bool
    """whether the account has been deleted, so that nothing may be saved"""

    def release_if_idle(self) -> None:
        """Called when everything has been saved."""


class _SavedDocument:
    """One document of a mailbox: what the store has, as far as this daemon knows."""

    __slots__ = ("_attempted", "_default", "_record_type", "stored")

    def __init__(self, record_type: type[Any], default: Any) -> None:
        self._record_type = record_type
        # A record equal to this is not stored; None: none is.
        self._default = default
        self.stored: Stored[Any] | None = None
        # Records that writes failed to store, or have stored although they seemed to fail.
        self._attempted: tuple[Any, ...] = ()

    def get(self, documents: Documents, log: str) -> Awaitable[Stored[Any] | None]:
        """Read it."""
        return documents.get(self._record_type, log)

    def save(self, documents: Documents, log: str, record: Any) -> Awaitable[Stored[Any] | None]:
        """Write a record; what the store has then may be merged with another writer's."""
        if record == self._default:
            record = None
        base = None if self.stored is None else self.stored.record
        uncertain = bool(self._attempted)
        own = (base, *self._attempted)
        if record not in own:
            self._attempted = (*self._attempted, record)[-_ATTEMPTS_KNOWN:]

        def changed(current: Any) -> Any:
            if current in own:
                return record
            merged = self.merged(record, base, current)
            return None if merged == self._default else merged

        if uncertain:
            return documents.change(self._record_type, log, changed)
        return documents.change_from(self._record_type, log, self.stored, changed)

    def saved(self, stored: Stored[Any] | None) -> None:
        """Note what the store has now."""
        self.stored = stored
        self._attempted = ()

    def merged(self, record: Any, base: Any, other: Any) -> Any:
        """A record with the changes that led from `base` to `other`."""
        if self._record_type is Claim:
            return record
        if self._record_type is Cursor:
            return (record or Cursor()).union(other or Cursor())
        default = self._default
        return (record or default).merged(base or default, other or default)


class SavedState:
    """Saves the documents of one mailbox."""

    __slots__ = (
        "_claim",
        "_cursor",
        "_documents",
        "_on_saved",
        "_positions",
        "_read_state",
        "_requested",
        "_settings",
        "_soon",
        "_tasks",
        "failing",
        "loaded",
        "saving",
    )

    def __init__(self, documents: Documents, tasks: Tasks, positions: Positions) -> None:
        self._documents = documents
        self._tasks = tasks
        self._positions = positions
        self._cursor = _SavedDocument(Cursor, _NO_CURSOR)
        self._claim = _SavedDocument(Claim, None)
        self._read_state = _SavedDocument(ReadState, _NO_READ_STATE)
        self._settings = _SavedDocument(Settings, _NO_SETTINGS)
        self.loaded = False
        self.saving = False
        """whether a write is under way, or waits to be tried again"""
        self.failing = False
        """whether the last write failed"""
        # Whether a save was requested since the last write began, and whether one is to begin soon.
        self._requested = False
        self._soon = False
        self._on_saved: tuple[Callable[[], None], ...] = ()

    # Loading

    async def load(self, *others: Awaitable[Any]) -> list[Any]:
        """Read the documents unless they have been read, and return the results of `others`.

        All of them are read at the same moment. Raises `StoreUnavailable`.
        """
        if self.loaded:
            return await gather(*others)
        saved_documents = (self._cursor, self._claim, self._read_state, self._settings)
        results = await gather(
            *(document.get(self._documents, self._positions.log) for document in saved_documents),
            *others,
        )
        # Another login may have loaded them meanwhile.
        if not self.loaded:
            self.loaded = True
            for saved_document, stored in zip(saved_documents, results, strict=False):
                saved_document.saved(stored)
            self._set_positions()
        return results[len(saved_documents) :]

    def _set_positions(self) -> None:
        positions = self._positions
        positions.claimed = self._claim.stored is not None
        if self._cursor.stored is not None:
            positions.cursor = positions.acked = self._cursor.stored.record
        if self._read_state.stored is not None:
            positions.read_state = self._read_state.stored.record.copy()
        if self._settings.stored is not None:
            positions.settings = self._settings.stored.record

    @property
    def stored_claim(self) -> Claim | None:
        """The claim that the store has."""
        return None if self._claim.stored is None else self._claim.stored.record

    # Saving

    def save_soon(self) -> None:
        """Save what has changed within `SOON_SECONDS`, together with what changes until then."""
        if not self._soon:
            self._soon = True
            self._tasks.spawn(self._save_later())

    async def _save_later(self) -> None:
        await self._tasks.sleep(SOON_SECONDS)
        if self._soon and not self._positions.deleted:
            self.save_now()

    def save_now(self) -> None:
        """Save what has changed, in the background, at once."""
        self._requested = True
        if not self.saving:
            self.saving = True
            self._tasks.spawn(self._save_until_done())

    def on_saved(self, function: Callable[[], None]) -> None:
        """Save what has changed, and call `function` once when it is saved or has failed once."""
        self._on_saved = (*self._on_saved, function)
        self.save_now()

    async def saved(self) -> None:
        """Save what has changed and wait for it. Raises `StoreUnavailable`."""
        self.save_now()
        while self.saving and not self.failing:
            # A read is answered after the writes before it, so this waits for the next of them.
            await self._settings.get(self._documents, self._positions.log)
        if self.failing:
            raise StoreUnavailable()

    async def _save_until_done(self) -> None:
        while not self._positions.deleted:
            self._soon = self._requested = False
            functions, self._on_saved = self._on_saved, ()
            self.failing = not await self._save_once()
            for function in functions:
                function()
            if self.failing:
                await self._tasks.sleep(RETRY_SECONDS)
            elif not self._requested:
                break
        self.saving = False
        for function in self._on_saved:
            function()
        self._on_saved = ()
        self._positions.release_if_idle()

    async def _save_once(self) -> bool:
        """Write what has changed; whether all of it was stored."""
        positions = self._positions
        cursor = positions.cursor.union(positions.acked)
        read_state, settings = positions.read_state.copy(), positions.settings
        # All writes are in the queue before the first is awaited: one transaction.
        writes = [
            (saved_document, record, saved_document.save(self._documents, positions.log, record))
            for saved_document, record in (
                (self._cursor, cursor),
                (self._claim, positions.claim),
                (self._read_state, read_state),
                (self._settings, settings),
            )
        ]
        succeeded = True
        for saved_document, record, write in writes:
            try:
                saved_document.saved(await write)
            except Refused:
                succeeded = False
            else:
                # Even if another write fails: what was merged would be overwritten by the next one.
                self._adopt(saved_document, record)
        if self._claim.stored is None and positions.claim is None:
            positions.claimed = False
        return succeeded

    def _adopt(self, saved_document: _SavedDocument, record: Any) -> None:
        """Take over what was merged from another writer with a record that was to be saved."""
        stored = saved_document.stored
        if stored is None or stored.record == record:
            return
        positions = self._positions
        if saved_document is self._cursor:
            positions.acked = positions.acked.union(stored.record)
        elif saved_document is self._read_state:
            positions.read_state = positions.read_state.merged(record, stored.record)
        elif saved_document is self._settings:
            positions.settings = positions.settings.merged(record, stored.record)
