"""``/edit``, ``/delete``, ``/react`` and ``/unreact``."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import CommandTestCase, RequestCase

CASES: list[RequestCase] = [
    ("/edit TWO", [c.Edit(0, "#lobby", 2, "TWO")]),
    ("/delete", [c.Retract(0, "#lobby", 2)]),
    ("/delete bob 2", [c.Retract(0, "#lobby", 1)]),
    ("/react \U0001f44d", [c.React(0, "#lobby", 3, "\U0001f44d")]),
    ("/react 3 +1", [c.React(0, "#lobby", 1, "+1")]),
    ("/unreact 2", [c.React(0, "#lobby", 2, "")]),
]


class EditTests(CommandTestCase):
    """A person in the lobby, where Bob has sent the first and the third of three messages."""

    def test_commands_send_their_requests(self) -> None:
        """A number counts from the latest message."""
        self.check_requests(CASES)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage("/edit", "/edit 2", "/delete 2 3", "/react", "/react 0 x", "/react a b")
        self.check_usage("/unreact x")

    def test_message_that_was_not_shown_cannot_be_changed(self) -> None:
        """There are too few messages, or none of the account."""
        sentence = (
            "! No such message has been shown in this conversation. /history shows earlier ones."
        )
        self.assertEqual(self.type("/edit 2 x", "/react 9 x", "/delete carl"), [sentence] * 3)
        self.assertEqual(self.requests(), [])

    def test_message_of_the_current_conversation_is_changed(self) -> None:
        """Messages of other conversations do not count."""
        self.type("/msg bob one", "/msg carl two", "/to bob")
        self.requests()
        self.check_requests(
            [
                ("/edit ONE", [c.Edit(0, "@bob", 1, "ONE")]),
                ("/delete", [c.Retract(0, "@bob", 1)]),
            ]
        )
