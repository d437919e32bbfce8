"""``/history``, once and repeated."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase, CommandTestCase, RequestCase
from tests.doubles.client import SINCE

CASES: list[RequestCase] = [
    ("/history", []),
    ("/clear-mailbox\ny", [c.ClearMailbox(0, 2**53 - 1)]),
    ("/clear-mailbox\nn", []),
]


class HistoryCommandTests(CommandTestCase):
    """A person in the lobby, whose log was empty at the login."""

    def test_history_of_an_empty_log_requests_nothing(self) -> None:
        """The log has no entries before those that were pushed."""
        self.check_requests(CASES)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage(
            "/history a b", "/history 0", "/history -3", "/history -3 bob", "/clear-mailbox 3"
        )


class HistoryTests(ChatTestCase):
    """Five entries in the lobby, four in the mailbox."""

    def setUp(self) -> None:
        super().setUp()
        self.client.logs["#lobby"].head = 5
        self.client.logs["@alice"].head = 4
        self.begin()

    def item(self, seq: int, sender: str, body: str, kind: str = "text", about: int = 0) -> c.Item:
        """An entry of a page."""
        return c.Item(seq, 100 + seq, SINCE + seq * 1000, sender, kind, body, about)

    def test_repeated_history_goes_further_back(self) -> None:
        """Edits and deletions are applied; another line ends the repetition."""
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

    def test_private_history_has_both_sides(self) -> None:
        """Own messages come from the cache; ``@me`` shows the whole mailbox."""
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

    def test_history_of_a_room_is_for_its_members(self) -> None:
        """The refusal names the room; a member may lack the right by its access token."""
        self.assertEqual(
            self.type("/history #garden"),
            ["! You are not a member of #garden, so you cannot read its history."],
        )
        self.client.scopes = ["send #garden"]
        self.assertEqual(
            self.type("/history #garden"),
            ["! The access token of this session does not permit reading #garden."],
        )

    def test_room_messages_of_blocked_accounts_are_hidden(self) -> None:
        """Pushed messages of these accounts are hidden too."""
        self.type("/block carl")
        self.printed()
        page = [self.item(1, "carl", "spam"), self.item(2, "bob", "hi")]
        self.client.answers[c.History] = c.Page(0, "#lobby", page)
        self.assertEqual(self.type("/history")[1:-1], ["#lobby <bob> hi"])
