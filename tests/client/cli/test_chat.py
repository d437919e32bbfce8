"""The dialogue of version 1."""

from __future__ import annotations

import json
from typing import Any

from chatd.client.cli.chat import PERSON_TIMEOUT, SCRIPT_TIMEOUT
from chatd.client.cli.commands import table as slash
from chatd.client.cli.event_pump import DRAIN_TIMEOUT
from chatd.client.cli.outbox import WINDOW
from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.client.library.events import Connected, Disconnected
from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase
from tests.doubles.client import SINCE, pushed, state


class BeginningTests(ChatTestCase):
    """Logged in, and in the lobby."""

    def test_in_the_lobby(self) -> None:
        """Who is a member already does not join again."""
        self.begin()
        self.assertEqual(
            self.greeting,
            ["(Logged in as alice. /help lists the commands.)", "(Now talking in #lobby.)"],
        )
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_joins_the_lobby(self) -> None:
        """Whoever is new does."""
        self.client.logs.pop("#lobby")
        self.client.answers[c.Join] = c.RoomState(0, state("#lobby"))
        self.begin()
        self.assertIn("#lobby", self.client.logs)
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_cannot_join_the_lobby(self) -> None:
        """That is said, and all else works."""
        self.client.logs.pop("#lobby")
        self.client.answers[c.Join] = RefusedByServer("busy", "Too much to do.")
        self.begin()
        self.assertEqual(self.greeting[-1], "! Too much to do.")
        self.assertEqual(
            self.type("hello"),
            ["! No room or account is selected: use /join #ROOM or /to NAME first."],
        )
        self.assertEqual(self.type("/msg bob hi"), ["-> bob: hi"])


class CommandTests(ChatTestCase):
    """What each command asks of the server."""

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

    def test_every_command(self) -> None:
        """The requests are those of the catalogue; a second line answers a question."""
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

    def test_wrong_arguments(self) -> None:
        """How it is typed; nothing is asked of the server."""
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

    def test_too_long(self) -> None:
        """It would be refused, or worse, not be understood at all."""
        self.assertIn("too long", self.type("\u00e9" * 32769)[0])
        self.assertEqual(self.requests(), [])
        self.type("\u00e9" * 32768)
        self.assertEqual(len(self.requests()), 1)

    def test_unknown_command(self) -> None:
        """Is not said to anybody; two slashes are."""
        self.assertEqual(
            self.type("/jion #x"), ["! There is no command /jion. Did you mean /join?"]
        )
        self.assertEqual(self.requests(), [])
        self.type("//jion")
        self.assertEqual(self.requests(), [c.Send(0, "#lobby", "/jion")])

    def test_refused(self) -> None:
        """The server's sentence; an unknown room can be made."""
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

    def test_nothing_to_change(self) -> None:
        """Not there, not seen."""
        sentence = (
            "! No such message has been shown in this conversation. /history shows earlier ones."
        )
        self.assertEqual(self.type("/edit 2 x", "/react 9 x", "/delete carl"), [sentence] * 3)

    def test_hidden_stays(self) -> None:
        """Going away does not end hiding."""
        self.client.answers[c.Who] = c.People(0, [c.Person("alice", "off")])
        self.type("/away")
        self.assertEqual(self.requests()[-1], c.SetPresence(0, True, "", True))

    def test_lists(self) -> None:
        """Page by page, to the end."""
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

    def test_status(self) -> None:
        """All of it."""
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


