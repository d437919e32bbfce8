"""How many rooms an account can create."""

from __future__ import annotations

from chatd.core.errors import LimitReached, RoomTaken
from tests.realm.rooms_case import RoomsCase


class RoomsMade(RoomsCase):
    """An account can create three rooms; a deleted room cannot be restored."""

    limits = {"rooms_made": 3, "deleted_room_time": 0}

    def create(self, name: str) -> None:
        """Ann creates a room."""
        self.run_now(self.rooms.create(self.ann, name, "", False))

    def test_further_rooms_are_refused(self) -> None:
        """Of one account; a room that has another owner by now counts, one that is deleted does
        not."""
        for name in ("#a", "#b", "#c"):
            self.create(name)
        self.run_now(self.rooms.join(self.bob, "#a"))
        self.run_now(self.rooms.set_role(self.ann, "#a", "bob", "owner"))
        refusal = self.refuse(LimitReached, self.rooms.create(self.ann, "#d", "", False))
        self.assertIn("at most 3 rooms", str(refusal))
        self.run_now(self.rooms.create(self.bob, "#e", "", False))
        self.run_now(self.rooms.delete(self.bob, "#a"))
        self.create("#d")
        self.refuse(LimitReached, self.rooms.create(self.ann, "#f", "", False))

    def test_requests_at_the_same_moment_do_not_pass_the_limit(self) -> None:
        """A hundred of them, of all sessions of the account."""
        self.store.eager = False
        requests = [
            self.begin(self.rooms.create(self.ann, f"#room{number}", "", False))
            for number in range(100)
        ]
        while not all(request.called for request in requests):
            self.store.release()
        self.store.eager = True
        refused = 0
        for request in requests:
            refused += request.addErrback(lambda failure: failure.trap(LimitReached)) is not None
        made = [room for room in self.ann.mailbox.memberships if room.startswith("#room")]
        self.assertEqual(len(made), 3)

    def test_room_that_was_refused_does_not_count(self) -> None:
        """Its name was taken."""
        self.run_now(self.rooms.create(self.bob, "#bobs", "", False))
        for _ in range(4):
            self.refuse(RoomTaken, self.rooms.create(self.ann, "#bobs", "", False))
        for name in ("#a", "#b", "#c"):
            self.create(name)
