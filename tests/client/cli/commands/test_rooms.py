"""The commands for rooms: joining and leaving, lists, topic, access, members and roles."""

from __future__ import annotations

import msgspec

from chatd.client.library.errors import RefusedByServer
from chatd.client.library.followed_log import FollowedLog
from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase, CommandTestCase, RequestCase
from tests.doubles.client import SINCE, FakeClient, pushed, state

_MEMBERS = c.FindMembers(0, "#Garden")

CASES: list[RequestCase] = [
    ("/join #garden", [c.Join(0, "#garden"), _MEMBERS]),
    ("/join garden", [c.Join(0, "#garden"), _MEMBERS]),
    ("/leave", [c.Leave(0, "#Garden")]),
    ("/leave #lobby", [c.Leave(0, "#lobby")]),
    (
        "/create #garden Seeds and  bulbs",
        [c.CreateRoom(0, "#garden", "Seeds and  bulbs"), _MEMBERS],
    ),
    ("/create #garden --private X", [c.CreateRoom(0, "#garden", "X", True), _MEMBERS]),
    ("/create --private #garden", [c.CreateRoom(0, "#garden", "", True), _MEMBERS]),
    ("/rooms", [c.FindRooms(0, "*")]),
    ("/rooms g*", [c.FindRooms(0, "#g*")]),
    ("/rooms #g*", [c.FindRooms(0, "#g*")]),
    ("/rooms [gh]*", [c.FindRooms(0, "[gh]*")]),
    ("/who", [c.FindMembers(0, "#Garden"), c.Who(0, [])]),
    ("/who bob carl", [c.Who(0, ["bob", "carl"])]),
    ("/topic", []),
    ("/topic Frost!", [c.SetTopic(0, "#Garden", "Frost!")]),
    ("/topic -", [c.SetTopic(0, "#Garden", "")]),
    ("/private", [c.SetPrivate(0, "#Garden", True)]),
    ("/public #lobby", [c.SetPrivate(0, "#lobby", False)]),
    ("/visibility joined", [c.SetHistory(0, "#Garden", "joined")]),
    ("/visibility all #lobby", [c.SetHistory(0, "#lobby", "all")]),
    ("/room-settings Slow 30", [c.ConfigureRoom(0, "#Garden", "slow", "30")]),
    ("/room-settings #lobby slow 30", [c.ConfigureRoom(0, "#lobby", "slow", "30")]),
    ("/room-settings #lobby", [c.FindRooms(0, "#lobby")]),
    ("/slow 30", [c.ConfigureRoom(0, "#Garden", "slow", "30")]),
    ("/slow off #lobby", [c.ConfigureRoom(0, "#lobby", "slow", "0")]),
    ("/readonly on", [c.ConfigureRoom(0, "#Garden", "read-only", "on")]),
    ("/readonly off #lobby", [c.ConfigureRoom(0, "#lobby", "read-only", "off")]),
    ("/invite bob", [c.Invite(0, "#Garden", "bob")]),
    ("/kick bob #lobby", [c.Kick(0, "#lobby", "bob")]),
    ("/role bob moderator", [c.SetRole(0, "#Garden", "bob", "moderator")]),
    ("/role bob Deputy", [c.SetRole(0, "#Garden", "bob", "deputy")]),
    ("/role #lobby bob moderator", [c.SetRole(0, "#lobby", "bob", "moderator")]),
    ("/destroy #garden\ny", [c.DeleteRoom(0, "#garden")]),
    ("/destroy #garden\nn", []),
]


def be_alone(client: FakeClient) -> None:
    """The account is the only member of its rooms, of which one is #Garden."""
    client.logs["#garden"] = FollowedLog(state("#Garden"))
    for log in client.logs.values():
        if log.room is not None:
            log.room = msgspec.structs.replace(log.room, members=1)