class TalkingTests(ChatTestCase):
    """Messages there and back."""

    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def test_targets(self) -> None:
        """Plain text goes where we are."""
        self.client.answers[c.Who] = c.People(0, [c.Person("Bob", "on")])
        self.type("hello", "/to bob", "hi")
        self.assertEqual(
            self.requests(),
            [c.Send(0, "#lobby", "hello"), c.Who(0, ["bob"]), c.Send(0, "Bob", "hi")],
        )

    def test_to_somebody(self) -> None:
        """A message to a person is shown when it is durable; in a room it is pushed, and shown
        then."""
        self.client.answers[c.Who] = c.People(0, [c.Person("Bob", "on")])
        self.assertEqual(self.type("/to bob"), ["(Now talking to Bob.)"])
        self.assertEqual(self.screen.prompt, "Bob> ")
        self.assertEqual(self.type(" hi"), ["-> Bob:  hi"])
        self.assertEqual(self.type("/msg #lobby hi"), [])
        self.client.tell(pushed("#lobby", "alice", "hi"))
        self.assertEqual(self.printed(), ["#lobby <alice> hi"])
        self.assertEqual(self.type("/edit ho"), ['* alice edited "hi": ho'])
        self.assertEqual(self.requests()[-1], c.Edit(0, "@bob", 1, "ho"))

    def test_entries(self) -> None:
        """Of all sorts, in words; about what was seen, with its text."""
        for entry, line in (
            (pushed("@alice", "bob", "psst", seq=1, id=10), "bob: psst"),
            (
                pushed("@alice", "bob", "psst!", "edit", seq=2, about=10),
                '* bob edited "psst": psst!',
            ),
            (
                pushed("@alice", "bob", "X", "reaction", seq=3, about=99),
                "* bob reacted X to an earlier message",
            ),
            (
                pushed("@alice", "bob", "#Garden", "invite", seq=4),
                "* bob invites you to #Garden: /join #Garden",
            ),
            (pushed("@alice", "bob", "?", "from the future", seq=5), None),
            (pushed("@alice", "bob", "", "delete", seq=6, about=10), '* bob deleted "psst!"'),
            (pushed("#lobby", "carl", "", "join", seq=1), "* carl joined #lobby"),
            (pushed("#lobby", "carl", "hi\nyou", seq=2, id=20), "#lobby <carl> hi\nyou"),
            (
                pushed("#lobby", "bob", "+1", "reaction", seq=3, about=20),
                '* bob reacted +1 to carl\'s "hi you" in #lobby',
            ),
            (
                pushed("#lobby", "bob", "", "reaction", seq=4, about=20),
                '* bob removed a reaction to carl\'s "hi you" in #lobby',
            ),
            (
                pushed("#lobby", "bob", "Frost", "topic", seq=5),
                "* bob set the topic of #lobby: Frost",
            ),
            (pushed("#lobby", "bob", "", "topic", seq=6), "* bob removed the topic of #lobby"),
            (pushed("#lobby", "bob", "private", "access", seq=7), "* bob made #lobby private"),
            (
                pushed("#lobby", "bob", "carl moderator", "role", seq=8),
                "* bob changed the role of carl in #lobby to moderator",
            ),
            (pushed("#lobby", "bob", "carl", "kick", seq=9), "* bob kicked carl from #lobby"),
            (pushed("#lobby", "bob", "", "leave", seq=10), "* bob left #lobby"),
        ):
            self.client.tell(entry)
            self.assertEqual(self.printed(), [line] if line else [], entry)

    def test_other_sessions(self) -> None:
        """What we said elsewhere is shown, and can be changed here."""
        self.client.tell(c.Sent("@bob", 7, 70, SINCE, "text", "from my phone"))
        self.assertEqual(self.printed(), ["-> bob: from my phone"])
        self.client.answers[c.Who] = c.People(0, [c.Person("bob", "on")])
        self.type("/to bob", "/edit from my desk")
        self.assertEqual(self.requests()[-1], c.Edit(0, "@bob", 7, "from my desk"))
        self.client.tell(pushed("#lobby", "alice", "me too"))
        self.assertEqual(self.printed()[-1], "#lobby <alice> me too")

    def test_blocked(self) -> None:
        """What they say in rooms is hidden, what they do is not."""
        self.client.answers[c.GetBlocked] = c.Names(0, ["Carl"])
        self.client.tell(Connected())
        self.printed()
        self.client.tell(
            pushed("#lobby", "carl", "spam"), pushed("#lobby", "carl", "", "leave", seq=2)
        )
        self.assertEqual(self.printed(), ["* carl left #lobby"])
        self.type("/unblock carl")
        self.client.tell(pushed("#lobby", "carl", "sorry", seq=3))
        self.assertEqual(self.printed()[-1], "#lobby <carl> sorry")
        self.type("/block carl")
        self.client.tell(pushed("#lobby", "carl", "spam", seq=4), c.Typing("#lobby", "carl", True))
        self.assertEqual(self.printed()[1:], [])
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_events(self) -> None:
        """In words; a connection that is tried again and again is lost once."""
        for event, lines in (
            (c.Presence(c.Person("bob", "away", "lunch")), ["* bob is away: lunch"]),
            (c.Presence(c.Person("bob", "off", "", SINCE)), None),
            (c.Joined(state("#garden")), []),
            (
                Disconnected("Timed out.", 1.0),
                ["* the connection is lost (Timed out); reconnecting"],
            ),
            (Disconnected("", 2.0), []),
            (Connected(), ["* reconnected"]),
            (
                c.Goodbye("stopping", "The server stops."),
                ["* message from the server: The server stops."],
            ),
        ):
            self.client.tell(event)
            shown = self.printed()
            if lines is not None:
                self.assertEqual(shown, lines)

    def test_left(self) -> None:
        """Whoever is no member any more talks in the lobby again."""
        self.client.answers[c.Join] = c.RoomState(0, state("#Garden"))
        self.type("/join #garden")
        self.assertEqual(self.screen.prompt, "#Garden> ")
        self.client.tell(c.Left("#Garden", "kicked"))
        self.assertEqual(
            self.printed()[-2:], ["* you were kicked from #Garden", "(Now talking in #lobby.)"]
        )
        self.assertEqual(self.screen.prompt, "#lobby> ")
        self.client.logs.pop("#lobby")
        self.client.tell(c.Left("#lobby", "left"))
        self.assertEqual(self.screen.prompt, "> ")

    def test_receipts(self) -> None:
        """Small, and gathered; of edits they are not shown."""
        self.type("/msg bob one", "/msg bob two")
        self.client.tell(
            c.Receipt("@bob", "delivered", [1, 2]), c.Receipt("@bob", "delivered", [3])
        )
        self.client.tell(c.Receipt("@bob", "read", [1]), c.Receipt("@alice", "read", [5]))
        self.assertEqual(self.printed(), [])
        self.clock.advance(3)
        self.assertEqual(self.printed(), ["(read by bob)", "(delivered to bob)"])

    def test_read(self) -> None:
        """What was shown to a person is marked as read, a moment later."""
        self.client.tell(
            pushed("@alice", "bob", "one", seq=1), pushed("@alice", "bob", "two", seq=2)
        )
        self.client.tell(pushed("#lobby", "bob", "x", seq=1))
        self.assertEqual(self.requests(), [])
        self.clock.advance(1)
        self.assertEqual(self.requests(), [c.MarkRead(0, "@alice", 2), c.MarkRead(0, "#lobby", 1)])

    def test_typing(self) -> None:
        """Others see that we write, and we see that they do."""
        composer = self.screen.composer
        assert composer is not None
        composer.text_changed("h")
        composer.text_changed("he")
        self.assertEqual(self.requests(), [c.SayTyping(0, "#lobby", True)])
        composer.text_changed("/he")
        self.assertEqual(self.requests(), [c.SayTyping(0, "#lobby", False)])
        self.client.tell(c.Typing("#lobby", "bob", True), c.Typing("@alice", "carl", True))
        self.assertEqual(self.screen.prompt, "#lobby (bob typing)> ")
        self.client.tell(pushed("#lobby", "bob", "hi"))
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_keeps(self) -> None:
        """Commands stay on the screen; what is said comes back as others see it."""
        composer = self.screen.composer
        assert composer is not None
        self.assertTrue(composer.stays_on_screen("/who"))
        for line in ("hi", "//hi", "/msg bob hi"):
            self.assertFalse(composer.stays_on_screen(line))

    def test_completion(self) -> None:
        """Everybody who was seen, and all members."""
        self.client.tell(pushed("#lobby", "Bobert", "hi"))
        composer = self.screen.composer
        assert composer is not None
        self.assertEqual(composer.complete("/msg bo"), ["/msg Bobert "])
        self.assertEqual(composer.complete("/to #l"), ["/to #lobby "])


