"""Deleted rooms: what is left of them, restoring them, and removing them."""

from __future__ import annotations

from chatd.core.entries import Cursor
from chatd.core.errors import (
    Banned,
    Busy,
    IllegalRoom,
    NotAMember,
    Refused,
    RoomTaken,
    UnknownAccount,
    UnknownLog,
    UnknownMember,
    UnknownRoom,
)
from chatd.core.names import deleted_room_log
from chatd.realm import changes, room_departures
from chatd.realm.deleted_rooms import INTERVAL_SECONDS
from chatd.realm.membership import MemberRecord
from chatd.realm.room import Room
from chatd.stores import CreateLog, Position
from tests.doubles.realm import Text
from tests.doubles.rows import check_rows
from tests.realm.rooms_case import RoomsCase

DAY = 86_400_000


class DeletedRoomsCase(RoomsCase):
    """Ann and bob are members of #room, with three texts; cyd is not."""

    private = False

    def setUp(self) -> None:
        super().setUp()
        self.harness.register("cyd")
        self.cyd, self.cyd_peer = self.login("cyd")
        self.create_room(self.ann, self.bob, private=self.private)
        self.send(self.ann, "#room", "one", "two")
        self.send(self.bob, "#room", "three")
        self.room: Room = self.run_now(self.rooms.room("#room"))

    def tearDown(self) -> None:
        self.harness.settle()
        check_rows(self.store)
        super().tearDown()

    def restore(self, new_name: str = "", owner: str = "", id: int = 0) -> Room:
        """Restore #room."""
        room: Room = self.run_now(self.rooms.restore("#room", id, new_name, owner))
        return room

    def refuse_restoring(
        self, refusal: type[Refused], new_name: str = "", owner: str = "", id: int = 0
    ) -> str:
        """The sentence with which a request to restore #room is refused."""
        return self.refuse(refusal, self.rooms.restore("#room", id, new_name, owner))

    def deleted(self) -> list[str]:
        """The names of the deleted rooms that can be restored."""
        rows = self.run_now(self.rooms.deleted("", 100))
        return [row.record.name for row in rows]


class Deleting(DeletedRoomsCase):
    """What clients can reach of a deleted room."""

    def test_nothing_can_be_reached(self) -> None:
        """Neither the room, nor its log, nor a membership: by its members or by others."""
        log = self.room.log
        self.run_now(self.rooms.delete(self.ann, "#room"))
        for session in (self.ann, self.bob):
            self.assertEqual(session.mailbox.memberships, {})
            self.refuse(NotAMember, self.realm.deliver(session, Text(session.name, "#room", "x")))
            self.refuse(UnknownRoom, self.rooms.join(session, "#room"))
            self.refuse(UnknownLog, self.realm.history.page(session, "#room", 0, 0, 10))
        self.assertEqual(self.result(self.store.read(log, 0, 10)), [])
        found, _, _ = self.run_now(self.rooms.find(self.ann, "*", "", 10))
        self.assertEqual(found, [])
        session, _ = self.login("bob")
        self.assertEqual(set(session.subscriptions), {"@bob"})

    def test_next_owner_of_the_name_gets_nothing(self) -> None:
        """Neither members, nor entries, nor bans."""
        self.run_now(self.rooms.ban(self.ann, "#room", "cyd", 0, ""))
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.run_now(self.rooms.create(self.bob, "#room", "", False))
        self.run_now(self.rooms.join(self.cyd, "#room"))
        self.assertEqual(self.events(), [("bob", "join", ""), ("cyd", "join", "")])
        self.assertEqual(self.members(self.bob), [("bob", "owner"), ("cyd", "member")])

    def test_text_that_is_sent_while_the_room_is_deleted_is_refused(self) -> None:
        """It is not stored in the log that is kept."""
        self.store.eager = False
        deleting = self.begin(self.rooms.delete(self.ann, "#room"))
        appends, _ = self.realm.send(self.bob, [Text("bob", "#room", "late")])
        self.realm.flush()
        self.harness.settle()
        self.store.eager = True
        self.successResultOf(deleting)
        self.assertEqual(appends[0].seq, 0)
        self.restore()
        self.assertNotIn("late", [body for _, _, body in self.events()])


