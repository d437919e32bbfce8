"""``/to``, ``/msg``, and lines without a command."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase, CommandTestCase, RequestCase
from tests.doubles.client import pushed

CASES: list[RequestCase] = [
    ("/to #lobby", [c.FindMembers(0, "#lobby")]),
    ("/msg bob  hi ", [c.Send(0, "bob", " hi ")]),
    ("/w #lobby hi", [c.Send(0, "#lobby", "hi")]),
    ("/to bob", []),
]


class SendingCommandTests(CommandTestCase):
    """A person in the lobby, where Bob has sent messages."""

    def test_commands_send_their_requests(self) -> None:
        """An account that has sent a message is not looked up."""
        self.check_requests(CASES)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage("/to", "/to a b", "/msg bob")

    def test_unknown_target_is_refused(self) -> None:
        """Accounts must exist, and rooms must have been joined."""
        self.client.answers[c.Who] = c.People(0, [c.Person("nobody", "unknown")])
        self.assertEqual(self.type("/to nobody"), ["! There is no account called nobody."])
        self.assertEqual(
            self.type("/to #garden"),
            ["! You are not a member of #garden: use /join #garden first."],
        )


class SendingTests(ChatTestCase):
    """A person in the lobby."""

    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def test_messages_go_to_the_target(self) -> None:
        """``/to`` changes it."""
        self.client.answers[c.Who] = c.People(0, [c.Person("Bob", "on")])
        self.type("hello", "/to bob", "hi")
        self.assertEqual(
            self.requests(),
            [c.Send(0, "#lobby", "hello"), c.Who(0, ["bob"]), c.Send(0, "Bob", "hi")],
        )

    def test_private_message_is_shown_when_it_is_stored(self) -> None:
        """A room message is shown when it is pushed."""
        self.client.answers[c.Who] = c.People(0, [c.Person("Bob", "on")])
        self.assertEqual(self.type("/to bob"), ["(Now talking to Bob.)"])
        self.assertEqual(self.screen.prompt, "Bob> ")
        self.assertEqual(self.type(" hi"), ["-> Bob:  hi"])
        self.assertEqual(self.type("/msg #lobby hi"), [])
        self.client.tell(pushed("#lobby", "alice", "hi"))
        self.assertEqual(self.printed(), ["#lobby <alice> hi"])
        self.assertEqual(self.type("/edit ho"), ['* alice edited "hi": ho'])
        self.assertEqual(self.requests()[-1], c.Edit(0, "@bob", 1, "ho"))

    def test_message_over_the_limit_is_not_sent(self) -> None:
        """The limit counts bytes of UTF-8."""
        self.assertIn("too long", self.type("\u00e9" * 32769)[0])
        self.assertEqual(self.requests(), [])
        self.type("\u00e9" * 32768)
        self.assertEqual(len(self.requests()), 1)

    def test_unknown_command_is_not_sent(self) -> None:
        """Two slashes send a line that begins with one."""
        self.assertEqual(
            self.type("/jion #x"), ["! There is no command /jion. Did you mean /join?"]
        )
        self.assertEqual(self.requests(), [])
        self.type("//jion")
        self.assertEqual(self.requests(), [c.Send(0, "#lobby", "/jion")])
