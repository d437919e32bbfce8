"""The record of a room: roles, and who succeeds an owner."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.room import DEPUTY, MEMBER, MODERATOR, OWNER, RoomRecord

ANN, BOB, CYD, DEE = range(1, 5)


class Records(SynchronousTestCase):
    """A room of Ann's; Cyd and dee are moderators, all others that ask are members."""

    record = RoomRecord(1, 9, owner=ANN, owner_name="Ann", moderators={DEE: "dee", CYD: "Cyd"})

    def roles(self, record: RoomRecord) -> list[str]:
        """The role of each account."""
        return [record.member_role(account) for account in (ANN, BOB, CYD, DEE)]

    def test_roles(self) -> None:
        """Every member that is neither the owner nor a moderator is a member."""
        self.assertEqual(self.roles(self.record), [OWNER, MEMBER, MODERATOR, MODERATOR])

    def test_room_without_owner(self) -> None:
        """No account has the id 0."""
        self.assertEqual(self.roles(RoomRecord(1, 9)), [MEMBER] * 4)

    def test_moderator_loses_its_role(self) -> None:
        """The owner stays; an account without a role changes nothing."""
        record = self.record.without(CYD)
        self.assertEqual((record.owner, record.moderators), (ANN, {DEE: "dee"}))
        self.assertEqual(self.record.without(BOB), self.record)
        self.assertEqual(self.record.without(BOB, DEE, "dee"), self.record)

    def test_owner_is_succeeded(self) -> None:
        """The successor is no moderator any more; it may have been a member."""
        record = self.record.without(ANN, CYD, "Cyd")
        self.assertEqual((record.owner, record.owner_name), (CYD, "Cyd"))
        self.assertEqual(record.moderators, {DEE: "dee"})
        record = self.record.without(ANN, BOB, "bob")
        self.assertEqual((record.owner, record.owner_name), (BOB, "bob"))
        self.assertEqual(record.moderators, self.record.moderators)

    def test_owner_without_successor(self) -> None:
        """The room has no owner then."""
        record = self.record.without(ANN)
        self.assertEqual((record.owner, record.owner_name), (0, ""))

    def test_roles_are_changed(self) -> None:
        """A moderator becomes a member, a member a moderator."""
        record = self.record.with_role(CYD, "Cyd", MEMBER).with_role(BOB, "Bob", MODERATOR)
        self.assertEqual(self.roles(record), [OWNER, MODERATOR, MEMBER, MODERATOR])
        self.assertEqual(record.with_role(BOB, "Bob", MODERATOR).moderators, record.moderators)

    def test_former_owner_becomes_a_moderator(self) -> None:
        """A room has at most one owner."""
        record = self.record.with_role(DEE, "dee", OWNER)
        self.assertEqual(self.roles(record), [MODERATOR, MEMBER, MODERATOR, OWNER])
        self.assertEqual(record.owner_name, "dee")
        self.assertEqual(record.with_role(DEE, "dee", OWNER), record)

    def test_deputy(self) -> None:
        """A member has one role; a deputy that becomes the owner is no deputy any more."""
        record = self.record.with_role(BOB, "Bob", DEPUTY).with_role(DEE, "dee", DEPUTY)
        self.assertEqual(self.roles(record), [OWNER, DEPUTY, MODERATOR, DEPUTY])
        self.assertEqual(record.moderators, {CYD: "Cyd"})
        for other in (record.with_role(BOB, "Bob", OWNER), record.without(ANN, BOB, "Bob")):
            self.assertEqual((other.owner, other.deputies), (BOB, {DEE: "dee"}))
        self.assertEqual(record.with_role(DEE, "dee", MODERATOR).deputies, {BOB: "Bob"})
        self.assertEqual(record.without(BOB).deputies, {DEE: "dee"})

    def test_record_of_an_older_version(self) -> None:
        """It has no deputies."""
        body = msgspec.msgpack.encode((1, 9, "t", True, ANN, "Ann", {DEE: "dee"}, "all"))
        record = msgspec.msgpack.decode(body, type=RoomRecord)
        self.assertEqual((record.moderators, record.deputies), ({DEE: "dee"}, {}))

    def test_first_owner_of_a_room_without_one(self) -> None:
        """There is no former owner to become a moderator."""
        record = RoomRecord(1, 9).with_role(BOB, "bob", OWNER)
        self.assertEqual((record.owner, record.moderators), (BOB, {}))

    def test_records_are_immutable(self) -> None:
        """A change makes another record, which a failed write cannot leave behind."""
        before = msgspec.msgpack.encode(self.record)
        self.record.with_role(BOB, "bob", OWNER).without(CYD).without(BOB, DEE, "dee")
        self.assertEqual(msgspec.msgpack.encode(self.record), before)

    def test_record_is_decoded_as_it_was_encoded(self) -> None:
        """The ids of moderators are integers."""
        body = msgspec.msgpack.encode(self.record)
        self.assertEqual(msgspec.msgpack.decode(body, type=RoomRecord), self.record)
