"""``/report``."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import CommandTestCase, RequestCase
from tests.doubles.client import pushed

CASES: list[RequestCase] = [("/report bob rude", [c.Report(0, "bob", "rude", "#lobby", 3)])]


class ReportTests(CommandTestCase):
    """A person in the lobby, where Bob has sent messages."""

    def test_latest_message_of_the_account_is_reported(self) -> None:
        """It is the latest one in the current room."""
        self.check_requests(CASES)

    def test_private_message_is_reported_outside_of_rooms(self) -> None:
        """The latest one from the account."""
        self.client.tell(pushed("@alice", "bob", "psst", seq=8, id=80))
        self.type("/to bob")
        self.requests()
        self.check_requests([("/report bob rude", [c.Report(0, "bob", "rude", "@alice", 8)])])

    def test_account_without_messages_is_reported_without_one(self) -> None:
        """The sentence mentions a message only if there is one."""
        self.assertEqual(
            self.type("/report carl very  rude", "/report bob rude"),
            [
                "(You have reported carl to the operators.)",
                "(You have reported bob to the operators, with their latest message.)",
            ],
        )
        self.assertEqual(self.requests()[0], c.Report(0, "carl", "very  rude", "", 0))

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage("/report", "/report bob", "/report bob ")
