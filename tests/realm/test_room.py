"""The record of a room: roles, members, invitations, succession."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.room import INVITED, MEMBER, MODERATOR, OWNER, RoomRecord


class Records(SynchronousTestCase):
    """A room of Ann's, with the members bob, Cyd and dee; Cyd and dee are moderators, Eve is
    invited."""

    record = RoomRecord(
        1,
        "ann",
        members={"ann": "Ann", "bob": "bob", "cyd": "Cyd", "dee": "dee"},
        moderators=("dee", "cyd"),
        invited={"eve": "Eve"},
    )

    def roles(self, record: RoomRecord) -> dict[str, str]:
        """The role of each account."""
        return {name: record.role(name) for name in ("ann", "bob", "cyd", "dee", "eve", "fay")}

    def test_roles(self) -> None:
        """A name may have any spelling; an account outside the room has no role."""
        self.assertEqual(
            self.roles(self.record),
            {"ann": OWNER, "bob": MEMBER, "cyd": MODERATOR, "dee": MODERATOR, "eve": INVITED}
            | {"fay": ""},
        )
        self.assertEqual(self.record.role("CYD"), MODERATOR)

    def test_moderator_that_is_no_member_has_no_role(self) -> None:
        """Rights end with membership."""
        self.assertEqual(RoomRecord(1, "ann", moderators=("bob",)).role("bob"), "")
        self.assertEqual(RoomRecord(1, "ann").role("ann"), "")

    def test_invitation_ends_when_the_account_joins(self) -> None:
        """Members are in the order in which they joined."""
        record = self.record.with_member("Eve")
        self.assertEqual(list(record.members.values()), ["Ann", "bob", "Cyd", "dee", "Eve"])
        self.assertEqual((record.invited, record.role("eve")), ({}, MEMBER))

    def test_invitation(self) -> None:
        """An invitation has the name as first written."""
        record = self.record.with_invitation("Fay")
        self.assertEqual(record.invited, {"eve": "Eve", "fay": "Fay"})

    def test_member_or_invitation_is_removed(self) -> None:
        """A moderator loses its rights with its membership."""
        self.assertNotIn("bob", self.record.without("BOB").members)
        self.assertEqual(self.record.without("eve").invited, {})
        record = self.record.without("cyd")
        self.assertEqual(
            (record.moderators, record.with_member("Cyd").role("cyd")), (("dee",), MEMBER)
        )
        self.assertEqual(self.record.without("fay"), self.record)

    def test_owner_is_succeeded_by_the_moderator_who_joined_first(self) -> None:
        """The order in which accounts became moderators does not count."""
        record = self.record.without("ann")
        self.assertEqual((record.owner, record.moderators), ("cyd", ("dee",)))

    def test_owner_is_succeeded_by_the_first_member_without_moderators(self) -> None:
        """The last one to leave has no successor."""
        record = msgspec.structs.replace(self.record, moderators=()).without("ann")
        self.assertEqual(record.owner, "bob")
        for name in ("bob", "cyd", "dee"):
            record = record.without(name)
        self.assertEqual((record.owner, record.members), ("", {}))

    def test_roles_are_changed(self) -> None:
        """A moderator becomes a member, a member a moderator."""
        record = self.record.with_role("Cyd", MEMBER).with_role("Bob", MODERATOR)
        self.assertEqual((record.role("cyd"), record.role("bob")), (MEMBER, MODERATOR))
        self.assertEqual(record.with_role("bob", MODERATOR), record)

    def test_former_owner_becomes_a_moderator(self) -> None:
        """A room has at most one owner."""
        record = self.record.with_role("dee", OWNER)
        self.assertEqual((record.role("ann"), record.role("dee")), (MODERATOR, OWNER))
        self.assertEqual(record.with_role("dee", OWNER), record)

    def test_records_are_immutable(self) -> None:
        """A change makes another record, which a failed write cannot leave behind."""
        before = msgspec.msgpack.encode(self.record)
        self.record.with_member("x").with_invitation("y").with_role("bob", OWNER).without("cyd")
        self.assertEqual(msgspec.msgpack.encode(self.record), before)
