"""Version 1, as a client sees it: rooms."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.doubles.v1_clients import MainPortServer, V1Client

OK = "ok"
# For each thing that can be done: what the owner, a moderator, a member and a stranger of a public
# room hear.
RIGHTS: dict[str, tuple[Any, tuple[str, str, str, str]]] = {
    "speak": (lambda: c.Send(0, "#den", "hi"), (OK, OK, OK, "not-a-member")),
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
    "role": (
        lambda: c.SetRole(0, "#den", "victim", "moderator"),
        (OK, "not-allowed", "not-allowed", "not-a-member"),
    ),
    "delete": (lambda: c.DeleteRoom(0, "#den"), (OK, "not-allowed", "not-allowed", "not-a-member")),
    "retract": (lambda: c.Retract(0, "#den", 5), (OK, OK, "not-the-author", "unknown-entry")),
    "history": (lambda: c.History(0, "#den"), (OK, OK, OK, "unknown-log")),
    "members": (lambda: c.FindMembers(0, "#den"), (OK, OK, OK, OK)),
    "leave": (lambda: c.Leave(0, "#den"), (OK, OK, OK, "not-a-member")),
}


def heard(client: V1Client, message: Any) -> str:
    """`OK`, or the code of the refusal."""
    answer = client.answer_to(message)
    return answer.code if isinstance(answer, c.Refusal) else OK


class Rights(SynchronousTestCase):
    """Who may do what."""

    def test_table(self) -> None:
        """Each thing by each kind of account, in a room of its own."""
        for what, (message, expected) in RIGHTS.items():
            for place, answer in enumerate(expected):
                server = MainPortServer()
                owner = server.log_in("owner")
                owner.request(c.CreateRoom(0, "#den", "old"))
                people = [owner, *(server.log_in(name) for name in ("mod", "member", "stranger"))]
                others = [server.log_in(name) for name in ("second", "victim", "guest")]
                for member in (people[1], people[2], others[0], others[1]):
                    member.request(c.Join(0, "#den"))
                for name in ("mod", "second"):
                    owner.request(c.SetRole(0, "#den", name, "moderator"))
                others[1].request(c.Send(0, "#den", "said"))
                # Joining and roles were entries, too; the fifth is the last one's joining.
                owner.request(c.Send(0, "#den", "x"))
                if what == "retract":
                    seq = others[1].request(c.Send(0, "#den", "bad")).seq
                    self.assertEqual(
                        heard(people[place], c.Retract(0, "#den", seq)), answer, (what, place)
                    )
                    continue
                self.assertEqual(heard(people[place], message()), answer, (what, place))


class Rooms(SynchronousTestCase):
    """The life of rooms."""

    def setUp(self) -> None:
        """Two people."""
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann")
        self.bob = self.server.log_in("bob")

    def test_the_lobby(self) -> None:
        """It is there from the start, for everyone, nobody's, and stays."""
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

    def test_talking(self) -> None:
        """All members hear all, the speaker included, from where they joined; notices tell what
        happens."""
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
        told = ["join", "hi", "topic honey", "access private", "role bob moderator"]
        self.assertEqual(self.bob.receive_bodies(), told)
        self.assertEqual(self.ann.receive_bodies(), ["join", "before", *told, "leave"])

    def test_those_who_were_away_catch_up(self) -> None:
        """From what they have acknowledged on."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob.request(c.Join(0, "#den"))
        self.bob.request(c.Ack(0, "#den", 2))
        self.bob.disconnect()
        for number in range(300):
            self.ann.send(c.Send(0, "#den", str(number)))
        bob = self.server.log_in_again("bob")
        self.assertEqual(bob.receive_bodies(), [str(number) for number in range(300)])

    def test_private(self) -> None:
        """Others do not even learn that it is there; who is invited gets an entry and may join."""
        self.ann.request(c.CreateRoom(0, "#den", "", True))
        for message in (
            c.Join(0, "#den"),
            c.FindMembers(0, "#den"),
            c.Leave(0, "#den"),
            c.Kick(0, "#den", "ann"),
        ):
            self.assertEqual(self.bob.refusal_code(message), "unknown-room")
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
            "the invitation was taken back",
        )

    def test_kicked(self) -> None:
        """They hear it, read no more of it, and begin anew when they join again."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob.request(c.Join(0, "#den"))
        self.ann.request(c.Kick(0, "#den", "bob"))
        (left,) = self.bob.receive_events(c.Left)
        self.assertEqual((left.room, left.reason), ("#den", "kicked"))
        self.ann.request(c.Send(0, "#den", "without him"))
        self.assertEqual(self.bob.receive_entries(), [])
        self.assertEqual(self.bob.refusal_code(c.Ack(0, "#den", 1)), "unknown-log")
        state = self.bob.request(c.Join(0, "#den")).state
        self.assertEqual((state.head, state.upto), (4, 4))
        self.assertEqual(self.bob.receive_entries(), [("#den", "bob", "join")])
        self.assertEqual(self.ann.refusal_code(c.Kick(0, "#den", "nobody")), "unknown-member")

    def test_kicked_while_away(self) -> None:
        """At the next login the room is not theirs any more."""
        self.ann.request(c.CreateRoom(0, "#den"))
        self.bob.request(c.Join(0, "#den"))
        self.bob.disconnect()
        self.ann.request(c.Kick(0, "#den", "bob"))
        logs = self.server.connect().request(c.LogIn(0, "bob")).logs
        self.assertEqual([state.log for state in logs], ["@bob"])

    def test_succession(self) -> None:
        """An owner who leaves is followed by a moderator, else by who came first; the last one ends
        it."""
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
        self.assertEqual(heard(eve, c.SetTopic(0, "#den", "x")), OK, "she is a moderator now")
        self.bob.request(c.Leave(0, "#den"))
        eve.request(c.Leave(0, "#den"))
        self.assertEqual(eve.refusal_code(c.Join(0, "#den")), "unknown-room")
        self.bob.request(c.CreateRoom(0, "#den"))
        self.assertEqual(self.bob.request(c.History(0, "#den")).entries[0].kind, "join")

    def test_deleted(self) -> None:
        """Its members hear it; another room of that name is another room, for those who were away
        as well."""
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

    def test_roles(self) -> None:
        """There are three, for members; nobody makes themselves less than an owner."""
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

    def test_names_and_bounds(self) -> None:
        """A room has a name; topics, members and rooms per account have bounds."""
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

    def test_listing(self) -> None:
        """Page by page, in alphabetical order."""
        for name in ("#b", "#A", "#c"):
            self.ann.request(c.CreateRoom(0, name))
        page = self.bob.request(c.FindRooms(0, "*", "", 2))
        self.assertEqual(([room.room for room in page.rooms], page.more), (["#A", "#b"], True))
        page = self.bob.request(c.FindRooms(0, "*", page.last, 2))
        self.assertEqual([room.room for room in page.rooms], ["#c", "#lobby"])
        for name in ("x1", "x2", "x3"):
            self.server.log_in(name, rooms=("#lobby",))
        page = self.bob.request(c.FindMembers(0, "#lobby", "", 2))
        self.assertEqual(
            ([member.name for member in page.members], page.more), (["x1", "x2"], True)
        )
        page = self.bob.request(c.FindMembers(0, "#lobby", "x2", 2))
        self.assertEqual(([member.name for member in page.members], page.more), (["x3"], False))