class HistoryTests(ChatTestCase):
    """/history, and again /history."""

    def setUp(self) -> None:
        super().setUp()
        self.client.logs["#lobby"].head = 5
        self.client.logs["@alice"].head = 4
        self.begin()

    def item(self, seq: int, sender: str, body: str, kind: str = "text", about: int = 0) -> c.Item:
        """An entry of a page."""
        return c.Item(seq, 100 + seq, SINCE + seq * 1000, sender, kind, body, about)

    def test_room(self) -> None:
        """Back, page by page; as things are now."""
        self.client.answers[c.History] = [
            c.Page(
                0, "#lobby", [self.item(4, "bob", "b"), self.item(5, "bob", "B", "edit", 104)], True
            ),
            c.Page(
                0,
                "#lobby",
                [self.item(2, "bob", "x"), self.item(3, "bob", "", "delete", 102)],
                True,
            ),
            c.Page(0, "#lobby", [self.item(1, "bob", "", "join")]),
        ]
        self.assertEqual(
            self.type("/history 2"),
            [
                "(--- earlier messages ---)",
                "#lobby <bob> B (edited)",
                "(--- repeat /history for older messages ---)",
            ],
        )
        self.assertEqual(self.type("/history 2")[1], "#lobby <bob> (deleted)")
        self.assertEqual(
            self.type("/history 2")[1:], ["* bob joined #lobby", "(--- no older messages ---)"]
        )
        self.assertEqual(
            self.requests(),
            [
                c.History(0, "#lobby", 0, 6, 2),
                c.History(0, "#lobby", 0, 4, 2),
                c.History(0, "#lobby", 0, 2, 2),
            ],
        )
        self.type("hi")
        self.client.answers[c.History] = c.Page(0, "#lobby", [])
        self.type("/history")
        self.assertEqual(self.requests()[-1], c.History(0, "#lobby", 0, 6, 20))

    def test_person(self) -> None:
        """What they sent us, from among all that was sent to us, and what we sent them."""
        self.client.tell(c.Sent("@bob", 9, 99, SINCE + 2500, "text", "and you?"))
        self.printed()
        page = [self.item(1, "bob", "hi"), self.item(2, "carl", "x"), self.item(3, "bob", "fine")]
        self.client.answers[c.History] = c.Page(0, "@alice", page)
        self.assertEqual(
            self.type("/history bob")[1:-1], ["bob: hi", "-> bob: and you?", "bob: fine"]
        )
        self.assertEqual(len(self.type("/history @me")[1:-1]), 3)
        self.client.answers[c.History] = c.Page(0, "@alice", page, True)
        self.assertEqual(self.type("/history 1 bob")[1:-1], ["bob: fine"])

    def test_not_a_member(self) -> None:
        """Then there is nothing to read."""
        self.assertEqual(
            self.type("/history #garden"),
            ["! You are not a member of #garden, so you cannot read its history."],
        )

    def test_blocked(self) -> None:
        """Is left out here, too."""
        self.type("/block carl")
        self.printed()
        page = [self.item(1, "carl", "spam"), self.item(2, "bob", "hi")]
        self.client.answers[c.History] = c.Page(0, "#lobby", page)
        self.assertEqual(self.type("/history")[1:-1], ["#lobby <bob> hi"])


