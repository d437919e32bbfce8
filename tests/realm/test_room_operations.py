"""What operators may ask about rooms."""

from __future__ import annotations

from chatd.core.errors import NotAllowed, TopicTooLong, UnknownMember, UnknownRole, UnknownRoom
from chatd.realm.operations import Operations
from chatd.realm.page import Page
from chatd.realm.room_operations import DeletedRoomInfo, RoomInfo
from tests.realm.case import AckRealmCase


class RoomOperationsCase(AckRealmCase):
    """The private room #Garden of Ann, with the topic ``roses``, and the lobby; bob is in both."""

    def setUp(self) -> None:
        super().setUp()
        self.operations = Operations(self.realm)
        self.run_now(self.realm.rooms.start())
        self.run_now(self.realm.rooms.create(self.ann, "#Garden", "roses", True))
        self.run_now(self.realm.rooms.invite(self.ann, "#Garden", "bob"))
        for room in ("#Garden", "#lobby"):
            self.run_now(self.realm.rooms.join(self.bob, room))

    def last(self, room: str) -> tuple[str, str, str]:
        """The (sender, kind, body) of the last entry of a room."""
        return self.entries(room)[-1][1:]


class RoomOperations(RoomOperationsCase):
    """Listing, changing and deleting rooms."""

    def test_private_rooms_are_listed(self) -> None:
        """A room has its owner's name as first written; the lobby has no owner."""
        page = self.run_now(self.operations.rooms("*", "", 10))
        self.assertEqual([item.room for item in page.items], ["#Garden", "#lobby"])
        garden, lobby = page.items
        self.assertEqual(garden, RoomInfo("#Garden", garden.created, "roses", True, "Ann", 2))
        self.assertEqual(lobby, RoomInfo("#lobby", lobby.created, "", False, "", 1))
        self.assertEqual(
            self.run_now(self.operations.rooms("*", "", 1)), Page([garden], True, "#Garden")
        )

    def test_members_of_a_deleted_room_are_notified(self) -> None:
        """An operator can delete any room but the lobby."""
        self.assertEqual(self.run_now(self.operations.delete_room("#GARDEN")), "#Garden")
        self.assertEqual(self.ann_peer.rooms_left, [("#Garden", "deleted")])
        sentence = self.refuse(UnknownRoom, self.operations.delete_room("#garden"))
        self.assertEqual(sentence, "There is no room #garden.")
        self.assertEqual(self.run_now(self.operations.delete_room("#garden", True)), "#garden")
        self.refuse(UnknownRoom, self.operations.delete_room("#garden", True))
        sentence = self.refuse(NotAllowed, self.operations.delete_room("#LOBBY"))
        self.assertEqual(sentence, "#lobby cannot be deleted.")
        self.assertIn("#lobby", self.bob.subscriptions)

    def test_deleted_rooms_are_listed_in_pages_and_restored(self) -> None:
        """In the order of their deletion, also those that others deleted."""
        self.run_now(self.realm.rooms.create(self.bob, "#a", "", False))
        self.run_now(self.operations.delete_room("#garden"))
        self.harness.now += 5
        self.run_now(self.realm.rooms.leave(self.bob, "#a"))
        page = self.run_now(self.operations.deleted_rooms("", 1))
        self.assertTrue(page.more)
        (garden,) = page.items
        self.assertEqual((garden.room, garden.by, garden.members), ("#Garden", "server", 2))
        page = self.run_now(self.operations.deleted_rooms(page.last, 9))
        (other,) = page.items
        self.assertEqual(
            other,
            DeletedRoomInfo("#a", other.id, 6, "bob", 6 + 86_400_000, False, "bob", 1),
        )
        result = self.run_now(self.operations.restore_room("#garden"))
        self.assertEqual(result, ("#Garden", 2))
        self.assertEqual(self.last("#Garden"), ("server", "restore", ""))

    def test_members_get_the_roles_that_operators_set(self) -> None:
        """The former owner becomes a moderator; the room is shown the change."""
        result = self.run_now(self.operations.set_room_role("#GARDEN", "BOB", "owner"))
        self.assertEqual(result, ("#Garden", "bob"))
        self.assertEqual(self.last("#Garden"), ("server", "role", "bob owner"))
        self.assertEqual(self.ann_peer.logs["#garden"][-1][1:], ("server", "role", "bob owner"))
        members, _ = self.run_now(self.realm.rooms.members(self.bob, "#Garden", "", 9))
        self.assertEqual(members, [("Ann", "moderator"), ("bob", "owner")])

    def test_role_that_a_member_has_is_not_set_again(self) -> None:
        """Nothing is shown in the room."""
        before = self.entries("#Garden")
        self.run_now(self.operations.set_room_role("#Garden", "Ann", "owner"))
        self.assertEqual(self.entries("#Garden"), before)

    def test_owner_is_replaced_only(self) -> None:
        """A room has an owner as long as it has members."""
        sentence = self.refuse(
            UnknownRole, self.operations.set_room_role("#Garden", "ann", "member")
        )
        self.assertEqual(sentence, "Ann owns #Garden: make another member the owner first.")

    def test_roles_that_cannot_be_set(self) -> None:
        """The refusal names the room or the member that there is not."""
        for role in ("invited", "", "king"):
            self.refuse(UnknownRole, self.operations.set_room_role("#Garden", "bob", role))
        sentence = self.refuse(
            UnknownMember, self.operations.set_room_role("#Garden", "cyd", "owner")
        )
        self.assertEqual(sentence, "#Garden has no member cyd.")
        sentence = self.refuse(UnknownRoom, self.operations.set_room_role("#no", "bob", "owner"))
        self.assertEqual(sentence, "There is no room #no.")

    def test_lobby_has_moderators(self) -> None:
        """They set its topic, and kick members, but no other moderators; it has no owner."""
        rooms = self.realm.rooms
        for role in ("owner", "deputy"):
            self.refuse(NotAllowed, self.operations.set_room_role("#lobby", "bob", role))
        self.run_now(rooms.join(self.ann, "#lobby"))
        self.refuse(NotAllowed, rooms.set_topic(self.bob, "#lobby", "hello"))
        self.run_now(self.operations.set_room_role("#LOBBY", "bob", "moderator"))
        self.run_now(rooms.set_topic(self.bob, "#lobby", "hello"))
        self.refuse(NotAllowed, rooms.set_topic(self.ann, "#lobby", "bye"))
        self.refuse(NotAllowed, rooms.set_role(self.bob, "#lobby", "Ann", "moderator"))
        self.refuse(NotAllowed, rooms.delete(self.bob, "#lobby"))
        self.refuse(NotAllowed, rooms.set_private(self.bob, "#lobby", True))
        self.run_now(rooms.kick(self.bob, "#lobby", "Ann"))
        self.run_now(rooms.join(self.ann, "#lobby"))
        self.run_now(self.operations.set_room_role("#lobby", "Ann", "moderator"))
        sentence = self.refuse(NotAllowed, rooms.kick(self.bob, "#lobby", "Ann"))
        self.assertEqual(sentence, "A moderator of #lobby cannot be kicked.")
        self.run_now(self.operations.set_room_role("#lobby", "bob", "member"))
        self.refuse(NotAllowed, rooms.set_topic(self.bob, "#lobby", "x"))

    def test_moderator_of_the_lobby_loses_its_role_when_it_leaves(self) -> None:
        """No other member takes its place."""
        self.run_now(self.operations.set_room_role("#lobby", "bob", "moderator"))
        self.run_now(self.realm.rooms.join(self.ann, "#lobby"))
        self.run_now(self.realm.rooms.leave(self.bob, "#lobby"))
        self.run_now(self.realm.rooms.join(self.bob, "#lobby"))
        members, _ = self.run_now(self.realm.rooms.members(self.ann, "#lobby", "", 9))
        self.assertEqual(members, [("Ann", "member"), ("bob", "member")])

    def test_topic_is_set_and_removed(self) -> None:
        """The bound is that of members."""
        for topic in ("tulips", ""):
            self.assertEqual(
                self.run_now(self.operations.set_room_topic("#GARDEN", topic)), "#Garden"
            )
            self.assertEqual(self.last("#Garden"), ("server", "topic", topic))
            room = self.run_now(self.realm.rooms.room("#Garden"))
            self.assertEqual(room.record.topic, topic)
        self.refuse(TopicTooLong, self.operations.set_room_topic("#Garden", "x" * 257))
        self.refuse(UnknownRoom, self.operations.set_room_topic("#no", "x"))
