"""What a feature of the realm (rooms, presence, edits, ...) may use of it.

A feature is a class in a module of its own, made by `chatd.realm.realm.Realm` and given the realm
as its `Context`. It calls what is declared here and nothing else of the realm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from chatd.core.limits import Limits
from chatd.stores import Append, Store

if TYPE_CHECKING:
    from chatd.realm.accounts import Accounts
    from chatd.realm.counters import Counters
    from chatd.realm.documents import Documents
    from chatd.realm.history import History
    from chatd.realm.positions import Positions
    from chatd.realm.presence import Presence
    from chatd.realm.receipts import Receipts
    from chatd.realm.room import Room
    from chatd.realm.rooms import Rooms
    from chatd.realm.sessions import Sessions


class Context(Protocol):
    """The realm, as its features see it."""

    store: Store
    documents: Documents
    limits: Limits
    counters: Counters
    accounts: Accounts
    rooms: Rooms
    history: History
    presence: Presence
    receipts: Receipts
    sessions: Sessions
    positions: Positions

    def now(self) -> int:
        """The time in milliseconds since 1970 (UTC) by the wall clock, which may jump."""

    def seconds(self) -> float:
        """The time in seconds by a clock that never goes back, for spans."""

    def entry_time(self) -> int:
        """The time for an entry: `now`, but never earlier than a time that was given before."""

    def creation_time(self) -> int:
        """The time for an account or a room: `now`, but later than all times given before, so that
        none has the same. Its id is to be taken after it: a later start sees the time by the id."""

    def new_id(self) -> int:
        """An id for an entry, an account or a room; greater than all before it."""

    def append(self, append: Append) -> None:
        """Append an entry to a log; its origin is answered.

        It is committed when the protocol that carries out the request calls `Realm.flush`, as each
        does at the end of a burst.
        """

    def new_note(self, log: str, sender: str, author: int, kind: str, body: str) -> Append:
        """An entry whose sender, with the id `author`, is not answered, to be appended alone or
        together with changes (`Documents.write`). To be made just before that: the times of a log
        never decrease."""

    def when_answered(self, function: Callable[[], None]) -> None:
        """Call a function when the senders of all that has been committed are answered: at once
        unless entries are being pushed to many sessions."""

    def add_live_log(self, room: Room) -> None:
        """Push what is appended to a room to its subscribers, and keep its head up to date."""

    def remove_live_log(self, log: str) -> None:
        """Undo `add_live_log`."""
