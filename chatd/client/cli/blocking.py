"""Whom we block. A server keeps what they send us away; what they say in rooms is for the client to
hide."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.codecs import v1_messages as c

# What they did there is not hidden: who is in a room is everybody's business.
_SAID = frozenset({"text", "edit", "delete", "reaction"})


class Blocking:
    """The names of those whom we block."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def learned(self, names: Iterable[str]) -> None:
        """The server has said who they are."""
        self._names = set(map(str.lower, names))

    def changed(self, request: c.Block) -> None:
        """This was done."""
        (self._names.add if request.blocked else self._names.discard)(request.name.lower())

    def hides(self, entry: c.Pushed) -> bool:
        """Whether nobody here wants to see this."""
        return entry.log.startswith("#") and entry.kind in _SAID and entry.sender in self
