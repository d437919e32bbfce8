"""The base class of tests of rooms."""

from __future__ import annotations

from chatd.realm.session import Session
from tests.realm.case import AckRealmCase


class RoomsCase(AckRealmCase):
    """Ann and bob are logged in."""

    def setUp(self) -> None:
        super().setUp()
        self.rooms = self.realm.rooms

    def members(self, session: Session | None = None, room: str = "#room") -> list[tuple[str, str]]:
        """(name, role) of the members of a room, as Ann or another account sees them."""
        members, _ = self.harness.run(self.rooms.members(session or self.ann, room, "", 10))
        return list(members)

    def events(self) -> list[tuple[str, str, str]]:
        """The (sender, kind, body) of the entries of #room."""
        return [(sender, kind, body) for _, sender, kind, body in self.entries("#room")]
