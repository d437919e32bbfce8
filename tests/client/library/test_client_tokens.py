"""The client and resume tokens: reconnecting by them, and storing them."""

from __future__ import annotations

from typing import Any

from chatd.client import Connected, Disconnected, Refused, connect
from chatd.client.library.backoff import FIRST_DELAY, LONGEST_DELAY
from chatd.codecs import v1_messages as c
from tests.client.library.test_client import ClientCase

ENDED = ("wrong-password", "wrong password")


class TokenTests(ClientCase):
    """A client with the password "pw", which the server has sent a token."""

    def setUp(self) -> None:
        super().setUp()
        self.saved: list[str | None] = []
        self.client = self.connect(password="pw", save_token=self.saved.append)
        self.server.logins.clear()
        self.consume()
        self.server.send(c.Token("t1"))

    def used(self) -> list[str]:
        """The tokens that the client has tried since the last call."""
        tokens = [resume.token for resume in self.server.resumes]
        self.server.resumes.clear()
        return tokens

    def test_client_asks_for_tokens(self) -> None:
        """A program that chooses its features may leave them out."""
        self.assertIn("tokens", self.server.hellos[-1].features)
        self.connect(features=["typing"])
        self.assertEqual(self.server.hellos[-1].features, ["typing"])

    def test_lost_connection_is_resumed_by_the_token(self) -> None:
        """With the positions, and without the password."""
        self.server.send(self.server.entry(1))
        self.server.state = [c.LogState("@ann", 1, 1, 0, 0)]
        for _ in range(2):
            self.server.transport.disconnect()
            self.clock.advance(2 * FIRST_DELAY)
        self.assertEqual(self.server.logins, [])
        self.assertEqual(self.server.resumes[-1].positions, [c.Position("@ann", 1, 1)])
        self.assertEqual(self.used(), ["t1", "t1"])
        self.assertTrue(self.client.connected)

    def test_token_is_no_event(self) -> None:
        """It is a secret: programs print events."""
        self.assertEqual(self.events, [])

    def test_latest_token_is_used(self) -> None:
        """A changed password brings another one."""
        self.server.send(c.Token("t2"))
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(self.used(), ["t2"])

    def test_token_that_has_ended_gives_way_to_the_password(self) -> None:
        """On the same connection; it is not tried again."""
        self.server.login_refusals = [ENDED]
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual([login.password for login in self.server.logins], ["pw"])
        self.assertEqual(self.used(), ["t1"])
        self.assertTrue(self.client.connected)
        self.server.transport.disconnect()
        self.clock.advance(2 * FIRST_DELAY)
        self.assertEqual(self.used(), [])
        self.assertEqual([type(event) for event in self.events], 2 * [Disconnected, Connected])

    def test_wrong_password_after_a_token_that_has_ended_is_final(self) -> None:
        """The client gives up, as without a token."""
        self.server.login_refusals = [ENDED, ENDED]
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(self.failureResultOf(self.ended(), Refused).value.code, ENDED[0])

    def test_token_is_kept_while_the_server_is_busy(self) -> None:
        """A temporary refusal says nothing about the token."""
        self.server.login_refusals = [("busy", "later"), ("store-unavailable", "later")]
        self.server.transport.disconnect()
        for _ in range(3):
            self.clock.advance(LONGEST_DELAY)
        self.assertEqual(self.used(), ["t1"] * 3)
        self.assertEqual(self.server.logins, [])

    def test_older_server_gives_way_to_the_password(self) -> None:
        """It does not know the request."""
        self.server.login_refusals = [("unknown-command", "no")]
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(len(self.server.logins), 1)

    def test_new_tokens_are_saved(self) -> None:
        """None when the token has ended."""
        self.server.send(c.Token("t2"))
        self.server.login_refusals = [ENDED]
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(self.saved, ["t1", "t2", None])

    def test_close_ends_the_token(self) -> None:
        """The server ends it with the log-out."""
        self.successResultOf(self.start(self.client.close()))
        self.assertFalse(self.server.requests[-1].keep_token)
        self.assertEqual(self.saved, ["t1", None])

    def test_close_can_keep_the_token(self) -> None:
        """For the next run of the program."""
        self.successResultOf(self.start(self.client.close(keep_token=True)))
        self.assertTrue(self.server.requests[-1].keep_token)
        self.assertEqual(self.saved, ["t1"])

    def test_saved_token_logs_in_without_a_password(self) -> None:
        """It is still used when the connection is lost."""
        self.client = self.connect(token="t1")
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual((self.used(), self.server.logins), (["t1", "t1"], []))

    def test_saved_token_that_has_ended_gives_way_to_the_password(self) -> None:
        """Or to the refusal of a log-in without one."""
        self.server.login_refusals = [ENDED]
        self.connect(token="t0", password="pw")
        self.assertEqual([login.password for login in self.server.logins], ["pw"])
        self.server.login_refusals = [ENDED, ("password-required", "password required")]
        endpoint: Any = self.server
        connecting = self.start(
            connect("chat://test", "ann", token="t0", reactor=self.clock, endpoint=endpoint)
        )
        refused = self.failureResultOf(connecting, Refused).value
        self.assertEqual(refused.code, "password-required")
