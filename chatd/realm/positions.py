"""Positions: what accounts have acknowledged and read is saved in the background.

An acknowledgement is frequent and small, so it is not saved by itself: what changes is collected
for all accounts, and saved by one call with a commit that happens anyway, or soon after. What a
killed daemon had not saved is shown again to clients that do not give their positions.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from chatd.core.errors import StoreUnavailable
from chatd.realm.read_state import ReadState
from chatd.realm.tasks import Tasks
from chatd.stores import Forget, Store

SOON, VERY_SOON = 1.0, 0.03
"""seconds after which a change is saved at the latest: an acknowledgement by a client, which gives
its positions after a restart; and one on behalf of a client that cannot acknowledge"""
RETRY_SECONDS = 1.0
"""seconds after which a failed save is tried again"""
_LATER = "The store is not available: what was acknowledged or read is recorded when it is again."


class Positions:
    """Saves the read states of all accounts. `seconds` is a monotonic clock."""

    def __init__(self, store: Store, tasks: Tasks, seconds: Callable[[], float]) -> None:
        self._store = store
        self._tasks = tasks
        self._seconds = seconds
        self._changed: dict[ReadState, None] = {}
        # The states of each save under way.
        self._saving: list[dict[ReadState, None]] = []
        self._due: float | None = None
        self._failing = False

    def changed(self, state: ReadState, within: float) -> None:
        """Save a state that has changed, within so many seconds, unless it was discarded."""
        if not state.log:
            return
        self._add(state)
        due = self._seconds() + within
        if self._due is None or due < self._due:
            self._due = due
            self._tasks.spawn(self._save_at(due, within))

    def _add(self, state: ReadState) -> None:
        if state.log and state not in self._changed:
            self._changed[state] = None
            state.mailbox.unsaved += 1

    async def _save_at(self, due: float, within: float) -> None:
        await self._tasks.sleep(within)
        if self._due == due and not self._failing:
            self._save_in_background()

    def committed(self) -> None:
        """The store has committed a batch, and the next one may take along what is due soon."""
        if self._due is not None and not self._failing and self._due - self._seconds() < 0.01:
            self._save_in_background()

    def _save_in_background(self) -> None:
        self._tasks.spawn(self._save_until_done())

    async def _save_until_done(self) -> None:
        while not await self._save():
            self._failing = True
            await self._tasks.sleep(RETRY_SECONDS)
        self._failing = False

    async def save(self) -> None:
        """Save all that has changed, and wait for it. Raises `StoreUnavailable`; it is saved
        nevertheless as soon as that is possible."""
        # A save under way may fail after this one: its states are saved again.
        for state in [state for states in self._saving for state in states]:
            self._add(state)
        if not await self._save():
            if not self._failing:
                self._failing = True
                self._tasks.spawn(self._retry())
            raise StoreUnavailable(_LATER)

    async def _retry(self) -> None:
        await self._tasks.sleep(RETRY_SECONDS)
        await self._save_until_done()

    async def _save(self) -> bool:
        """Save what has changed; whether it was stored."""
        self._due = None
        states, self._changed = self._changed, {}
        self._saving.append(states)
        # Also without changes this waits for the saves before it.
        try:
            await self._store.save([state.position() for state in states])
        except StoreUnavailable:
            for state in states:
                if state in self._changed or not state.log:
                    state.mailbox.unsaved -= 1
                else:
                    self._changed[state] = None
            return False
        finally:
            self._saving.remove(states)
        for state in states:
            state.mailbox.unsaved -= 1
            state.mailbox.release_if_idle()
        return True

    def discard(self, state: ReadState) -> None:
        """Stop saving a state: its log, or its account's part in it, has been removed."""
        log, state.log = state.log, ""
        if state in self._changed:
            del self._changed[state]
            state.mailbox.unsaved -= 1
        if any(state in states for states in self._saving):
            # That save comes after the removal, and before anything that is done from now on.
            self._tasks.spawn(self._forget(Forget(state.mailbox.account, log)))

    async def _forget(self, change: Forget) -> None:
        # A position without a membership does no harm.
        with suppress(StoreUnavailable):
            await self._store.write((change,))
