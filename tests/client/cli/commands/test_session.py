"""``/status`` and ``/quit``."""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from tests.doubles.chat import CommandTestCase, RequestCase

CASES: list[RequestCase] = [("/status", [c.Ping(0)]), ("/quit", [])]


class SessionTests(CommandTestCase):
    """A person in the lobby."""

    def test_commands_send_their_requests(self) -> None:
        """``/quit`` ends the client."""
        self.check_requests(CASES)
        self.assertEqual(self.successResultOf(self.ended), 0)
        self.assertTrue(self.client.closed)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """The client does not end."""
        self.check_usage("/status x", "/quit now")
        self.assertNoResult(self.ended)

    def test_status_shows_account_connection_and_rooms(self) -> None:
        """Each of them has one line."""
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

    def test_status_works_without_a_connection(self) -> None:
        """No round trip is measured."""
        self.client.connected = False
        self.client.logs.pop("#lobby")
        self.assertEqual(
            self.type("/status")[2:],
            ["connection: lost, reconnecting", "rooms: none", "talking to: #lobby"],
        )
        self.assertEqual(self.requests(), [])
