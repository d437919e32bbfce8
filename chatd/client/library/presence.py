"""Presence of the account and the watch list, which the client sets again after each login."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.python.failure import Failure

from chatd.client.library.connection import Connection
from chatd.client.library.errors import ConnectionClosed
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused

_NAMES_PER_REQUEST = 100


class PresenceState:
    """The last `SetPresence` that the server carried out, and the names that are watched."""

    def __init__(self) -> None:
        self._presence: c.SetPresence | None = None
        self._watched: dict[str, None] = {}  # in order, without values

    def requested(self, request: object) -> None:
        """Record a request that the server has carried out, if it is about presence."""
        match request:
            case c.SetPresence():
                self._presence = request
            case c.Who(watch=True):
                self._watched.update(dict.fromkeys(name.lower() for name in request.names))
            case c.Unwatch():
                for name in request.names:
                    self._watched.pop(name.lower(), None)

    def set_presence(self) -> c.SetPresence | None:
        """The request that sets the presence again, or None if it is the one after any login."""
        if self._presence is not None and (self._presence.away or self._presence.hidden):
            return msgspec.structs.replace(self._presence)
        return None

    def watch(self) -> list[c.Who]:
        """The requests that watch the same names again."""
        names = list(self._watched)
        return [
            c.Who(0, names[start : start + _NAMES_PER_REQUEST], True)
            for start in range(0, len(names), _NAMES_PER_REQUEST)
        ]

    def restore(self, connection: Connection, on_person: Callable[[c.Person], None]) -> None:
        """Set the presence and watch the same names over `connection`; `on_person` is called with
        the presence of each. Refusals are ignored."""
        set_presence = self.set_presence()
        if set_presence is not None:
            connection.request(set_presence).addErrback(_ignore_refusal)

        def answered(answer: c.People) -> None:
            for person in answer.people:
                on_person(person)

        for watch in self.watch():
            connection.request(watch).addCallback(answered).addErrback(_ignore_refusal)


def _ignore_refusal(failure: Failure) -> None:
    failure.trap(Refused, ConnectionClosed)
