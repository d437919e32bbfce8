"""The number of members of a room, which is counted once and changed with each of them."""

from __future__ import annotations

from tests.realm.case import AckRealmCase


class MemberCount(AckRealmCase):
    """Ann creates a room, and Bob joins and leaves it."""

    def members(self) -> int:
        """The number of members of #room."""
        members: int = self.run_now(self.realm.rooms.room("#room")).members
        return members

    def test_number_of_members(self) -> None:
        """It is right after each change, and when the room is loaded again."""
        rooms = self.realm.rooms
        self.create_room(self.ann)
        self.assertEqual(self.members(), 1)
        self.run_now(rooms.join(self.bob, "#room"))
        self.run_now(rooms.join(self.bob, "#room"))
        self.assertEqual(self.members(), 2)
        self.run_now(rooms.leave(self.bob, "#room"))
        self.assertEqual(self.members(), 1)
        self.run_now(rooms.join(self.bob, "#room"))
        self.run_now(rooms.kick(self.ann, "#room", "bob"))
        self.assertEqual(self.members(), 1)
        self.run_now(rooms.join(self.bob, "#room"))
        self.run_now(self.realm.delete(self.ann))
        self.assertEqual(self.members(), 1)
        self.harness = self.harness.restart()
        self.realm = self.harness.realm
        self.assertEqual(self.members(), 1)
