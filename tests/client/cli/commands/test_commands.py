"""Each command: its requests, its output, its errors."""

from __future__ import annotations

from typing import Any

from chatd.client.cli.commands import table as slash
from chatd.client.library.errors import RefusedByServer
from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase
from tests.doubles.client import SINCE, pushed, state


class CommandTests(ChatTestCase):
    """A person in the lobby, with three messages in it."""

    def setUp(self) -> None:
        super().setUp()
        self.client.answers |= {
            c.Join: c.RoomState(0, state("#Garden", 3, "Seeds")),
            c.CreateRoom: c.RoomState(0, state("#Garden")),
            c.FindRooms: c.Rooms(0, []),
            c.FindAccounts: c.Names(0, []),
            c.GetReceipts: c.Receipts(0, "@bob", [c.ReceiptState(1, True, False)]),
            c.History: c.Page(0, "#lobby", []),
            c.Ping: c.Pong(0),
        }
        self.begin(password="secret")
        self.client.tell(
            pushed("#lobby", "bob", "one", seq=1),
            pushed("#lobby", "alice", "two", seq=2),
            pushed("#lobby", "bob", "three", seq=3),
        )
        self.clock.advance(1)
        self.requests()
        self.printed()

    def test_each_command_sends_its_requests(self) -> None:
        """The second line of a case answers a question."""
        members = [c.FindMembers(0, "#Garden")]
        me = c.Who(0, ["alice"])
        cases: list[tuple[str, list[Any]]] = [
            ("/help", []),
            ("/help join", []),
            ("/to #lobby", [c.FindMembers(0, "#lobby")]),
            ("/msg bob  hi ", [c.Send(0, "bob", " hi ")]),
            ("/w #lobby hi", [c.Send(0, "#lobby", "hi")]),
            ("/edit TWO", [c.Edit(0, "#lobby", 2, "TWO")]),
            ("/delete", [c.Retract(0, "#lobby", 2)]),
            ("/delete bob 2", [c.Retract(0, "#lobby", 1)]),
            ("/react \U0001f44d", [c.React(0, "#lobby", 3, "\U0001f44d")]),
            ("/react 3 +1", [c.React(0, "#lobby", 1, "+1")]),
            ("/unreact 2", [c.React(0, "#lobby", 2, "")]),
            ("/history", []),
            ("/join #garden", [c.Join(0, "#garden"), *members]),
            ("/join garden", [c.Join(0, "#garden"), *members]),
            ("/leave", [c.Leave(0, "#Garden")]),
            ("/leave #lobby", [c.Leave(0, "#lobby")]),
            (
                "/create #garden Seeds and  bulbs",
                [c.CreateRoom(0, "#garden", "Seeds and  bulbs"), *members],
            ),
            ("/create #garden --private X", [c.CreateRoom(0, "#garden", "X", True), *members]),
            ("/create --private #garden", [c.CreateRoom(0, "#garden", "", True), *members]),
            ("/rooms", [c.FindRooms(0, "*")]),
            ("/rooms g*", [c.FindRooms(0, "#g*")]),
            ("/who", [c.FindMembers(0, "#Garden"), c.Who(0, [])]),
            ("/who bob carl", [c.Who(0, ["bob", "carl"])]),
            ("/topic", []),
            ("/topic Frost!", [c.SetTopic(0, "#Garden", "Frost!")]),
            ("/topic -", [c.SetTopic(0, "#Garden", "")]),
            ("/private", [c.SetPrivate(0, "#Garden", True)]),
            ("/public #lobby", [c.SetPrivate(0, "#lobby", False)]),
            ("/invite bob", [c.Invite(0, "#Garden", "bob")]),
            ("/kick bob #lobby", [c.Kick(0, "#lobby", "bob")]),
            ("/role bob moderator", [c.SetRole(0, "#Garden", "bob", "moderator")]),
            ("/destroy #garden\ny", [c.DeleteRoom(0, "#garden")]),
            ("/destroy #garden\nn", []),
            ("/list b*", [c.FindAccounts(0, "b*")]),
            ("/list", [c.FindAccounts(0, "*")]),
            ("/seen bob", [c.Who(0, ["bob"])]),
            ("/watch bob carl", [c.Who(0, ["bob", "carl"], True)]),
            ("/unwatch bob", [c.Unwatch(0, ["bob"])]),
            ("/away having lunch", [me, c.SetPresence(0, True, "having lunch")]),
            ("/hide", [c.SetPresence(0, True, "having lunch", True)]),
            ("/show", [c.SetPresence(0, True, "having lunch")]),
            ("/back", [me, c.SetPresence(0)]),
            ("/block carl", [c.Block(0, "carl")]),
            ("/unblock carl", [c.Block(0, "carl", False)]),
            ("/blocked", [c.GetBlocked(0)]),
            ("/report bob rude", [c.Report(0, "bob", "rude", "#lobby", 3)]),
            ("/to bob", []),
            ("/receipts", [c.GetReceipts(0, "@bob", [1])]),
            ("/passwd\nsecret\nnew\nnew", [c.ChangePassword(0, "secret", "new")]),
            ("/passwd\nnew\n", [c.ChangePassword(0, "new", None)]),
            ("/certificate ab:cd ef", [c.SetCertificates(0, ["ab:cd", "ef"])]),
            ("/certificate none", [c.SetCertificates(0, [])]),
            ("/status", [c.Ping(0)]),
            ("/unregister\nn", []),
            ("/unregister\ny", [c.DeleteAccount(0)]),
        ]
        met = {line.split()[0].removeprefix("/") for line, _ in cases} | {"quit", "msg"}
        self.assertEqual({command.name for command in slash.COMMANDS} - met, set())
        for line, requests in cases:
            if line == "/report bob rude":
                self.type("/to #lobby")
                self.requests()
            shown = self.type(*line.split("\n"))
            self.assertEqual(self.requests(), requests, line)
            self.assertFalse(any(each.startswith("!") for each in shown), (line, shown))
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        for line in (
            "/to",
            "/to a b",
            "/msg bob",
            "/edit",
            "/edit 2",
            "/delete 2 3",
            "/react",
            "/react 0 x",
            "/react a b",
            "/history a b",
            "/join",
            "/leave bob",
            "/create",
            "/invite #lobby",
            "/kick",
            "/role bob king",
            "/destroy",
            "/seen",
            "/watch",
            "/block a b",
            "/report bob",
            "/passwd x",
            "/status x",
            "/quit now",
        ):
            usage = slash.parse(line)[0].usage
            self.assertEqual(self.type(line), [f"! Usage: {usage}"], line)
        self.assertEqual(self.requests(), [])

    def test_refusal_is_printed(self) -> None:
        """Some commands add a hint."""
        self.client.answers[c.Join] = RefusedByServer(
            "unknown-room", "There is no room of that name."
        )
        self.assertEqual(
            self.type("/join #x"),
            ["! There is no room #x, or it is private. /create #x creates a room."],
        )
        self.client.answers[c.Kick] = RefusedByServer("not-allowed", "That takes another role.")
        self.assertEqual(self.type("/kick bob"), ["! That takes another role."])
        self.client.answers[c.Who] = c.People(0, [c.Person("nobody", "unknown")])
        self.assertEqual(self.type("/to nobody"), ["! There is no account nobody."])
        self.assertEqual(
            self.type("/to #garden"),
            ["! You are not a member of #garden: use /join #garden first."],
        )

    def test_edit_of_a_message_that_was_not_shown_is_refused(self) -> None:
        """As are reactions and deletions."""
        sentence = (
            "! No such message has been shown in this conversation. /history shows earlier ones."
        )
        self.assertEqual(self.type("/edit 2 x", "/react 9 x", "/delete carl"), [sentence] * 3)

    def test_away_does_not_end_hiding(self) -> None:
        """The account may have been hidden by an earlier session."""
        self.client.answers[c.Who] = c.People(0, [c.Person("alice", "off")])
        self.type("/away")
        self.assertEqual(self.requests()[-1], c.SetPresence(0, True, "", True))

    def test_lists_are_requested_page_by_page(self) -> None:
        """To the last page."""
        self.client.answers[c.FindAccounts] = [c.Names(0, ["a", "b"], True), c.Names(0, ["c"])]
        self.assertEqual(self.type("/list"), ["a", "b", "c"])
        self.assertEqual(self.requests(), [c.FindAccounts(0, "*"), c.FindAccounts(0, "*", "b")])
        room = c.RoomInfo("#Garden", SINCE, "Seeds", True, "bob", 1, "owner")
        self.client.answers[c.FindRooms] = [c.Rooms(0, [room], True, "#garden"), c.Rooms(0, [])]
        self.assertEqual(self.type("/rooms"), ["#Garden (1 member, private, owner) Seeds"])
        self.client.answers[c.FindMembers] = c.Members(
            0, [c.Member("Bob", "owner"), c.Member("cy", "invited")]
        )
        self.client.answers[c.Who] = c.People(0, [c.Person("Bob", "away"), c.Person("cy", "off")])
        self.assertEqual(self.type("/who #garden"), ["Bob (owner) away", "cy (invited)"])

    def test_status_shows_account_connection_and_rooms(self) -> None:
        """One line for each."""
        self.assertEqual(
            self.type("/away lunch", "/status")[1:],
            [
                "account: alice (away: lunch)",
                "server: chatd 1.2 at chat://localhost:65432",
                "connection: connected, round trip 0 ms",
                "rooms: #lobby",
                "talking to: #lobby",
            ],
        )