class LosingTests(ChatTestCase):
    """The connection comes and goes."""

    def setUp(self) -> None:
        super().setUp()
        self.client.slow = True
        self.begin()

    def test_said_meanwhile(self) -> None:
        """It is sent when the connection is back; commands cannot be carried out."""
        self.client.connected = False
        self.client.tell(Disconnected("", 1.0))
        self.assertEqual(
            self.type("/msg bob hi"),
            [
                "* the connection is lost; reconnecting",
                "(Not connected: the message will be sent after reconnecting.)",
            ],
        )
        self.assertEqual(self.type("/who"), ["! The connection to the server is closed."])
        self.client.connected = True
        self.client.tell(Connected())
        self.client.accept()
        self.assertEqual(self.printed(), ["* reconnected", "-> bob: hi"])

    def test_leaving_meanwhile(self) -> None:
        """Whoever does not wait is told what was not sent."""
        self.client.connected = False
        shown = self.type("/msg bob hi", "/quit")
        self.assertEqual(self.successResultOf(self.ended), 1)
        self.assertEqual(
            shown[1:], ["! 1 message was not acknowledged and may not have been sent."]
        )

    def test_leaving(self) -> None:
        """What is under way is waited for, for a while."""
        self.type("/msg bob hi", "/quit")
        self.assertNoResult(self.ended)
        self.client.accept()
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.printed(), ["-> bob: hi"])

    def test_leaving_a_silent_server(self) -> None:
        """But not for long."""
        self.type("/msg bob hi", "/quit")
        self.clock.advance(PERSON_TIMEOUT)
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_interrupt_while_leaving(self) -> None:
        """Whoever does not want to wait that long need not."""
        self.type("/msg bob hi", "/quit")
        self.chat.interrupt(0, "")
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertTrue(self.client.closed)

    def test_not_let_in_again(self) -> None:
        """The sentence, and the end."""
        self.client.tell(RefusedByServer("wrong-password", "wrong password"))
        self.assertEqual(self.printed(), ["! wrong password"])
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_interrupt(self) -> None:
        """Leave now."""
        self.type("/msg bob hi")
        self.chat.interrupt(130, "Interrupted.")
        self.assertEqual(self.successResultOf(self.ended), 130)
        self.assertTrue(self.client.closed)
        self.assertEqual(self.printed()[-1], "! Interrupted.")

    def test_interrupt_while_waiting(self) -> None:
        """Whatever is being waited for."""
        self.type("/msg bob hi", "/who")
        self.chat.interrupt(0, "")
        self.assertEqual(self.successResultOf(self.ended), 0)


