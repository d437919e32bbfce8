"""Blocked accounts: the server keeps out their private messages, the client hides their room
messages."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.codecs import v1_messages as c
from chatd.core.names import is_room

# Entries of other kinds, about membership and the room, are shown for blocked accounts, too.
_HIDDEN_KINDS = frozenset({"text", "edit", "delete", "reaction"})


class Blocking:
    """The names of the accounts that this account blocks."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def set_names(self, names: Iterable[str]) -> None:
        """Replace all names by those that the server has listed."""
        self._names = set(map(str.lower, names))

    def apply(self, request: c.Block) -> None:
        """Add or remove the name of a request that the server has carried out."""
        (self._names.add if request.blocked else self._names.discard)(request.name.lower())

    def hides(self, entry: c.Pushed) -> bool:
        """Whether an entry is not shown because a blocked account wrote it in a room."""
        return is_room(entry.log) and entry.kind in _HIDDEN_KINDS and entry.sender in self
