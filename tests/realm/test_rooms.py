"""Rooms: membership, the entries and notices that changes give, and their bounds."""

from __future__ import annotations

from typing import Any

from chatd.core.errors import (
    Blocked,
    IllegalRoom,
    LimitReached,
    NotAMember,
    NotLoggedIn,
    PatternTooLong,
    RoomTaken,
    StoreUnavailable,
    TopicTooLong,
    UnknownAccount,
    UnknownMember,
    UnknownRole,
    UnknownRoom,
)
from chatd.realm import changes
from chatd.realm import rooms as rooms_module
from chatd.realm.membership import InvitationRecord, InvitedRecord
from chatd.realm.room import Room
from chatd.realm.session import Session
from chatd.stores import SCAN_LIMIT
from chatd.stores.memory import MemoryStore
from tests.doubles.realm import Text
from tests.doubles.stores import flush_unavailable
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


class Creating(RoomsCase):
    """Creating a room."""

    limits = {"rooms": 2, "topic": 5}

    def test_creator_is_the_owner_and_first_member(self) -> None:
        """Its first entry says that it has joined."""
        room = self.run_now(self.rooms.create(self.ann, "#Room", "topic", False))
        self.assertEqual((room.display_name, room.name), ("#Room", "#room"))
        self.assertEqual((room.log, room.record.topic), (f"#{room.id}", "topic"))
        self.assertEqual(self.members(), [("Ann", "owner")])
        self.assertEqual(self.events(), [("Ann", "join", "")])

    def test_name_is_taken_in_all_spellings(self) -> None:
        """The room stays as it is."""
        self.create_room(self.ann)
        self.refuse(RoomTaken, self.rooms.create(self.bob, "#ROOM", "", True))
        self.assertEqual(self.members(self.bob), [("Ann", "owner")])
        self.assertEqual(self.bob.mailbox.memberships, {})

    def test_one_of_two_concurrent_creations_succeeds(self) -> None:
        """The other account does not become a member."""
        self.store.eager = False
        first = self.begin(self.rooms.create(self.ann, "#room", "", False))
        second = self.begin(self.rooms.create(self.bob, "#ROOM", "", False))
        self.harness.settle()
        self.successResultOf(first)
        self.failureResultOf(second, RoomTaken)
        self.store.eager = True
        self.assertEqual(self.members(), [("Ann", "owner")])
        self.assertNotIn("#room", self.bob.subscriptions)
        self.assertEqual(self.bob.mailbox.memberships, {})

    def test_illegal_name_and_long_topic_are_refused(self) -> None:
        """Nothing is stored."""
        for name in ("room", "#", "# x", "#" + "x" * 40):
            self.refuse(IllegalRoom, self.rooms.create(self.ann, name, "", False))
        sentence = self.refuse(TopicTooLong, self.rooms.create(self.ann, "#room", "x" * 6, False))
        self.assertEqual(sentence, "topic too long: 6 characters, the limit is 5")
        self.refuse(UnknownRoom, self.rooms.room("#room"))

    def test_account_is_a_member_of_a_limited_number_of_rooms(self) -> None:
        """Rooms that it created and rooms that it joined count; leaving one makes room."""
        self.run_now(self.rooms.create(self.bob, "#b", "", False))
        for room in ("#x", "#y"):
            self.run_now(self.rooms.create(self.ann, room, "", False))
        self.refuse(LimitReached, self.rooms.create(self.ann, "#z", "", False))
        self.refuse(LimitReached, self.rooms.join(self.ann, "#b"))
        self.run_now(self.rooms.leave(self.ann, "#x"))
        self.run_now(self.rooms.join(self.ann, "#b"))


