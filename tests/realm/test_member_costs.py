"""What a change of a room asks of the store and of memory, whatever the number of members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatd.core.entries import Cursor
from chatd.realm import changes
from chatd.realm.membership import MemberRecord, MembershipRecord
from chatd.stores import Change, Position, Save
from tests.realm.case import AckRealmCase

_CALLS = ("get", "scan", "count", "list", "page", "positions", "read", "head")
"""the questions that a store can be asked"""


class MemberCosts(AckRealmCase):
    """Ann owns #room, of which bob and others are members; cyd is invited."""

    def costs(self, members: int) -> list[list[tuple[Any, ...]]]:
        """What each request asks of the store, in a room with so many other members: the names of
        the calls, with the bounds of listings and the changes of writes."""
        self.setUp()
        self.harness.register("cyd", "dee")
        self.create_room(self.ann, self.bob)
        self.run_now(self.realm.rooms.set_role(self.ann, "#room", "bob", "moderator"))
        id = self.run_now(self.realm.rooms.room("#room")).id
        rows: list[Change] = []
        for other in range(1, members + 1):
            rows += [
                changes.create(f"other{other}", MemberRecord(-other, 5), str(id)),
                changes.create(str(id), MembershipRecord("#room", 1), str(-other)),
                Save(Position(-other, self.log("#room"), Cursor())),
            ]
        self.store.write(rows)
        self.harness = self.harness.restart()
        self.realm = self.harness.realm
        self.ann, _ = self.login("Ann")
        self.bob, _ = self.login("bob")
        cyd, _ = self.login("cyd")
        rooms = self.realm.rooms
        asked: list[tuple[Any, ...]] = []
        self.record(asked)
        costs = []
        for request in (
            lambda: rooms.invite(self.ann, "#room", "cyd"),
            lambda: rooms.join(cyd, "#room"),
            lambda: rooms.set_role(self.ann, "#room", "cyd", "moderator"),
            lambda: rooms.kick(self.ann, "#room", "cyd"),
            lambda: self.realm.sessions.open("dee", self.harness.account("dee"), self.ann.peer),
            lambda: self.realm.sessions.open("bob", self.harness.account("bob"), self.ann.peer),
            lambda: rooms.leave(self.ann, "#room"),
            lambda: rooms.set_topic(self.bob, "#room", "news"),
            lambda: self.realm.delete(self.bob),
        ):
            self.run_now(request())
            costs.append(list(asked))
            asked.clear()
        return costs

    def record(self, asked: list[tuple[Any, ...]]) -> None:
        """Record the calls of the store."""
        write = self.store.write

        def recorded_write(steps: Sequence[Change]) -> Any:
            asked.append(("write", *(type(step).__name__ for step in steps)))
            return write(steps)

        self.patch(self.store, "write", recorded_write)
        for name in _CALLS:
            call = getattr(self.store, name)

            def recorded(*arguments: Any, name: str = name, call: Any = call) -> Any:
                bounds = [each for each in arguments if isinstance(each, int)]
                asked.append((name, *bounds))
                return call(*arguments)

            self.patch(self.store, name, recorded)

    def test_requests_cost_the_same_with_few_and_many_members(self) -> None:
        """Joining, leaving, inviting, roles, log-ins and deleting an account."""
        few, many = self.costs(3), self.costs(300)
        for number, (one, other) in enumerate(zip(few, many, strict=True)):
            self.assertTrue(one, number)
            self.assertEqual(one, other, number)