class Restoring(DeletedRoomsCase):
    """Rooms that are restored."""

    def check_restored(self, room: Room) -> None:
        """The room has its id, its log and its two members."""
        self.assertEqual((room.id, room.head >= 5, room.members), (self.room.id, True, 2))
        self.assertEqual(
            self.entries(room.name)[:5],
            [
                (1, "Ann", "join", ""),
                (2, "bob", "join", ""),
                (3, "Ann", "text", "one"),
                (4, "Ann", "text", "two"),
                (5, "bob", "text", "three"),
            ],
        )
        self.assertEqual(self.members(room=room.name), [("Ann", "owner"), ("bob", "member")])

    def test_room_that_its_owner_deleted(self) -> None:
        """Members that are online are notified, and send again; the room is shown who did it."""
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.assertEqual(self.deleted(), ["#room"])
        self.check_restored(self.restore())
        self.assertEqual(self.deleted(), [])
        self.assertEqual(self.events()[5:], [("server", "restore", "")])
        for peer in (self.ann_peer, self.bob_peer):
            self.assertEqual(peer.rooms_joined[-1], "#room")
        self.send(self.bob, "#room", "four")
        self.assertEqual(self.ann_peer.logs["#room"][-1], (7, "bob", "text", "four"))
        self.refuse_restoring(UnknownRoom)

    def test_room_that_an_operator_deleted(self) -> None:
        """Also after a restart of the daemon, for members who are offline until then."""
        self.run_now(self.rooms.delete_by_operator("#room"))
        harness = self.harness.restart()
        harness.run(harness.realm.start())
        room = harness.run(harness.realm.rooms.restore("#ROOM", 0, "", ""))
        self.assertEqual((room.id, room.display_name, room.members), (self.room.id, "#room", 2))
        session, _ = harness.login_ack("bob", {})
        self.assertEqual(set(session.subscriptions), {"@bob", "#room"})

    def test_room_whose_last_member_left(self) -> None:
        """It is its owner; members that had left before are none again."""
        self.run_now(self.rooms.leave(self.ann, "#room"))
        self.run_now(self.rooms.leave(self.bob, "#room"))
        self.assertEqual(self.deleted(), ["#room"])
        room = self.restore()
        self.assertEqual((room.id, room.members), (self.room.id, 1))
        self.assertEqual(self.members(self.bob), [("bob", "owner")])
        self.refuse(NotAMember, self.realm.deliver(self.ann, Text("Ann", "#room", "x")))

    def test_entries_that_were_not_acknowledged_are_shown_again(self) -> None:
        """Positions are those from before the deletion."""
        self.bob.end()
        self.harness.save()
        position = Position(self.bob.account, self.room.log, Cursor(3), 2)
        self.result(self.store.save([position]))
        self.run_now(self.rooms.delete(self.ann, "#room"))
        online, peer = self.login("bob")
        self.assertEqual(set(online.subscriptions), {"@bob"})
        self.restore()
        self.assertEqual([entry[0] for entry in peer.logs["#room"]], [*range(4, 1 + self.head())])
        state = online.mailbox.memberships["#room"].state
        self.assertEqual((state.cursor.upto, state.read), (3, 2))

    def head(self) -> int:
        """The seq of the last entry of #room."""
        return len(self.events())

    def test_name_that_is_taken(self) -> None:
        """The room gets another name; the one that has its name stays as it is."""
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.run_now(self.rooms.create(self.cyd, "#Room", "", False))
        sentence = self.refuse_restoring(RoomTaken)
        self.assertEqual(sentence, "There is already a room #room: give it another name.")
        self.refuse_restoring(IllegalRoom, "#no room")
        self.refuse_restoring(RoomTaken, "#ROOM")
        room = self.restore("#Old")
        self.assertEqual(room.display_name, "#Old")
        self.check_restored(room)
        self.assertEqual(self.members(self.cyd), [("cyd", "owner")])
        self.send(self.bob, "#old", "four")
        session, _ = self.login("bob")
        self.assertEqual(set(session.subscriptions), {"@bob", "#old"})

    def test_rooms_of_one_name(self) -> None:
        """The one that was deleted last is restored, or that with the id."""
        for session in (self.ann, self.cyd):
            self.run_now(self.rooms.delete(session, "#room"))
            self.harness.now += 1
            if session is self.ann:
                self.run_now(self.rooms.create(self.cyd, "#room", "", False))
        self.assertEqual(self.deleted(), ["#room", "#room"])
        self.assertEqual(
            self.refuse_restoring(UnknownRoom, id=1),
            "There is no deleted room #room with the id 1.",
        )
        self.check_restored(self.restore("#first", id=self.room.id))
        room = self.restore()
        self.assertEqual((room.display_name, room.record.owner_name), ("#room", "cyd"))

    def test_accounts_that_were_deleted_meanwhile(self) -> None:
        """A later account of the name is no member; the owner is succeeded."""
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.run_now(self.realm.delete(self.ann))
        self.harness.register("Ann")
        ann, _ = self.login("Ann")
        room = self.restore()
        self.assertEqual(self.members(self.bob), [("bob", "owner")])
        self.assertEqual((room.members, ann.mailbox.memberships), (1, {}))

    def test_room_without_former_members(self) -> None:
        """An operator names an owner, who reads what is sent from then on in a private room."""
        self.run_now(self.rooms.set_private(self.ann, "#room", True))
        self.run_now(self.realm.delete(self.bob))
        self.run_now(self.realm.delete(self.ann))
        sentence = self.refuse_restoring(UnknownMember)
        self.assertIn("an owner must be named", sentence)
        self.refuse_restoring(UnknownAccount, "", "dee")
        self.restore(owner="CYD")
        self.assertEqual(self.members(self.cyd), [("cyd", "owner")])
        self.assertEqual(
            self.events()[-3:],
            [("server", "restore", ""), ("cyd", "join", ""), ("server", "role", "cyd owner")],
        )
        page = self.run_now(self.realm.history.page(self.cyd, "#room", 0, 0, 10))
        self.assertEqual([entry.kind for entry in page[0]], ["restore", "join", "role"])

    def test_former_member_becomes_the_owner(self) -> None:
        """The former owner is a moderator then."""
        self.run_now(self.rooms.set_role(self.ann, "#room", "bob", "deputy"))
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.restore(owner="bob")
        self.assertEqual(self.members(), [("Ann", "moderator"), ("bob", "owner")])

    def test_bans_hold_in_a_restored_room(self) -> None:
        """An account that was banned cannot join."""
        self.run_now(self.rooms.ban(self.ann, "#room", "cyd", 0, ""))
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.restore()
        self.refuse(Banned, self.rooms.join(self.cyd, "#room"))

    def test_members_read_what_they_could_read_before(self) -> None:
        """Nothing from before they joined, where that is not for them."""
        self.run_now(self.rooms.set_history(self.ann, "#room", "joined"))
        self.run_now(self.rooms.join(self.cyd, "#room"))
        self.send(self.ann, "#room", "four")
        before = self.run_now(self.realm.history.page(self.cyd, "#room", 0, 0, 10))[0]
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.restore()
        after = self.run_now(self.realm.history.page(self.cyd, "#room", 0, 0, 10))[0]
        self.assertEqual([e.body for e in before], ["", "four"])
        self.assertEqual(after[:-1], before)

    def test_members_of_older_versions_read_nothing_from_before(self) -> None:
        """Where a new member reads nothing of the history, it is not known when they joined."""
        self.run_now(self.rooms.set_history(self.ann, "#room", "joined"))
        row = self.run_now(self.rooms._member(self.room, self.bob.account, "bob"))
        old = MemberRecord(self.bob.account, 1)
        self.result(self.realm.documents.write([changes.update(row, old)]))
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.restore()
        page = self.run_now(self.realm.history.page(self.bob, "#room", 0, 0, 10))[0]
        self.assertEqual([entry.kind for entry in page], ["restore"])

    def test_login_while_a_room_is_restored(self) -> None:
        """However the two meet, the session follows the room."""
        for steps in range(8):
            for first in (True, False):
                self.setUp()
                self.bob.end()
                self.harness.save()
                self.run_now(self.rooms.delete(self.ann, "#room"))
                self.store.eager = False
                account = self.harness.account("bob")
                with self.subTest(steps=steps, first=first):
                    peer = type(self.bob_peer)()
                    requests = [
                        self.rooms.restore("#room", 0, "", ""),
                        self.realm.sessions.open("bob", account, peer),
                    ]
                    results = [self.begin(requests.pop(first))]
                    for _ in range(steps):
                        self.store.release()
                    results.append(self.begin(requests.pop()))
                    self.harness.settle()
                    self.store.eager = True
                    session = self.successResultOf(results[0 if first else 1])
                    self.assertIn("#room", session.subscriptions)
                    self.tearDown()


