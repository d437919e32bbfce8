"""Version 1: rooms and their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.realm.changes import create
from chatd.realm.membership import MemberRecord
from tests.doubles.v1_clients import MainPortServer, V1Client

OK = "ok"
# By action: the request, and what the owner, a moderator, a member and an account outside of a
# public room are answered.
RIGHTS: dict[str, tuple[Any, tuple[str, str, str, str]]] = {
    "send": (lambda: c.Send(0, "#den", "hi"), (OK, OK, OK, "not-a-member")),
    "topic": (lambda: c.SetTopic(0, "#den", "new"), (OK, OK, "not-allowed", "not-a-member")),
    "invite": (lambda: c.Invite(0, "#den", "guest"), (OK, OK, OK, "not-a-member")),
    "kick a member": (lambda: c.Kick(0, "#den", "victim"), (OK, OK, "not-allowed", "not-a-member")),
    "kick a moderator": (
        lambda: c.Kick(0, "#den", "second"),
        (OK, "not-allowed", "not-allowed", "not-a-member"),
    ),
    "private": (
        lambda: c.SetPrivate(0, "#den", True),
        (OK, "not-allowed", "not-allowed", "not-a-member"),
    ),
    "what members read": (
        lambda: c.SetHistory(0, "#den", "joined"),
        (OK, "not-allowed", "not-allowed", "not-a-member"),
    ),
    "slow mode": (
        lambda: c.ConfigureRoom(0, "#den", "slow", "30"),
        (OK, OK, "not-allowed", "not-a-member"),
    ),
    "read-only": (
        lambda: c.ConfigureRoom(0, "#den", "read-only", "on"),
        (OK, "not-allowed", "not-allowed", "not-a-member"),
    ),
    "ban": (
        lambda: c.Ban(0, "#den", "victim"),
        (OK, OK, "not-allowed", "not-a-member"),
    ),
    "silence": (
        lambda: c.Silence(0, "#den", "victim"),
        (OK, OK, "not-allowed", "not-a-member"),
    ),
    "list of bans": (
        lambda: c.FindBans(0, "#den"),
        (OK, OK, "not-allowed", "not-a-member"),
    ),
    "role": (
        lambda: c.SetRole(0, "#den", "victim", "moderator"),
        (OK, "not-allowed", "not-allowed", "not-a-member"),
    ),
    "delete the room": (
        lambda: c.DeleteRoom(0, "#den"),
        (OK, "not-allowed", "not-allowed", "not-a-member"),
    ),
    "delete a message": (
        lambda: c.Retract(0, "#den", MESSAGE),
        (OK, OK, "not-the-author", "unknown-entry"),
    ),
    "history": (lambda: c.History(0, "#den"), (OK, OK, OK, "unknown-log")),
    "members": (lambda: c.FindMembers(0, "#den"), (OK, OK, OK, OK)),
    "leave": (lambda: c.Leave(0, "#den"), (OK, OK, OK, "not-a-member")),
}
MESSAGE = 8
"""the seq of a message of `victim`: five members have joined, and two have become moderators"""


# The requests of an account to a room that does not exist or that it may not see, by what they are
# refused with.
UNSEEN: dict[str, tuple[Callable[[str], Any], ...]] = {
    "unknown-room": (
        lambda room: c.Join(0, room),
        lambda room: c.FindMembers(0, room),
        lambda room: c.Leave(0, room),
        lambda room: c.SetTopic(0, room, "new"),
        lambda room: c.SetPrivate(0, room, False),
        lambda room: c.SetHistory(0, room, "all"),
        lambda room: c.Invite(0, room, "ann"),
        lambda room: c.Kick(0, room, "ann"),
        lambda room: c.SetRole(0, room, "ann", "member"),
        lambda room: c.DeleteRoom(0, room),
    ),
    "not-a-member": (lambda room: c.Send(0, room, "hi"), lambda room: c.SayTyping(0, room)),
    "unknown-log": (
        lambda room: c.History(0, room),
        lambda room: c.Ack(0, room, 1),
        lambda room: c.MarkRead(0, room, 1),
    ),
    "unknown-entry": (
        lambda room: c.Edit(0, room, 1, "new"),
        lambda room: c.Retract(0, room, 1),
        lambda room: c.React(0, room, 1, "x"),
    ),
}


def outcome(client: V1Client, request: Any) -> str:
    """`OK`, or the code of the refusal."""
    answer = client.answer_to(request)
    return answer.code if isinstance(answer, c.Refusal) else OK


class Rights(SynchronousTestCase):
    """What each kind of account may do in a room."""

    def accounts(self) -> tuple[V1Client, V1Client, V1Client, V1Client]:
        """The owner, a moderator and a member of #den, and an account outside.

        `second` is another moderator, `victim` another member, `guest` another account outside.
        """
        server = MainPortServer()
        owner = server.log_in("owner")
        owner.request(c.CreateRoom(0, "#den", "old"))
        moderator, member, outsider = (
            server.log_in(name) for name in ("moderator", "member", "outsider")
        )
        second, victim, _ = (server.log_in(name) for name in ("second", "victim", "guest"))
        for client in (moderator, member, second, victim):
            client.request(c.Join(0, "#den"))
        for name in ("moderator", "second"):
            owner.request(c.SetRole(0, "#den", name, "moderator"))
        self.assertEqual(victim.request(c.Send(0, "#den", "hi")).seq, MESSAGE)
        return owner, moderator, member, outsider

    def test_each_action_by_each_kind_of_account(self) -> None:
        """Each case has a room of its own."""
        for action, (request, expected) in RIGHTS.items():
            for kind, code in enumerate(expected):
                client = self.accounts()[kind]
                self.assertEqual(outcome(client, request()), code, (action, kind))


class Rooms(SynchronousTestCase):
    """Rooms from their creation to their deletion, with Ann and Bob."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann")
        self.bob = self.server.log_in("bob")

    def test_lobby_exists_from_the_start_and_stays(self) -> None:
        """Every account may join it, and it has no owner."""
        state = self.ann.request(c.Join(0, "#LOBBY")).state
        self.assertEqual(
            (state.log, state.room.room, state.room.owner, state.room.role),
            ("#lobby", "#lobby", "", "member"),
        )
        self.assertEqual(self.ann.refusal_code(c.SetTopic(0, "#lobby", "mine")), "not-allowed")
        self.assertEqual(self.ann.refusal_code(c.CreateRoom(0, "#Lobby")), "room-taken")
        self.ann.request(c.Leave(0, "#lobby"))
        self.bob.request(c.Join(0, "#lobby"))
        self.assertEqual(self.bob.receive_entries(), [("#lobby", "bob", "join")])

    def test_members_are_sent_all_entries_from_their_joining_on(self) -> None:
        """Their own messages as well; changes of the room are entries, too."""
        self.ann.request(c.CreateRoom(0, "#Den", "bears"))
        self.ann.request(c.Send(0, "#den", "before"))
        state = self.bob.request(c.Join(0, "#den")).state
        self.assertEqual(
            (state.room.room, state.room.topic, state.room.members, state.head),
            ("#Den", "bears", 2, 2),
        )
        self.bob.request(c.Send(0, "#DEN", "hi"))
        self.ann.request(c.SetTopic(0, "#den", "honey"))
        self.ann.request(c.SetPrivate(0, "#den", True))
        self.ann.request(c.SetRole(0, "#den", "bob", "moderator"))
        self.bob.request(c.Leave(0, "#den"))
        expected = ["join", "hi", "topic honey", "access private", "role bob moderator"]
        self.assertEqual(self.bob.receive_bodies(), expected)
        self.assertEqual(self.ann.receive_bodies(), ["join", "before", *expected, "leave"])

    def test_new_members_read_what_the_room_is_set_to(self) -> None:
        """`RoomInfo` has the setting; a private room's is ``joined`` unless another is given."""
        for room, private, history, expected in (
            ("#a", False, "", "all"),
            ("#b", True, "", "joined"),
            ("#c", True, "all", "all"),
            ("#d", False, "joined", "joined"),
        ):
            created = self.ann.request(c.CreateRoom(0, room, "", private, history)).state.room
            self.assertEqual(created.history, expected)
        self.ann.request(c.Send(0, "#d", "before"))
        self.bob.request(c.Join(0, "#d"))
        self.ann.request(c.Send(0, "#d", "after"))
        bodies = [item.body for item in self.bob.request(c.History(0, "#d")).entries]
        self.assertEqual(bodies, ["", "after"])
        self.ann.request(c.SetHistory(0, "#d", "all"))
        bodies = [item.body for item in self.bob.request(c.History(0, "#d")).entries]
        self.assertEqual(bodies, ["", "before", "", "after", "all"])

    def test_member_that_was_offline_catches_up(self) -> None:
        """It is sent the entries after those that it has acknowledged."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob.request(c.Join(0, "#den"))
        self.bob.request(c.Ack(0, "#den", 2))
        self.bob.disconnect()
        for number in range(300):
            self.ann.send(c.Send(0, "#den", str(number)))
        bob = self.server.log_in_again("bob")
        self.assertEqual(bob.receive_bodies(), [str(number) for number in range(300)])

    def test_private_room_is_unknown_to_accounts_outside(self) -> None:
        """An invited account gets an entry and may join, until it is kicked."""
        self.ann.request(c.CreateRoom(0, "#den", "", True))
        for room in ("#den", "#nowhere"):
            for code, requests in UNSEEN.items():
                for request in requests:
                    self.assertEqual(self.bob.refusal_code(request(room)), code, request(room))
        self.assertEqual([room.room for room in self.bob.request(c.FindRooms(0)).rooms], ["#lobby"])
        self.ann.request(c.Invite(0, "#den", "BOB"))
        self.assertEqual(self.bob.receive_entries(), [("@bob", "Ann", "invite #den")])
        self.assertEqual(
            [room.role for room in self.bob.request(c.FindRooms(0, "#d*")).rooms], ["invited"]
        )
        self.assertEqual(self.bob.refusal_code(c.FindMembers(0, "#den")), "not-a-member")
        members = self.ann.request(c.FindMembers(0, "#den")).members
        self.assertEqual(
            [(member.name, member.role) for member in members],
            [("Ann", "owner"), ("bob", "invited")],
        )
        self.bob.request(c.Join(0, "#den"))
        self.ann.request(c.Kick(0, "#den", "bob"))
        self.assertEqual(self.bob.refusal_code(c.Join(0, "#den")), "unknown-room")
        self.ann.request(c.Invite(0, "#den", "bob"))
        self.ann.request(c.Kick(0, "#den", "bob"))
        self.assertEqual(
            self.bob.refusal_code(c.Join(0, "#den")),
            "unknown-room",
            "the invitation is withdrawn",
        )

    def test_kicked_member_is_notified_and_sent_no_more_entries(self) -> None:
        """When it joins again, it begins with the entry of that."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob.request(c.Join(0, "#den"))
        self.ann.request(c.Kick(0, "#den", "bob"))
        (left,) = self.bob.receive_events(c.Left)
        self.assertEqual((left.room, left.reason), ("#den", "kicked"))
        self.ann.request(c.Send(0, "#den", "without bob"))
        self.assertEqual(self.bob.receive_entries(), [])
        self.assertEqual(self.bob.refusal_code(c.Ack(0, "#den", 1)), "unknown-log")
        state = self.bob.request(c.Join(0, "#den")).state
        self.assertEqual((state.head, state.upto), (4, 4))
        self.assertEqual(self.bob.receive_entries(), [("#den", "bob", "join")])
        self.assertEqual(self.ann.refusal_code(c.Kick(0, "#den", "nobody")), "unknown-member")

    def test_member_kicked_while_offline_has_left_at_the_next_login(self) -> None:
        """The room is not among its logs."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob.request(c.Join(0, "#den"))
        self.bob.disconnect()
        self.ann.request(c.Kick(0, "#den", "bob"))
        logs = self.server.connect().request(c.LogIn(0, "bob")).logs
        self.assertEqual([state.log for state in logs], ["@bob"])

    def test_owner_that_leaves_is_succeeded(self) -> None:
        """The next owner is a moderator, else the member that joined first."""
        eve = self.server.log_in("eve")
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob.request(c.Join(0, "#den"))
        eve.request(c.Join(0, "#den"))
        self.ann.request(c.SetRole(0, "#den", "eve", "moderator"))
        self.ann.request(c.Leave(0, "#den"))
        self.assertEqual(
            [room.owner for room in eve.request(c.FindRooms(0, "#den")).rooms], ["eve"]
        )
        eve.request(c.SetRole(0, "#den", "bob", "owner"))
        self.assertEqual(outcome(eve, c.SetTopic(0, "#den", "x")), OK, "eve is a moderator now")
        self.bob.request(c.Leave(0, "#den"))
        eve.request(c.Leave(0, "#den"))
        self.assertEqual(eve.refusal_code(c.Join(0, "#den")), "unknown-room")
        self.bob.request(c.CreateRoom(0, "#den"))
        self.assertEqual(self.bob.request(c.History(0, "#den")).entries[0].kind, "join")

    def test_deleted_room_is_not_the_next_one_of_its_name(self) -> None:
        """Its members are notified; one that was offline is not a member of the next one."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob.request(c.Join(0, "#den"))
        self.bob.disconnect()
        self.server.now += 1
        self.ann.request(c.DeleteRoom(0, "#den"))
        self.assertEqual(
            [(left.room, left.reason) for left in self.ann.receive_events(c.Left)],
            [("#den", "deleted")],
        )
        self.assertEqual(self.ann.refusal_code(c.Send(0, "#den", "x")), "not-a-member")
        self.ann.request(c.CreateRoom(0, "#den"))
        logs = self.server.connect().request(c.LogIn(0, "bob")).logs
        self.assertEqual([state.log for state in logs], ["@bob"])

    def test_restored_room_continues(self) -> None:
        """It has the same `since`, seqs and positions; members that are online are sent `Joined`,
        and what they have not acknowledged."""
        before = self.ann.request(c.CreateRoom(0, "#den")).state
        self.bob.request(c.Join(0, "#den"))
        self.bob.disconnect()
        self.ann.request(c.Send(0, "#den", "one"))
        self.ann.request(c.Ack(0, "#den", 2))
        self.ann.request(c.DeleteRoom(0, "#den"))
        self.ann.receive_events(c.Left)
        self.server.run(self.server.realm.rooms.restore("#den", 0, "", ""))
        self.server.realm.flush()
        events = self.ann.receive_events(c.Joined, c.Pushed)
        joined = events[0]
        assert isinstance(joined, c.Joined)
        self.assertEqual(
            (joined.state.since, joined.state.head, joined.state.upto), (before.since, 4, 2)
        )
        pushed = [(e.seq, e.sender, e.kind) for e in events if isinstance(e, c.Pushed)]
        self.assertEqual(pushed, [(3, "Ann", "text"), (4, "server", "restore")])
        self.assertEqual(self.ann.request(c.Send(0, "#den", "two")).seq, 5)
        _, den = self.server.connect().request(c.LogIn(0, "bob")).logs
        self.assertEqual((den.since, den.head, den.room.role), (before.since, 5, "member"))

    def test_members_that_have_read_everything_are_shown_that_a_room_was_restored(self) -> None:
        """The entry about it is pushed to them at once, and is part of the head of the log."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.ann.request(c.Ack(0, "#den", 1))
        self.ann.request(c.DeleteRoom(0, "#den"))
        self.ann.receive_events(c.Left, c.Pushed)
        self.server.run(self.server.realm.rooms.restore("#den", 0, "", ""))
        self.server.realm.flush()
        joined, *pushed = self.ann.receive_events(c.Joined, c.Pushed)
        assert isinstance(joined, c.Joined)
        self.assertEqual((joined.state.head, joined.state.upto), (2, 1))
        self.assertEqual(
            [(e.seq, e.sender, e.kind) for e in pushed if isinstance(e, c.Pushed)],
            [(2, "server", "restore")],
        )

    def test_roles_are_changed_by_the_owner(self) -> None:
        """Roles are those of members; an owner cannot take a lower one."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.assertEqual(
            self.ann.refusal_code(c.SetRole(0, "#den", "bob", "moderator")), "unknown-member"
        )
        self.bob.request(c.Join(0, "#den"))
        self.assertEqual(self.ann.refusal_code(c.SetRole(0, "#den", "bob", "king")), "unknown-role")
        self.assertEqual(
            self.ann.refusal_code(c.SetRole(0, "#den", "ann", "member")), "unknown-role"
        )
        self.ann.request(c.SetRole(0, "#den", "bob", "owner"))
        members = self.ann.request(c.FindMembers(0, "#den")).members
        self.assertEqual(
            [(member.name, member.role) for member in members],
            [("Ann", "moderator"), ("bob", "owner")],
        )

    def test_names_topics_and_numbers_are_limited(self) -> None:
        """The numbers are members of a room and rooms of an account."""
        server = MainPortServer(rooms=2, members=2, topic=10)
        ann, bob, eve = (server.log_in(name) for name in ("ann", "bob", "eve"))
        for name in ("den", "#", "#a b", "#" + "x" * 33, "@den"):
            self.assertEqual(ann.refusal_code(c.CreateRoom(0, name)), "illegal-room", name)
        self.assertEqual(ann.refusal_code(c.CreateRoom(0, "#den", "x" * 11)), "topic-too-long")
        ann.request(c.CreateRoom(0, "#den", "x" * 10))
        self.assertEqual(ann.refusal_code(c.SetTopic(0, "#den", "x" * 11)), "topic-too-long")
        bob.request(c.Join(0, "#den"))
        self.assertEqual(eve.refusal_code(c.Join(0, "#den")), "limit-reached")
        ann.request(c.Join(0, "#lobby"))
        self.assertEqual(ann.refusal_code(c.CreateRoom(0, "#more")), "limit-reached")

    def test_rooms_and_members_are_listed_in_pages(self) -> None:
        """Pages are in alphabetical order."""
        for name in ("#b", "#A", "#c"):
            self.ann.request(c.CreateRoom(0, name))
        page = self.bob.request(c.FindRooms(0, "*", "", 2))
        self.assertEqual(([room.room for room in page.rooms], page.more), (["#A", "#b"], True))
        page = self.bob.request(c.FindRooms(0, "*", page.last, 2))
        self.assertEqual([room.room for room in page.rooms], ["#c", "#lobby"])
        page = self.bob.request(c.FindRooms(0, "*", "", 0))
        self.assertEqual(([room.room for room in page.rooms], page.more), (["#A"], True))
        for name in ("x1", "x2", "x3"):
            self.server.log_in(name, rooms=("#lobby",))
        page = self.bob.request(c.FindMembers(0, "#lobby", "", 2))
        self.assertEqual(
            ([member.name for member in page.members], page.more), (["x1", "x2"], True)
        )
        page = self.bob.request(c.FindMembers(0, "#lobby", "", 0))
        self.assertEqual(([member.name for member in page.members], page.more), (["x1"], True))
        page = self.bob.request(c.FindMembers(0, "#lobby", "x2", 2))
        self.assertEqual(([member.name for member in page.members], page.more), (["x3"], False))

    def test_listing_counts_by_what_it_lists(self) -> None:
        """A client that asks for long pages over and over is read more slowly."""
        server = MainPortServer(rate=10.0, burst_seconds=1.0)
        ann = server.log_in("ann", rooms=("#lobby",))
        room = server.realm.rooms.loaded("#lobby")
        assert room is not None
        others = [
            create(f"other{number}", MemberRecord(-number, 5), room.scope) for number in range(900)
        ]
        server.store.write(others)
        ann.send(*[c.FindMembers(number, "#lobby", "", 1000) for number in range(1, 6)])
        self.assertEqual(ann.transport.producerState, "paused")
        self.assertEqual(len(ann.receive_events(c.Members)), 1)
        server.clock.pump([1.0] * 10)
        self.assertEqual(len(ann.receive_events(c.Members)), 4)
        self.assertEqual(ann.transport.producerState, "producing")