class Joining(RoomsCase):
    """Joining and leaving."""

    def test_member_is_shown_what_is_sent_after_it_joined(self) -> None:
        """The first entry that a new member is shown is its own joining."""
        self.create_room(self.ann)
        self.send(self.ann, "#room", "before")
        self.run_now(self.rooms.join(self.bob, "#Room"))
        self.send(self.ann, "#room", "after")
        self.assertEqual(
            self.bob_peer.logs["#room"], [(3, "bob", "join", ""), (4, "Ann", "text", "after")]
        )

    def test_all_devices_of_a_new_member_follow_the_room(self) -> None:
        """The devices that did not send the request are notified."""
        self.create_room(self.ann)
        other, other_peer = self.login("bob")
        self.run_now(self.rooms.join(self.bob, "#room"))
        self.assertIn("#room", other.subscriptions)
        self.assertEqual((self.bob_peer.rooms_joined, other_peer.rooms_joined), ([], ["#room"]))

    def test_member_that_joins_again_changes_nothing(self) -> None:
        """No entry is appended."""
        self.create_room(self.ann)
        room = self.run_now(self.rooms.join(self.ann, "#room"))
        self.assertIs(room, self.rooms.loaded("#room"))
        self.assertEqual(self.events(), [("Ann", "join", "")])

    def test_unknown_room_is_refused(self) -> None:
        """Private rooms are unknown to accounts that are not invited."""
        self.create_room(self.ann, private=True)
        for room in ("#room", "#nemo", "bob", ""):
            self.refuse(UnknownRoom, self.rooms.join(self.bob, room))

    def test_failed_join_leaves_no_trace(self) -> None:
        """Neither membership nor position is stored; a later attempt succeeds."""
        self.create_room(self.ann)
        self.store.writable = False
        self.refuse(StoreUnavailable, self.rooms.join(self.bob, "#room"))
        self.assertEqual(self.bob.mailbox.memberships, {})
        self.assertNotIn("#room", self.bob.subscriptions)
        self.store.writable = True
        self.harness.runner.clock.advance(2)
        self.assertEqual(self.members(), [("Ann", "owner")])
        self.run_now(self.rooms.join(self.bob, "#room"))
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "member")])
        flush_unavailable(self)

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


class Changing(RoomsCase):
    """Topic, access, roles, invitations, kicks and deletion. Ann owns #room, bob is a member."""

    def setUp(self) -> None:
        super().setUp()
        self.create_room(self.ann, self.bob)

    def test_changes_are_entries_of_the_room(self) -> None:
        """Members are shown what changed, and who changed it."""
        self.run_now(self.rooms.set_topic(self.ann, "#room", "roses"))
        self.run_now(self.rooms.set_private(self.ann, "#room", True))
        self.run_now(self.rooms.set_private(self.ann, "#room", False))
        self.run_now(self.rooms.set_role(self.ann, "#room", "BOB", "moderator"))
        self.assertEqual(
            self.events()[2:],
            [
                ("Ann", "topic", "roses"),
                ("Ann", "access", "private"),
                ("Ann", "access", "public"),
                ("Ann", "role", "bob moderator"),
            ],
        )
        room = self.harness.run(self.rooms.room("#room"))
        self.assertEqual((room.record.topic, room.record.private), ("roses", False))

    def test_changes_survive_a_restart(self) -> None:
        """Each change has been stored when the call returns."""
        self.run_now(self.rooms.set_topic(self.ann, "#room", "roses"))
        self.run_now(self.rooms.set_role(self.ann, "#room", "bob", "owner"))
        harness = self.harness.restart()
        room: Room = harness.run(harness.realm.rooms.room("#room"))
        self.assertEqual((room.record.topic, room.record.owner_name), ("roses", "bob"))
        self.assertEqual(room.record.member_role(self.bob.account), "owner")
        self.assertEqual(room.record.member_role(self.ann.account), "moderator")
        self.assertEqual((room.head, room.members), (4, 2))

    def test_unknown_role_is_refused(self) -> None:
        """An owner cannot leave a room without an owner, either."""
        for role in ("invited", "king", ""):
            self.refuse(UnknownRole, self.rooms.set_role(self.ann, "#room", "bob", role))
        self.refuse(UnknownRole, self.rooms.set_role(self.ann, "#room", "Ann", "member"))
        self.run_now(self.rooms.set_role(self.ann, "#room", "Ann", "owner"))
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "member")])

    def test_invited_account_is_notified_in_its_mailbox(self) -> None:
        """The room has the invitation once, however often the account is invited."""
        self.harness.register("Cyd")
        for _ in range(2):
            self.run_now(self.rooms.invite(self.bob, "#ROOM", "cyd"))
        self.assertEqual(
            self.entries("@cyd"), [(1, "bob", "invite", "#room"), (2, "bob", "invite", "#room")]
        )
        self.assertEqual(self.members()[1:], [("bob", "member"), ("Cyd", "invited")])
        self.assertEqual(self.members(self.bob)[1:], [("bob", "member")])

    def test_members_are_not_invited(self) -> None:
        """Nothing is appended."""
        self.run_now(self.rooms.invite(self.ann, "#room", "bob"))
        self.assertEqual(self.entries("@bob"), [])

    def test_invitation_of_an_unknown_or_blocking_account_is_refused(self) -> None:
        """The room does not change."""
        self.harness.register("cyd")
        cyd, _ = self.login("cyd")
        self.run_now(self.realm.blocking.set_blocked(cyd, "ann", True))
        self.refuse(Blocked, self.rooms.invite(self.ann, "#room", "cyd"))
        self.refuse(UnknownAccount, self.rooms.invite(self.ann, "#room", "nemo"))
        self.assertEqual(len(self.members()), 2)

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

    def test_members_of_a_deleted_room_are_notified(self) -> None:
        """Its history is deleted with it."""
        self.run_now(self.rooms.delete(self.ann, "#room"))
        for peer in (self.ann_peer, self.bob_peer):
            self.assertEqual(peer.rooms_left, [("#room", "deleted")])
        self.assertEqual(self.entries("#room"), [])
        self.refuse(UnknownRoom, self.rooms.join(self.bob, "#room"))

    def test_failed_change_leaves_the_room_as_it_was(self) -> None:
        """No entry is appended for a change that was not stored."""
        before = self.events()
        self.store.writable = False
        self.refuse(StoreUnavailable, self.rooms.set_topic(self.ann, "#room", "roses"))
        self.store.writable = True
        self.assertEqual(self.events(), before)
        self.assertEqual(self.harness.run(self.rooms.room("#room")).record.topic, "")
        flush_unavailable(self)


