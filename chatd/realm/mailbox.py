"""A mailbox as this daemon holds it: the positions of one account and its sessions in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from chatd.core.entries import Cursor
from chatd.realm.claims import Claim
from chatd.realm.documents import Documents
from chatd.realm.live_log import LiveLog
from chatd.realm.read_state import ReadState, Settings
from chatd.realm.saved_state import SavedState
from chatd.realm.tasks import Tasks
from chatd.stores import Store

if TYPE_CHECKING:
    from chatd.realm.auto_ack_session import AutoAckSession
    from chatd.realm.session import Session

_UNCONFIRMED = 4_096


class Mailbox(LiveLog):
    """The mailbox of an account, from its first login until all sessions have ended and its state
    is saved.

    `head` is the last seq known to be committed. What `saved_state` saves is changed here first;
    call `SavedState.save_soon` or `save_now` after a change.
    """

    __slots__ = (
        "_on_idle",
        "acked",
        "claim",
        "claiming",
        "cursor",
        "deleted",
        "read_state",
        "reserved",
        "saved_state",
        "session",
        "settings",
        "token_bucket",
        "unconfirmed",
    )

    def __init__(
        self, store: Store, tasks: Tasks, log: str, on_idle: Callable[[Mailbox], None]
    ) -> None:
        """`on_idle` is called when no session is left and everything is saved."""
        super().__init__(store, log)
        self.cursor = Cursor()
        """what has been handed to peers that cannot acknowledge, when it was last set"""
        self.acked = Cursor()
        """what has been acknowledged, by any session"""
        self.claim: Claim | None = None
        self.session: AutoAckSession | None = None
        """the account's `AutoAckSession`, if any; an account has at most one"""
        self.reserved = 0
        """how many logins are under way"""
        self.claiming = False
        """whether one of these logins opens a session that cannot acknowledge"""
        self.deleted = False
        self.read_state = ReadState()
        self.settings = Settings()
        self.unconfirmed: dict[int, str] = {}
        """the senders who want a receipt, by the seq of their entry"""
        self.token_bucket: Any = None
        """limits the rate of commands of all sessions of the account together"""
        self.saved_state = SavedState(Documents(store), tasks, self)
        self._on_idle = on_idle

    async def load(self, *others: Awaitable[Any]) -> list[Any]:
        """Read what is stored unless it has been read, and return the results of `others`, read at
        the same moment. Raises `StoreUnavailable`."""
        if self.loaded:
            return await self.saved_state.load(*others)
        head, *results = await self.saved_state.load(self.store.head(self.log), *others)
        self.head = max(self.head, head)
        return results

    @property
    def loaded(self) -> bool:
        """Whether `load` has succeeded."""
        return self.saved_state.loaded

    @property
    def acknowledged(self) -> Cursor:
        """All that has been acknowledged or handed over by now, whether or not it is saved."""
        return (self.cursor if self.session is None else self.session.handed).union(self.acked)

    @property
    def consumed(self) -> int:
        """See `LiveLog`."""
        return min(
            [self.acknowledged.upto, *(subscriber.position for subscriber in self.subscriptions)]
        )

    @property
    def sessions(self) -> list[Session]:
        """All sessions of the account."""
        return [cast("Session", subscriber.session) for subscriber in self.subscriptions]

    # Sessions without acknowledgements (`chatd.realm.claims`)

    def set_claim(
        self, cursor: Cursor, claim: Claim | None, on_saved: Callable[[], None] | None = None
    ) -> None:
        """Set what has been handed over, with a claim on what follows or without, and save it.

        `on_saved` is called once when that is saved or has failed once.
        """
        self.cursor = cursor
        self.claim = claim
        if claim is not None:
            self.claimed = True
        if on_saved is None:
            self.saved_state.save_now()
        else:
            self.saved_state.on_saved(on_saved)

    def resolve_claim(self, boot: str) -> None:
        """Replace a claim that a killed daemon left by the cursor that it stands for.

        `boot` identifies this run of the machine.
        """
        claim = self.saved_state.stored_claim
        if claim is not None:
            self.set_claim(claim.resolved(self.cursor, self.head, boot), None)

    def remove_session(self, session: AutoAckSession) -> None:
        """Remove the session that cannot acknowledge: it has ended."""
        self.session = None
        self.unsubscribe(session)

    # Receipts

    def expect_receipts(self, senders: Iterable[tuple[int, str]]) -> None:
        """Note that senders want a receipt: (seq, sender).

        The latest `_UNCONFIRMED` are remembered, and up to twice as many.
        """
        unconfirmed = self.unconfirmed
        unconfirmed.update(senders)
        if len(unconfirmed) > 2 * _UNCONFIRMED:
            for seq in list(islice(unconfirmed, len(unconfirmed) - _UNCONFIRMED)):
                del unconfirmed[seq]

    def receipts_due(self, first: int, last: int) -> dict[str, list[int]]:
        """Return the seqs from `first` to `last` whose senders want a receipt, by sender. They are
        returned once."""
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

    def release_if_idle(self) -> None:
        """Call `on_idle` if no session is left or about to begin, and everything is saved."""
        if not self.subscriptions and not self.reserved and not self.saved_state.saving:
            self._on_idle(self)