class Removing(DeletedRoomsCase):
    """Rooms that cannot be restored any more."""

    def count(self, kind: str) -> int:
        """The number of documents of a kind in the scope of the room."""
        number: int = self.result(self.store.count(kind, self.room.scope))
        return number

    def check_removed(self) -> None:
        """Nothing is left."""
        self.assertEqual(self.deleted(), [])
        self.assertEqual(self.result(self.store.head(deleted_room_log(self.room.id))), 0)
        self.assertEqual([self.count(kind) for kind in ("member", "ban", "silence")], [0, 0, 0])
        self.refuse_restoring(UnknownRoom)

    def test_room_is_removed_after_a_day(self) -> None:
        """Not before; by the wall clock, also after a restart."""
        self.run_now(self.rooms.ban(self.ann, "#room", "cyd", 0, ""))
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.realm.rooms._tasks.spawn(self.rooms.remove_expired())
        self.harness.now += DAY - 1
        self.harness.runner.clock.advance(INTERVAL_SECONDS)
        self.harness.settle()
        self.assertEqual(self.deleted(), ["#room"])
        self.harness.now += 1
        self.harness.runner.clock.advance(INTERVAL_SECONDS)
        self.harness.settle()
        self.check_removed()

    def test_operator_removes_a_room_at_once(self) -> None:
        """Or what is left of rooms of a name that were deleted before."""
        self.run_now(self.rooms.delete_by_operator("#room", True))
        self.check_removed()
        self.run_now(self.rooms.create(self.ann, "#room", "", False))
        self.room = self.run_now(self.rooms.room("#room"))
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.assertEqual(self.run_now(self.rooms.remove_deleted("#ROOM")), 1)
        self.check_removed()

    def test_restored_room_is_not_removed(self) -> None:
        """Its time begins again when it is deleted again."""
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.restore()
        self.harness.now += DAY
        self.run_now(self.rooms._remove_expired())
        self.assertEqual(self.members(), [("Ann", "owner"), ("bob", "member")])
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.run_now(self.rooms._remove_expired())
        self.assertEqual(self.deleted(), ["#room"])