class ScriptTests(ChatTestCase):
    """In a pipe."""

    interactive = False

    def test_end_of_input(self) -> None:
        """Answers are waited for, and what waits is shown; then it leaves."""
        self.client.slow = True
        self.client.logs["@alice"].head = 2
        self.begin()
        self.type("/msg bob hi")
        self.screen.end_input()
        self.assertNoResult(self.ended)
        self.client.accept()
        self.client.tell(pushed("@alice", "bob", "one", seq=1))
        self.clock.advance(0)
        self.assertNoResult(self.ended)
        self.client.tell(pushed("@alice", "bob", "two", seq=2))
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.printed(), ["-> bob: hi", "bob: one", "bob: two"])
        self.clock.advance(10)
        self.assertEqual([each for each in self.requests() if isinstance(each, c.MarkRead)], [])

    def test_nothing_more_comes(self) -> None:
        """What is too old to be kept never comes."""
        self.client.logs["@alice"].head = 2
        self.begin()
        self.screen.end_input()
        self.assertNoResult(self.ended)
        self.clock.advance(DRAIN_TIMEOUT)
        self.assertEqual(self.successResultOf(self.ended), 0)

    def test_slow_reader(self) -> None:
        """Whoever does not read what is written is waited for."""
        self.client.logs["@alice"].head = 1
        self.begin()
        source = self.screen.source
        assert source is not None
        source.pauseProducing()
        self.client.tell(pushed("@alice", "bob", "one", seq=1))
        self.screen.end_input()
        self.clock.advance(DRAIN_TIMEOUT)
        self.assertNoResult(self.ended)
        source.resumeProducing()
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertEqual(self.printed(), ["bob: one"])

    def test_server_silent(self) -> None:
        """For a minute."""
        self.client.slow = True
        self.begin()
        self.type("/msg bob hi")
        self.screen.end_input()
        self.clock.advance(SCRIPT_TIMEOUT)
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_window(self) -> None:
        """A script that says much is not read faster than it is answered."""
        self.client.slow = True
        self.begin()
        for _ in range(WINDOW):
            self.assertEqual(self.screen.prompt, "#lobby> ")
            self.type("/msg bob x")
        self.assertEqual(self.screen.prompt, "")
        self.client.accept()
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_order(self) -> None:
        """A command begins when what was said before is durable."""
        self.client.slow = True
        self.begin()
        self.type("/msg bob x", "/blocked")
        self.assertEqual(len(self.requests()), 1)
        self.client.accept()
        self.assertEqual(self.requests(), [c.GetBlocked(0)])

    def test_status_of_refusals(self) -> None:
        """All else goes on; the exit status tells."""
        self.begin()
        self.client.slow = True
        self.type("/msg nobody hi", "/msg bob hi")
        self.client.accept(RefusedByServer("unknown-account", "There is no account of that name."))
        self.client.accept()
        self.screen.end_input()
        self.assertEqual(self.printed(), ["! There is no account of that name.", "-> bob: hi"])
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_unasked(self) -> None:
        """A script means what it says; its next line is the new password."""
        self.begin(password="old")
        self.type("/destroy #garden", "/passwd", "new", "/unregister")
        self.assertEqual(
            self.requests(),
            [
                c.DeleteRoom(0, "#garden"),
                c.ChangePassword(0, "old", "new"),
                c.DeleteAccount(0, "new"),
            ],
        )
        self.assertEqual(self.successResultOf(self.ended), 0)