class Listing(RoomsCase):
    """Finding rooms and members."""

    def setUp(self) -> None:
        """Four rooms of Ann's, of which #b is private."""
        super().setUp()
        for room in ("#d", "#B", "#a", "#c"):
            self.run_now(self.rooms.create(self.ann, room, "", room == "#B"))

    def find(
        self, session: Session | None, pattern: str, after: str, limit: int
    ) -> tuple[list[str], bool, str]:
        """The names of a page of rooms, whether there may be more, and where the next begins."""
        rooms, more, last = self.harness.run(self.rooms.find(session, pattern, after, limit))
        return [room.display_name for room, _ in rooms], more, last

    def test_rooms_are_found_in_alphabetical_order(self) -> None:
        """Private rooms are found by their members and by operators."""
        self.assertEqual(self.find(self.ann, "*", "", 3), (["#a", "#B", "#c"], True, "#c"))
        self.assertEqual(self.find(self.ann, "*", "#c", 3), (["#d"], False, "#d"))
        self.assertEqual(self.find(self.bob, "*", "", 3), (["#a", "#c"], True, "#c"))
        self.assertEqual(self.find(None, "#B", "", 3), (["#B"], False, "#B"))
        self.assertEqual(self.find(self.ann, "*", "#d", 3), ([], False, "#d"))

    def test_invited_account_finds_private_rooms(self) -> None:
        """With its role, also in public rooms."""
        for room in ("#B", "#c"):
            self.run_now(self.rooms.invite(self.ann, room, "bob"))
        rooms, _, _ = self.harness.run(self.rooms.find(self.bob, "*", "", 5))
        roles = {room.display_name: role for room, role in rooms}
        self.assertEqual(roles, {"#a": "", "#B": "invited", "#c": "invited", "#d": ""})

    def test_account_with_very_many_invitations_finds_private_rooms(self) -> None:
        """Those that one question does not return are found, too."""
        scope = str(self.bob.account)
        self.store.write(
            [changes.create(str(room), InvitedRecord("#x"), scope) for room in range(SCAN_LIMIT)]
        )
        self.run_now(self.rooms.invite(self.ann, "#B", "bob"))
        self.assertEqual(self.find(self.bob, "#B", "", 3), (["#B"], False, "#B"))

    def test_roles_in_all_rooms_of_a_page_are_one_question(self) -> None:
        """It is one round trip to the store, however many rooms the page has."""
        self.find(self.bob, "*", "", 200)
        asked: list[str] = []

        def scan(kind: str, *args: Any) -> Any:
            asked.append(kind)
            return MemoryStore.scan(self.store, kind, *args)

        def get(kind: str, *args: Any) -> Any:
            asked.append(kind)
            return MemoryStore.get(self.store, kind, *args)

        self.patch(self.store, "scan", scan)
        self.patch(self.store, "get", get)
        self.find(self.bob, "*", "", 200)
        self.assertEqual(asked, [InvitedRecord.document_kind])

    def test_account_that_is_deleted_meanwhile_finds_no_rooms(self) -> None:
        """A later account of its name is another one."""
        self.store.eager = False
        finding = self.begin(self.rooms.find(self.bob, "*", "", 3))
        self.store.release()
        self.bob.mailbox.deleted = True
        self.store.release()
        self.failureResultOf(finding, NotLoggedIn)

    def test_long_pattern_is_refused(self) -> None:
        """The bound is that of patterns of account names."""
        self.refuse(PatternTooLong, self.rooms.find(self.ann, "*" * 257, "", 3))

    def test_members_are_listed_in_alphabetical_order(self) -> None:
        """Moderators are also shown the invited accounts."""
        self.harness.register("Cyd")
        self.run_now(self.rooms.join(self.bob, "#a"))
        self.run_now(self.rooms.invite(self.ann, "#a", "Cyd"))
        page, more = self.harness.run(self.rooms.members(self.ann, "#a", "", 2))
        self.assertEqual((page, more), ([("Ann", "owner"), ("bob", "member")], True))
        page, more = self.harness.run(self.rooms.members(self.ann, "#a", "BOB", 2))
        self.assertEqual((page, more), ([("Cyd", "invited")], False))


