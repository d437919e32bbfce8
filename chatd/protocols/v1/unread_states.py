"""Version 1: states that have changed while a client does not read.

A client that does not read must not cost memory without bounds, and must know the truth when it
reads on. So of what changes again and again only the last state is held back for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatd.codecs.v1_messages import Left

_TYPING = 1_000
"""accounts that type, by log; notices about more of them are dropped"""


class UnreadStates:
    """The last states, of each room and each account, that one client has not been sent.

    Their number is bounded: an account is in few rooms and watches few accounts.
    """

    __slots__ = ("_presence", "_rooms", "_typing")

    def __init__(self) -> None:
        # By log, None: the client does not know that the account has been a member.
        self._rooms: dict[str, Left | None] = {}
        self._presence: dict[str, bytes] = {}
        self._typing: dict[tuple[str, str], bytes] = {}

    def joined(self, log: str) -> None:
        """The account has become a member of a room."""
        self._rooms.setdefault(log, None)

    def left(self, log: str, event: Left) -> None:
        """The account is no longer a member of a room."""
        if self._rooms.get(log, event) is None:
            del self._rooms[log]
        else:
            self._rooms[log] = event

    def rooms(self) -> Iterator[tuple[str, Left | None]]:
        """The logs of the rooms whose membership has changed, and the event that the account has
        left, if the client knows that it has been a member."""
        yield from self._rooms.items()

    def presence(self, name: str, event: bytes) -> None:
        """The presence of a watched account has changed: hold back the encoded event."""
        self._presence[name] = event

    def typing(self, log: str, name: str, event: bytes) -> None:
        """An account types in a log, or has stopped: hold back the encoded event."""
        if len(self._typing) < _TYPING or (log, name) in self._typing:
            self._typing[log, name] = event

    def notices(self) -> Iterator[bytes]:
        """The events about presence and typing."""
        yield from self._presence.values()
        yield from self._typing.values()