class ProgramTests(ChatTestCase):
    """With --json."""

    interactive = False
    json = True

    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def told(self, *lines: str) -> list[dict[str, Any]]:
        """What comes of these lines."""
        return [json.loads(line) for line in self.type(*lines)]

    def test_greeting(self) -> None:
        """The server, and who we are."""
        welcome, logged_in = map(json.loads, self.greeting)
        self.assertEqual((welcome["type"], welcome["limits"]["text"]), ("welcome", 65536))
        self.assertEqual(
            logged_in, {"type": "logged_in", "name": "alice", "logs": ["@alice", "#lobby"]}
        )

    def test_requests(self) -> None:
        """As JSON; answers carry their `ref`."""
        self.assertEqual(
            self.told('{"send": {"recipient": "bob", "text": "hi", "ref": 7}}'),
            [
                {
                    "type": "accepted",
                    "request": "send",
                    "ref": 7,
                    "log": "@bob",
                    "seq": 1,
                    "id": 4001,
                    "time": SINCE,
                }
            ],
        )
        self.assertEqual(
            self.told('{"set_topic": {"room": "#lobby", "topic": "x"}}'),
            [{"type": "done", "request": "set_topic"}],
        )
        self.client.answers[c.Leave] = RefusedByServer(
            "unknown-room", "There is no room of that name."
        )
        refusal = {
            "type": "refusal",
            "code": "unknown-room",
            "sentence": "There is no room of that name.",
        }
        self.assertEqual(
            self.told('{"leave": {"ref": 8, "room": "#x"}}'),
            [{**refusal, "request": "leave", "ref": 8}],
        )
        self.assertEqual(
            self.requests(),
            [c.Send(0, "bob", "hi"), c.SetTopic(0, "#lobby", "x"), c.Leave(0, "#x")],
        )
        self.assertEqual(self.told('{"nonsense": {}}')[0]["code"], "malformed")
        self.told('{"log_out": {}}')
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_blocking(self) -> None:
        """However it was asked for."""
        self.told('{"block": {"name": "Carl"}}')
        self.client.tell(pushed("#lobby", "carl", "spam"))
        self.assertEqual(self.printed(), [])

    def test_lines(self) -> None:
        """Plain lines and commands work as well."""
        self.assertEqual(self.told("hello")[0]["type"], "accepted")
        self.assertEqual(self.told("/topic"), [{"type": "line", "text": "#lobby: (no topic)"}])
        self.assertEqual(self.told("/foo")[0]["code"], "usage")
        self.client.answers[c.FindMembers] = c.Members(0, [c.Member("bob", "owner")])
        self.client.answers[c.Who] = c.People(0, [c.Person("bob", "on")])
        (members,) = self.told("/who")
        self.assertEqual(members["members"], [{"name": "bob", "role": "owner"}])
        self.assertEqual(
            members["people"], [{"name": "bob", "status": "on", "text": "", "seen": 0}]
        )

    def test_events(self) -> None:
        """With the catalogue's names."""
        entry = {
            "log": "#lobby",
            "seq": 1,
            "id": 1,
            "time": SINCE + 1000,
            "sender": "bob",
            "kind": "text",
        }
        for event, told in (
            (pushed("#lobby", "bob", "hi"), {"type": "pushed", **entry, "body": "hi", "about": 0}),
            (
                c.Receipt("@bob", "read", [1]),
                {"type": "receipt", "log": "@bob", "what": "read", "seqs": [1]},
            ),
            (
                c.Typing("#lobby", "bob", True),
                {"type": "typing", "log": "#lobby", "name": "bob", "typing": True},
            ),
            (Disconnected("x", 0.5), {"type": "disconnected", "reason": "x", "retry_in": 0.5}),
            (Disconnected("y", 1.0), {"type": "disconnected", "reason": "y", "retry_in": 1.0}),
            (Connected(), {"type": "connected"}),
            (c.Left("#lobby", "left"), {"type": "left", "room": "#lobby", "reason": "left"}),
        ):
            self.client.tell(event)
            self.assertEqual(list(map(json.loads, self.printed())), [told])

    def test_history(self) -> None:
        """As it is stored."""
        self.client.logs["#lobby"].head = 1
        self.client.answers[c.History] = c.Page(
            0, "#lobby", [c.Item(1, 5, SINCE, "bob", "text", "hi")]
        )
        (history,) = self.told("/history")
        self.assertEqual((history["entries"][0]["body"], history["more"]), ("hi", False))

    def test_lost(self) -> None:
        """An error is a refusal, too."""
        self.client.tell(ConnectionClosed())
        self.assertEqual(json.loads(self.printed()[-1])["code"], "disconnected")
        self.assertEqual(self.successResultOf(self.ended), 1)
