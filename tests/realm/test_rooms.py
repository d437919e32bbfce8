"""Rooms: creating, joining and changing them, with the entries that this gives, and finding."""

from __future__ import annotations

from typing import Any

from chatd.core.errors import (
    Blocked,
    IllegalRoom,
    LimitReached,
    NotLoggedIn,
    PatternTooLong,
    RoomTaken,
    StoreUnavailable,
    TopicTooLong,
    UnknownAccount,
    UnknownRole,
    UnknownRoom,
)
from chatd.core.limits import Limits
from chatd.realm import changes
from chatd.realm.membership import InvitedRecord
from chatd.realm.room import Room, RoomRecord
from chatd.realm.session import Session
from chatd.stores import SCAN_LIMIT
from chatd.stores.memory import MemoryStore
from tests.doubles.stores import flush_unavailable
from tests.realm.rooms_case import RoomsCase


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

    def test_entry_about_a_change_is_stored_with_it(self) -> None:
        """A kill leaves both, or neither."""
        self.store.eager = False
        self.begin(self.rooms.set_topic(self.ann, "#room", "roses"))
        self.store.release()
        self.store.crash()
        self.store.eager = True
        record = self.result(self.realm.documents.get(RoomRecord, "#room")).record
        self.assertEqual((record.topic, self.events()[-1]), ("roses", ("Ann", "topic", "roses")))

    def test_names_of_rooms_are_tried_slowly(self) -> None:
        """A name that is taken, perhaps by a private room, is charged as a second's requests; the
        refusal is the same for all rooms."""
        self.run_now(self.rooms.create(self.ann, "#secret", "", True))
        before = self.bob_peer.charged
        sentences = {
            self.refuse(RoomTaken, self.rooms.create(self.bob, name, "", False))
            for name in ("#secret", "#room")
        }
        self.assertEqual(len(sentences), 1)
        self.assertEqual(self.bob_peer.charged - before, 2 * (Limits().rate or 0.0))
        self.run_now(self.rooms.create(self.bob, "#free", "", False))
        self.assertEqual(self.bob_peer.charged - before, 2 * (Limits().rate or 0.0))

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
        self.assertEqual(self.find(self.bob, "*", "", 3), (["#a", "#c", "#d"], True, "#d"))
        self.assertEqual(self.find(None, "#B", "", 3), (["#B"], False, "#B"))
        self.assertEqual(self.find(self.ann, "*", "#d", 3), ([], False, "#d"))

    def test_private_rooms_do_not_show_in_the_pages_of_others(self) -> None:
        """The pages are what they would be without these rooms, and their names are in none."""
        for room in ("#b1", "#b2", "#e"):
            self.run_now(self.rooms.create(self.ann, room, "", True))
        self.assertEqual(self.find(self.bob, "*", "", 1), (["#a"], True, "#a"))
        self.assertEqual(self.find(self.bob, "*", "#a", 1), (["#c"], True, "#c"))
        self.assertEqual(self.find(self.bob, "#[abe]*", "", 2), (["#a"], False, "#a"))
        self.assertEqual(self.find(self.bob, "#b*", "#a", 2), ([], False, "#a"))

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
