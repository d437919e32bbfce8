"""What an account has acknowledged and read of a log, and the settings of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from chatd.core.entries import Cursor
from chatd.stores import Position

if TYPE_CHECKING:
    from chatd.realm.mailbox import Mailbox


class ReadState:
    """What the account of `mailbox` has acknowledged and read of `log`, as this daemon knows it.

    `cursor` is what has been acknowledged, `read` the read marker. `seen` is when the last session
    of the account ended, in milliseconds since 1970 (UTC); it is used with the mailbox only. They
    only ever grow. `chatd.realm.positions` saves them.
    """

    __slots__ = ("cursor", "log", "mailbox", "read", "seen")

    def __init__(self, mailbox: Mailbox, log: str, cursor: Cursor, read: int = 0) -> None:
        self.mailbox = mailbox
        self.log = log
        self.cursor = cursor
        self.read = read
        self.seen = 0

    def merge(self, position: Position) -> None:
        """Take over what the store has."""
        self.cursor = self.cursor.union(position.cursor)
        self.read = max(self.read, position.read)
        self.seen = max(self.seen, position.seen)

    def position(self) -> Position:
        """This state, to be saved."""
        return Position(self.mailbox.account, self.log, self.cursor, self.read, self.seen)


class Settings(msgspec.Struct, frozen=True, array_like=True):
    """What an account has set: the accounts it blocks, their names by their ids, and whether it
    always appears as offline. Stored under the account's mailbox log."""

    document_kind: ClassVar[str] = "settings"

    blocked: dict[int, str] = {}
    hidden: bool = False


NO_SETTINGS = Settings()
"""the settings of an account that has stored none"""
