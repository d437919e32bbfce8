"""What is stored of an account's reading, and its settings: documents under its mailbox's name.

Several daemons may change them. Each has a `merged` method, a three-way merge: of this version,
the version of another writer and, where it is needed, the version that both began with.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from chatd.core.entries import Cursor


class RoomPosition(msgspec.Struct, frozen=True, array_like=True):
    """An account's position in a room.

    `since` is when the room was created: a later room of the same name is another one. `cursor` is
    what the account has acknowledged, `read` its read marker.
    """

    since: int
    cursor: Cursor
    read: int

    def merged(self, other: RoomPosition) -> RoomPosition:
        """The union of two positions; if they are in different rooms, the one in the later room."""
        if self.since != other.since:
            return max(self, other, key=lambda position: position.since)
        return RoomPosition(self.since, self.cursor.union(other.cursor), max(self.read, other.read))


class ReadState(msgspec.Struct, array_like=True):
    """What an account has read.

    `read` is the read marker of its mailbox, `positions` its positions in rooms by the name of
    their logs, `seen` when its last session ended (milliseconds since 1970, UTC).
    """

    document_kind: ClassVar[str] = "reading"

    read: int = 0
    positions: dict[str, RoomPosition] = {}
    seen: int = 0

    def copy(self) -> ReadState:
        """A copy that does not change with this one."""
        return ReadState(self.read, dict(self.positions), self.seen)

    def merged(self, base: ReadState, other: ReadState) -> ReadState:
        """This state with the changes that led from `base` to `other`."""
        positions: dict[str, RoomPosition] = {}
        for log in other.positions | self.positions:
            own_position, other_position = self.positions.get(log), other.positions.get(log)
            if own_position is not None and other_position is not None:
                positions[log] = own_position.merged(other_position)
                continue
            position = own_position or other_position
            # One side has it: either that one joined the room, or the other one left it.
            if position is not None and (
                log not in base.positions or base.positions[log].since != position.since
            ):
                positions[log] = position
        return ReadState(max(self.read, other.read), positions, max(self.seen, other.seen))


class Settings(msgspec.Struct, frozen=True, array_like=True):
    """What an account has set: the accounts it blocks, by name in lower case, and whether it
    always appears as offline."""

    document_kind: ClassVar[str] = "settings"

    blocked: tuple[str, ...] = ()
    hidden: bool = False

    def merged(self, base: Settings, other: Settings) -> Settings:
        """These settings with the changes that led from `base` to `other`."""
        unblocked = set(base.blocked) - set(other.blocked)
        blocked = dict.fromkeys(name for name in self.blocked if name not in unblocked)
        blocked.update(dict.fromkeys(set(other.blocked) - set(base.blocked)))
        hidden = self.hidden if self.hidden != base.hidden else other.hidden
        return Settings(tuple(blocked), hidden)
