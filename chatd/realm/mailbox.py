"""A mailbox as this daemon holds it: what one account has read, its rooms, and its sessions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from chatd.core.entries import Cursor
from chatd.realm.accounts import Account
from chatd.realm.documents import Documents
from chatd.realm.live_log import MIN_RETAINED, LiveLog
from chatd.realm.membership import Membership, MembershipRecord
from chatd.realm.read_state import NO_SETTINGS, ReadState, Settings
from chatd.realm.tasks import gather
from chatd.stores import Discarding, Store

if TYPE_CHECKING:
    from chatd.realm.session import Session

_UNCONFIRMED = 4_096
# Most mailboxes have none of these; an empty dict takes 64 bytes for each of them.
_NO_ROOMS: dict[str, Membership] = {}
_NO_SENDERS: dict[int, int] = {}


class Mailbox(LiveLog):
    """The mailbox of an account, from its first login until all sessions have ended and its state
    is saved. `account` is the account's id, `owner` its name as first written."""

    __slots__ = (
        "_on_idle",
        "account",
        "deleted",
        "endings",
        "exclusive",
        "loaded",
        "logins",
        "memberships",
        "opening",
        "owner",
        "reserved",
        "scoped",
        "settings",
        "state",
        "token_bucket",
        "unconfirmed",
        "unsaved",
    )

    def __init__(
        self,
        store: Store,
        account: int,
        owner: str,
        log: str,
        name: str,
        on_idle: Callable[[Mailbox], None],
    ) -> None:
        """`log` and `name` are those of `LiveLog`. `on_idle` is called when no session is left and
        everything is saved."""
        super().__init__(store, log, name)
        self.account = account
        self.owner = owner
        self.state = ReadState(self, self.log, Cursor())
        """what has been acknowledged and read, by any session"""
        self.memberships = _NO_ROOMS
        """the rooms of the account, by their names in lower case"""
        self.settings = NO_SETTINGS
        self.loaded = False
        """whether `load` has succeeded"""
        self.exclusive: Session | None = None
        """the session of a protocol that allows an account only one, if any"""
        self.scoped: tuple[Session, ...] = ()
        """the sessions with a scope, which do not follow the mailbox
        (`chatd.realm.scoped_session`)"""
        self.opening = False
        """whether a login under way opens such a session"""
        self.logins = 0
        """how many logins are under way"""
        self.reserved = 0
        """how many logins, requests and fetches of mail under way need the mailbox, though it may
        have no session"""
        self.unsaved = 0
        """how many read states are not saved yet (`chatd.realm.positions`)"""
        self.deleted = False
        """whether the account has been deleted"""
        self.endings = 0
        """how often all sessions of the account have been ended (`Sessions.end`)"""
        self.unconfirmed = _NO_SENDERS
        """the senders, by their ids, who want a receipt, by the seq of their entry"""
        self.token_bucket: Any = None
        """limits the rate of commands of all sessions of the account together"""
        self._on_idle = on_idle

    async def load(self, documents: Documents) -> Account | None:
        """Read the account's record, and what is stored of the mailbox unless it has been read.

        Returns the record, None if the account has been deleted. Raises `StoreUnavailable`.
        """
        if self.loaded:
            stored = await documents.get(Account, self.owner)
        else:
            stored, settings, head, positions, memberships = await gather(
                documents.get(Account, self.owner),
                documents.get(Settings, self.log),
                self.store.head(self.log),
                self.store.positions(self.account),
                # All at once: from several moments, a room that was left would stay in the list.
                documents.scan(MembershipRecord, str(self.account), limit=sys.maxsize),
            )
            # Another login may have loaded them meanwhile.
            if not self.loaded:
                self.loaded = True
                self.head = max(self.head, head)
                self.settings = NO_SETTINGS if settings is None else settings.record
                states = {self.log: self.state}
                rooms: dict[str, Membership] = {}
                for row in memberships:
                    membership = Membership(self, int(row.key), row.record)
                    rooms[membership.name] = membership
                    states[membership.state.log] = membership.state
                self.memberships = rooms or _NO_ROOMS
                for position in positions:
                    if position.log in states:
                        states[position.log].merge(position)
        if stored is None or stored.record.id != self.account:
            return None
        record: Account = stored.record
        return record

    def add_membership(self, membership: Membership) -> None:
        """The account is a member of one more room."""
        self.memberships = {**self.memberships, membership.name: membership}

    def remove_membership(self, name: str) -> None:
        """The account is no longer a member of a room, given by the name of its log."""
        rest = {key: value for key, value in self.memberships.items() if key != name}
        self.memberships = rest or _NO_ROOMS

    @property
    def taken(self) -> Cursor:
        """What has been acknowledged, and what is on its way to the account's exclusive session."""
        session = self.exclusive
        return self.state.cursor if session is None else session.taken

    @property
    def consumed(self) -> int:
        """See `LiveLog`."""
        return min(
            [
                self.state.cursor.upto,
                *(subscription.position for subscription in self.subscriptions),
            ]
        )

    def trim_consumed(self) -> None:
        """See `LiveLog`. Entries read after one that still waits do not wait with it."""
        super().trim_consumed()
        if isinstance(self.store, Discarding):
            positions = [subscription.position for subscription in self.subscriptions]
            upto = min([self.head - MIN_RETAINED, *positions])
            for first, last in self.state.cursor.ahead:
                if first <= min(last, upto):
                    self.store.discard(self.log, first, min(last, upto))

    @property
    def sessions(self) -> list[Session]:
        """The sessions of the account that follow its mailbox."""
        return [cast("Session", subscription.session) for subscription in self.subscriptions]

    @property
    def all_sessions(self) -> list[Session]:
        """All sessions of the account, also those with a scope."""
        return [*self.sessions, *self.scoped] if self.scoped else self.sessions

    # Receipts

    def expect_receipts(self, senders: Iterable[tuple[int, int]]) -> None:
        """Note that senders want a receipt: (seq, id of the sender).

        The latest `_UNCONFIRMED` are remembered, and up to twice as many.
        """
        unconfirmed = self.unconfirmed
        if unconfirmed is _NO_SENDERS:
            self.unconfirmed = unconfirmed = {}
        unconfirmed.update(senders)
        if len(unconfirmed) > 2 * _UNCONFIRMED:
            for seq in list(islice(unconfirmed, len(unconfirmed) - _UNCONFIRMED)):
                del unconfirmed[seq]

    def receipts_due(self, first: int, last: int) -> dict[int, list[int]]:
        """Return the seqs from `first` to `last` whose senders want a receipt, by the sender's id.
        They are returned once."""
        due: dict[int, list[int]] = {}
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
        idle = not self.subscriptions and not self.scoped
        if idle and not self.reserved and not self.unsaved:
            self._on_idle(self)
