"""``/receipts``."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import CommandTestCase, RequestCase
from tests.doubles.client import SINCE, pushed

CASES: list[RequestCase] = [("/receipts", [c.GetReceipts(0, "@bob", [1])])]


class ReceiptTests(CommandTestCase):
    """A person who talks to Bob."""

    def test_receipts_of_own_messages_are_requested(self) -> None:
        """Received messages have none."""
        self.client.tell(pushed("@alice", "bob", "yes?", seq=1, id=99))
        self.type("/msg bob  hi ", "/to bob")
        self.requests()
        self.check_requests(CASES)

    def test_receipts_are_printed_with_the_texts(self) -> None:
        """Each message has one line."""
        self.type("/msg bob hi", "/to bob")
        self.assertEqual(self.type("/receipts"), ['delivered: "hi"'])

    def test_only_the_latest_ten_messages_are_requested(self) -> None:
        """The seqs are those of Bob's mailbox."""
        self.type("/to bob", *map(str, range(12)))
        self.requests()
        self.check_requests([("/receipts", [c.GetReceipts(0, "@bob", list(range(3, 13)))])])

    def test_receipts_exist_for_private_messages_only(self) -> None:
        """The error names the command that chooses a conversation."""
        self.assertEqual(
            self.type("/receipts"), ["! Only private messages have receipts: use /to NAME first."]
        )
        self.type("/to bob")
        self.assertEqual(
            self.type("/receipts"), ["! This client has not yet shown a message from you to bob."]
        )
        self.assertEqual(self.requests(), [])

    def test_messages_of_other_sessions_have_receipts(self) -> None:
        """This client must have shown the messages."""
        self.client.tell(c.Sent("@bob", 7, 70, SINCE, "text", "from my phone"))
        self.type("/to bob")
        self.requests()
        self.check_requests([("/receipts", [c.GetReceipts(0, "@bob", [7])])])

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage("/receipts bob")
