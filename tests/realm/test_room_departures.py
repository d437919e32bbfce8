"""Leaving rooms, removing members, deleting rooms, and what is done with their names at the same
moment."""

from __future__ import annotations

from chatd.core.errors import NotAllowed, NotAMember, UnknownMember, UnknownRoom
from chatd.realm import changes, room_departures
from chatd.realm.membership import InvitationRecord, InvitedRecord
from tests.doubles.realm import Text
from tests.realm.case import AckRealmCase
from tests.realm.rooms_case import RoomsCase


class Leaving(RoomsCase):
    """Members leave, and the last one deletes the room."""

    def test_account_that_left_is_shown_nothing_more(self) -> None:
        """All its devices are notified; the other members are shown that it left."""
        self.create_room(self.ann, self.bob)
        _, other_peer = self.login("bob")
        self.run_now(self.rooms.leave(self.bob, "#ROOM"))
        self.assertEqual(self.events()[-1], ("bob", "leave", ""))
        for peer in (self.bob_peer, other_peer):
            self.assertEqual(peer.rooms_left, [("#room", "left")])
        self.assertNotIn((3, "bob", "leave", ""), self.bob_peer.logs["#room"])
        self.assertIn((3, "bob", "leave", ""), self.ann_peer.logs["#room"])
        self.refuse(NotAMember, self.rooms.leave(self.bob, "#room"))

    def test_room_is_deleted_when_its_last_member_leaves(self) -> None:
        """Its history is deleted, too: the next room of the name begins with seq 1."""
        self.create_room(self.ann)
        self.send(self.ann, "#room", "x")
        self.run_now(self.rooms.leave(self.ann, "#room"))
        self.refuse(UnknownRoom, self.rooms.room("#room"))
        self.create_room(self.bob)
        self.assertEqual(self.entries("#room"), [(1, "bob", "join", "")])

    def test_owner_is_succeeded_by_the_moderator_who_joined_first(self) -> None:
        """The order in which accounts became moderators does not count; without moderators it is
        the member who joined first."""
        sessions = [self.ann, self.bob]
        for name in ("cyd", "dee"):
            self.harness.register(name)
            sessions.append(self.login(name)[0])
        self.create_room(self.ann)
        for session in sessions[1:]:
            self.harness.now += 1
            self.run_now(self.rooms.join(session, "#room"))
        for member in ("dee", "cyd"):
            self.run_now(self.rooms.set_role(self.ann, "#room", member, "moderator"))
        for leaving, owner in (
            (self.ann, "cyd"),
            (sessions[2], "dee"),
            (sessions[3], "bob"),
        ):
            self.run_now(self.rooms.leave(leaving, "#room"))
            room = self.harness.run(self.rooms.room("#room"))
            self.assertEqual(room.record.owner_name, owner)
        self.assertEqual(self.members(self.bob), [("bob", "owner")])

    def test_role_ends_with_the_membership(self) -> None:
        """A moderator that joins again is a member."""
        self.create_room(self.ann, self.bob)
        self.run_now(self.rooms.set_role(self.ann, "#room", "bob", "moderator"))
        self.run_now(self.rooms.leave(self.bob, "#room"))
        self.run_now(self.rooms.join(self.bob, "#room"))
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "member")])

    def test_lobby_stays_without_members(self) -> None:
        """It has no owner, also when it has one member."""
        self.harness.run(self.realm.start())
        self.run_now(self.rooms.join(self.ann, "#lobby"))
        self.assertEqual(self.members(room="#lobby"), [("Ann", "member")])
        self.run_now(self.rooms.leave(self.ann, "#lobby"))
        self.assertEqual(self.members(room="#lobby"), [])