class NothingKept(DeletedRoomsCase):
    """Deleted rooms are not kept."""

    limits = {"deleted_room_time": 0}

    def test_room_is_removed_at_once(self) -> None:
        """Whoever deletes it."""
        self.run_now(self.rooms.delete(self.ann, "#room"))
        self.assertEqual(self.deleted(), [])
        self.refuse_restoring(UnknownRoom)
        self.assertEqual(self.result(self.store.count("member", self.room.scope)), 0)
        self.result(self.store.write([CreateLog(self.room.log)]))
        self.assertEqual(self.result(self.store.head(self.room.log)), 0)
        self.store._logs.pop(self.room.log)


class RestoringEarly(DeletedRoomsCase):
    """A room that is restored while its members are still being notified of its deletion."""

    def test_request_is_refused_until_all_members_are_notified(self) -> None:
        """They would be notified that they have left the restored room."""
        self.patch(room_departures, "_AT_ONCE", 1)
        deleting = self.begin(self.rooms.delete_by_operator("#room"))
        self.assertEqual(len(self.ann_peer.rooms_left + self.bob_peer.rooms_left), 1)
        for new_name in ("", "#other"):
            self.refuse_restoring(Busy, new_name)
        self.harness.runner.clock.advance(0)
        self.successResultOf(deleting)
        self.restore("#other")
        self.send(self.ann, "#other", "again")
        for peer in (self.ann_peer, self.bob_peer):
            self.assertEqual(peer.rooms_left, [("#room", "deleted")])
            self.assertEqual(peer.logs["#other"][-1][3], "again")