class RoomTests(CommandTestCase):
    """A person in the lobby."""

    def test_commands_send_their_requests(self) -> None:
        """The lines are typed in this order: ``/join`` and ``/create`` choose the target."""
        self.check_requests(CASES)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage(
            "/join",
            "/leave bob",
            "/create",
            "/invite #lobby",
            "/kick",
            "/role bob king",
            "/role #lobby bob king",
            "/role #lobby",
            "/destroy",
            "/destroy garden",
            "/private bob",
            "/visibility",
            "/visibility some",
            "/visibility all bob",
            "/room-settings slow",
            "/room-settings #lobby slow",
            "/room-settings slow 30 #lobby",
            "/slow",
            "/slow long",
            "/slow 5 bob",
            "/readonly",
            "/readonly maybe",
        )

    def test_joining_an_unknown_room_suggests_creating_it(self) -> None:
        """A private room is unknown to accounts that are not invited."""
        self.client.answers[c.Join] = RefusedByServer(
            "unknown-room", "There is no room of that name."
        )
        self.assertEqual(
            self.type("/join #x"),
            ["! There is no room #x, or it is private. /create #x creates a room."],
        )

    def test_refusal_is_printed(self) -> None:
        """The sentence is that of the server."""
        self.client.answers[c.Kick] = RefusedByServer("not-allowed", "That takes another role.")
        self.assertEqual(self.type("/kick bob"), ["! That takes another role."])

    def test_topic_of_the_room_is_printed(self) -> None:
        """It is printed when the room is joined, and by ``/topic``."""
        self.assertEqual(
            self.type("/join #garden")[-2:],
            ["(Now talking in #Garden.)", "(The topic is: Seeds)"],
        )
        self.assertEqual(self.type("/topic"), ["#Garden: Seeds"])

    def test_settings_of_an_unchanged_room_are_printed(self) -> None:
        """Moderators alone invite to a private room."""
        self.assertEqual(
            self.type("/room-settings"),
            ["#lobby: slow off, read-only off, invite members, unlisted off"],
        )
        log = self.client.logs["#lobby"]
        assert log.room is not None
        log.room = msgspec.structs.replace(log.room, private=True)
        self.assertIn("invite moderators", self.type("/room-settings")[0])
        self.assertEqual(self.type("/room-settings #den"), ["! You are not a member of #den."])

    def test_changed_settings_are_printed(self) -> None:
        """Also one that the client does not know; slow mode that was ended is off."""
        log = self.client.logs["#lobby"]
        for body, settings in (
            ("slow 30", "slow 30, read-only off, invite members, unlisted off"),
            ("invite moderators", "slow 30, read-only off, invite moderators, unlisted off"),
            ("slow 0", "slow off, read-only off, invite moderators, unlisted off"),
            ("pace 7", "slow off, read-only off, invite moderators, unlisted off, pace 7"),
        ):
            log.update_room(
                pushed("#lobby", "bob", body, "setting", seq=log.described + 1), "alice"
            )
            self.assertEqual(self.type("/room-settings"), [f"#lobby: {settings}"])

    def test_settings_are_those_of_the_server(self) -> None:
        """The entry about a change may arrive after the answer to it."""
        info = c.RoomInfo(
            "#lobby", SINCE, "", False, "", 2, "member", "all", [c.Setting("slow", "5")]
        )
        self.client.answers[c.FindRooms] = c.Rooms(0, [info])
        self.assertIn("#lobby: slow 5,", self.type("/room-settings")[0])
        self.client.answers[c.FindRooms] = RefusedByServer("busy", "Try again later.")
        self.assertEqual(self.type("/room-settings"), ["! Try again later."])

    def test_settings_are_shown_to_an_access_token_that_cannot_list_rooms(self) -> None:
        """They are those that the client knows."""
        self.client.answers[c.FindRooms] = RefusedByServer("out-of-scope", "Not permitted.")
        self.assertIn("#lobby: slow off,", self.type("/room-settings")[0])

    def test_command_for_a_room_needs_one_as_target(self) -> None:
        """The line may name a room instead."""
        sentence = "! No room is selected: name one, such as #lobby."
        self.assertEqual(
            self.type("/to bob", "/leave", "/private", "/role bob member")[1:], [sentence] * 3
        )
        self.assertEqual(self.requests(), [])

    def test_topic_needs_a_selected_room(self) -> None:
        """The command cannot name a room."""
        sentence = "! No room is selected: use /join #ROOM or /to #ROOM first."
        lines = self.type("/to bob", "/topic", "/topic #garden")
        self.assertEqual(lines[1:], [sentence] * 2)
        self.assertEqual(self.requests(), [])

    def test_rooms_are_requested_page_by_page(self) -> None:
        """The last page ends the list; each room is one line."""
        room = c.RoomInfo("#Garden", SINCE, "Seeds", True, "bob", 1, "owner")
        self.client.answers[c.FindRooms] = [c.Rooms(0, [room], True, "#garden"), c.Rooms(0, [])]
        self.assertEqual(self.type("/rooms"), ["#Garden (1 member, private, owner) Seeds"])
        self.assertEqual(self.requests(), [c.FindRooms(0, "*"), c.FindRooms(0, "*", "#garden")])

    def test_empty_list_of_rooms_is_a_note(self) -> None:
        """A script gets no line."""
        self.assertEqual(self.type("/rooms x*"), ["(No room matches.)"])

    def test_who_lists_members_with_role_and_presence(self) -> None:
        """The presence of offline members is not printed."""
        self.client.answers[c.FindMembers] = c.Members(
            0, [c.Member("Bob", "owner"), c.Member("cy", "invited")]
        )
        self.client.answers[c.Who] = c.People(0, [c.Person("Bob", "away"), c.Person("cy", "off")])
        self.assertEqual(self.type("/who #garden"), ["Bob (owner) away", "cy (invited)"])

    def test_destroying_the_lobby_is_refused_without_a_question(self) -> None:
        """No account can delete it."""
        self.assertEqual(self.type("/destroy #Lobby"), ["! #lobby cannot be deleted."])
        self.assertEqual(self.screen.prompt, "#lobby> ")
        self.assertEqual(self.requests(), [])

    def test_refused_confirmation_deletes_no_room(self) -> None:
        """Any answer but yes refuses it."""
        self.assertEqual(self.type("/destroy #garden", "maybe"), ["(Not deleted.)"])
        self.assertEqual(self.requests(), [])

    def test_last_member_is_asked_before_it_leaves(self) -> None:
        """The room is deleted with that; not so the lobby."""
        self.type("/join #garden")
        be_alone(self.client)
        self.requests()
        self.type("/leave")
        self.assertEqual(
            self.screen.prompt,
            "You are the last member: #Garden will be deleted. Leave it? (y/n): ",
        )
        self.assertEqual(self.type("n"), ["(Not left.)"])
        self.assertEqual(self.requests(), [])
        self.type("/leave #garden", "y")
        self.assertEqual(self.requests(), [c.Leave(0, "#garden")])
        self.type("/leave #lobby")
        self.assertEqual(self.requests(), [c.Leave(0, "#lobby")])


class ScriptTests(ChatTestCase):
    """The input is a pipe."""

    interactive = False

    def test_last_member_leaves_without_a_question(self) -> None:
        """The next line is not an answer."""
        self.begin()
        be_alone(self.client)
        self.type("/leave #garden", "/leave #lobby")
        self.assertEqual(self.requests(), [c.Leave(0, "#garden"), c.Leave(0, "#lobby")])

    def test_destroy_needs_no_confirmation(self) -> None:
        """The next line is not an answer to a question."""
        self.begin()
        self.type("/destroy #garden", "hello")
        self.assertEqual(
            self.requests(), [c.DeleteRoom(0, "#garden"), c.Send(0, "#lobby", "hello")]
        )
