"""``/block``, ``/unblock`` and ``/blocked``."""

from __future__ import annotations

from chatd.client.library.errors import RefusedByServer
from chatd.codecs import v1_messages as c
from tests.doubles.chat import CommandTestCase, RequestCase
from tests.doubles.client import pushed

CASES: list[RequestCase] = [
    ("/block carl", [c.Block(0, "carl")]),
    ("/unblock carl", [c.Block(0, "carl", False)]),
    ("/blocked", [c.GetBlocked(0)]),
]


class BlockingTests(CommandTestCase):
    """A person in the lobby."""

    def test_commands_send_their_requests(self) -> None:
        """Each command sends one request."""
        self.check_requests(CASES)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage("/block", "/block a b", "/unblock", "/blocked carl")

    def test_own_account_cannot_be_blocked(self) -> None:
        """Nothing is requested. A block of earlier versions can be ended."""
        self.assertEqual(self.type("/block Alice"), ["! You cannot block yourself."])
        self.assertEqual(self.requests(), [])
        self.type("/unblock alice")
        self.assertEqual(self.requests(), [c.Block(0, "alice", False)])

    def test_result_is_printed(self) -> None:
        """The sentence names the command that ends the blocking."""
        self.assertEqual(
            self.type("/block carl", "/unblock carl"),
            [
                "(You will receive no messages from carl; /unblock carl ends this.)",
                "(You will receive messages from carl again.)",
            ],
        )

    def test_blocked_accounts_are_listed(self) -> None:
        """The list replaces what the client knew of blocked accounts."""
        self.assertEqual(self.type("/blocked"), ["(You block no accounts.)"])
        self.client.answers[c.GetBlocked] = c.Names(0, ["Carl", "dora"])
        self.assertEqual(self.type("/blocked"), ["Carl", "dora"])
        self.client.tell(pushed("#lobby", "carl", "spam", seq=4))
        self.assertEqual(self.printed(), [])

    def test_refused_request_blocks_no_account(self) -> None:
        """Room messages of the account are still shown."""
        self.client.answers[c.Block] = RefusedByServer("unknown-account", "There is no account.")
        self.assertEqual(self.type("/block carl"), ["! There is no account."])
        self.client.tell(pushed("#lobby", "carl", "hi", seq=4))
        self.assertEqual(self.printed(), ["#lobby <carl> hi"])