class Cache(RoomsCase):
    """The bound on rooms in memory."""

    def test_rooms_that_no_session_follows_are_evicted_over_the_bound(self) -> None:
        """They are loaded again when they are needed."""
        self.patch(rooms_module, "_CACHED", 2)
        self.create_room(self.ann)
        self.harness.run(self.realm.start())
        self.harness.run(self.rooms.load(["#lobby"]))
        self.run_now(self.rooms.create(self.ann, "#new", "", False))
        self.assertIsNone(self.rooms.loaded("#lobby"))
        self.assertIsNotNone(self.rooms.loaded("#room"))
        self.assertNotIn("#lobby", self.realm.delivery.live_logs)
        self.run_now(self.rooms.join(self.bob, "#lobby"))
        self.assertEqual(self.members(room="#lobby"), [("bob", "member")])


class RoomsInMemory(RoomsCase):
    """Rooms that no session follows, where only one may stay in memory."""

    def setUp(self) -> None:
        """#a is in memory, #b and #c are not."""
        super().setUp()
        for name in ("#a", "#b", "#c"):
            self.run_now(self.rooms.create(self.ann, name, "", False))
            self.ann.unsubscribe(name)
        self.patch(rooms_module, "_CACHED", 1)
        self.run_now(self.rooms.load(("#none",)))
        self.run_now(self.rooms.load(("#a",)))
        self.assertIsNone(self.rooms.loaded("#b"))
        self.store.eager = False

    def test_rooms_stay_in_memory_until_they_are_all_loaded(self) -> None:
        """Also if another request loads a room meanwhile."""
        other = self.begin(self.rooms.load(("#c",)))
        self.store.release()
        loading = self.begin(self.rooms.load(("#a", "#b")))
        self.store.release()
        self.successResultOf(other)
        self.assertNoResult(loading)
        self.store.release()
        rooms = self.successResultOf(loading)
        self.assertEqual([room.name for room in rooms], ["#a", "#b"])
        self.assertEqual([self.rooms.loaded(room.name) for room in rooms], rooms)
        self.assertIsNone(self.rooms.loaded("#c"))

    def test_room_stays_in_memory_while_its_change_is_considered_again(self) -> None:
        """The deletion of #a is refused, since its topic has changed; #b is loaded meanwhile."""
        room = self.rooms.loaded("#a")
        loading = self.begin(self.rooms.load(("#b",)))
        changing = self.begin(self.rooms.set_topic(self.ann, "#a", "news"))
        deleting = self.begin(self.rooms.delete_by_operator("#a"))
        self.store.release()
        self.successResultOf(changing)
        self.store.release()
        self.successResultOf(loading)
        self.assertNoResult(deleting)
        self.assertIs(self.rooms.loaded("#a"), room)
        self.store.release()
        self.successResultOf(deleting)
        self.assertIsNone(self.rooms.loaded("#a"))