class Removing(RoomsCase):
    """Members and invitations are removed by a moderator."""

    def setUp(self) -> None:
        super().setUp()
        self.create_room(self.ann, self.bob)

    def test_kicked_member_is_notified_and_follows_no_more(self) -> None:
        """The room is shown who was kicked, by its name as first written."""
        self.run_now(self.rooms.kick(self.ann, "#room", "BOB"))
        self.assertEqual(self.bob_peer.rooms_left, [("#room", "kicked")])
        self.assertEqual(self.events()[-1], ("Ann", "kick", "bob"))
        self.refuse(NotAMember, self.realm.deliver(self.bob, Text("bob", "#room", "x")))
        self.refuse(UnknownMember, self.rooms.kick(self.ann, "#room", "bob"))

    def test_kicked_member_cannot_return_by_an_old_invitation(self) -> None:
        """One that was stored while the account joined is withdrawn with the membership."""
        self.run_now(self.rooms.set_private(self.ann, "#room", True))
        room, account = self.run_now(self.rooms.room("#room")), self.bob.account
        invitation = [
            changes.create("bob", InvitationRecord(account), room.scope),
            changes.create(room.scope, InvitedRecord("#room"), str(account)),
        ]
        self.result(self.realm.documents.write(invitation))
        self.run_now(self.rooms.kick(self.ann, "#room", "bob"))
        self.refuse(UnknownRoom, self.rooms.join(self.bob, "#room"))

    def test_withdrawn_invitation_gives_no_entry(self) -> None:
        """The account cannot join a private room with it any more."""
        self.harness.register("cyd")
        cyd, _ = self.login("cyd")
        self.run_now(self.rooms.set_private(self.ann, "#room", True))
        self.run_now(self.rooms.invite(self.ann, "#room", "cyd"))
        before = self.events()
        self.run_now(self.rooms.kick(self.ann, "#room", "Cyd"))
        self.assertEqual(self.events(), before)
        self.refuse(UnknownRoom, self.rooms.join(cyd, "#room"))

    def test_room_is_not_deleted_by_a_former_owner(self) -> None:
        """Another session gives the room away at the same moment."""
        other, _ = self.login("Ann")
        self.store.eager = False
        giving = self.begin(self.rooms.set_role(other, "#room", "bob", "owner"))
        self.store.release()
        deleting = self.begin(self.rooms.delete(self.ann, "#room"))
        self.harness.settle()
        self.store.eager = True
        self.successResultOf(giving)
        self.failureResultOf(deleting, NotAllowed)
        self.assertEqual(self.members(), [("Ann", "moderator"), ("bob", "owner")])

    def test_members_of_a_deleted_room_are_notified(self) -> None:
        """Its history is deleted with it."""
        self.run_now(self.rooms.delete(self.ann, "#room"))
        for peer in (self.ann_peer, self.bob_peer):
            self.assertEqual(peer.rooms_left, [("#room", "deleted")])
        self.assertEqual(self.entries("#room"), [])
        self.refuse(UnknownRoom, self.rooms.join(self.bob, "#room"))


class RoomDeletion(AckRealmCase):
    """Ann and Bob are members."""

    def test_name_is_used_again_before_all_members_are_notified(self) -> None:
        """A session that was not notified yet follows the new room from then on."""
        self.patch(room_departures, "_AT_ONCE", 1)
        self.create_room(self.ann, self.bob)
        deleted = self.begin(self.realm.rooms.delete(self.ann, "#room"))
        self.harness.settle()
        self.assertNoResult(deleted)
        self.run_now(self.realm.rooms.create(self.bob, "#room", "", False))
        self.harness.runner.clock.advance(0)
        self.successResultOf(deleted)
        self.assertEqual(self.bob_peer.rooms_left, [("#room", "deleted")])
        self.send(self.bob, "#room", "hello")
        self.assertEqual(self.bob_peer.logs["#room"][-1][-1], "hello")
        self.run_now(self.realm.rooms.join(self.ann, "#room"))
        self.assertEqual(self.ann_peer.rooms_left, [("#room", "deleted")])
