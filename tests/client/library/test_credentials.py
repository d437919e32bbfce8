"""What a client logs in with, above all while it is not known which password is the account's."""

from __future__ import annotations

from chatd.client import ConnectionClosed, Refused
from chatd.client.library.backoff import FIRST_DELAY
from chatd.codecs import v1_messages as c
from tests.client.library.test_client import ClientCase

WRONG = ("wrong-password", "wrong password")


class PasswordTests(ClientCase):
    """A client with the password "old" that changes it."""

    def setUp(self) -> None:
        super().setUp()
        self.client = self.connect(password="old")
        self.server.logins.clear()

    def change(self, new: str | None, old: str | None = "old") -> None:
        """Request a new password; the connection is lost before the answer."""
        changing = self.start(self.client.change_password(old, new))
        self.server.transport.disconnect()
        self.failureResultOf(changing, ConnectionClosed)

    def passwords(self) -> list[str | None]:
        """The passwords that were tried since the last call."""
        passwords = [login.password for login in self.server.logins]
        self.server.logins.clear()
        return passwords

    def test_password_whose_answer_is_lost_is_tried_first(self) -> None:
        """If it is right, it is used from then on."""
        self.change("new")
        self.reconnect()
        self.assertEqual(self.passwords(), ["new"])
        self.server.transport.disconnect()
        self.clock.advance(2 * FIRST_DELAY)
        self.assertEqual(self.passwords(), ["new"])

    def test_former_password_is_tried_next(self) -> None:
        """On the same connection, for the server may not have got the request."""
        self.server.login_refusals = [WRONG]
        self.change("new")
        self.reconnect()
        self.assertEqual(self.passwords(), ["new", "old"])
        self.assertTrue(self.client.connected)
        self.server.transport.disconnect()
        self.clock.advance(2 * FIRST_DELAY)
        self.assertEqual(self.passwords(), ["old"])

    def test_removed_password_is_tried_without_one(self) -> None:
        """The refusal of a login without a password is not final either."""
        self.server.login_refusals = [("password-required", "password required")]
        self.change(None)
        self.reconnect()
        self.assertEqual(self.passwords(), [None, "old"])
        self.assertTrue(self.client.connected)

    def test_temporary_refusal_leaves_both_passwords(self) -> None:
        """The server has not looked at the password."""
        self.server.login_refusals = [("busy", "later"), WRONG]
        self.change("new")
        self.reconnect()
        self.assertEqual(self.passwords(), ["new"])
        self.clock.advance(2 * FIRST_DELAY)
        self.assertEqual(self.passwords(), ["new", "old"])
        self.assertTrue(self.client.connected)

    def test_client_whose_former_sessions_are_still_counted_tries_again(self) -> None:
        """It keeps its token."""
        self.client = self.connect(token="t1")
        self.server.login_refusals = [("limit-reached", "An account can have at most 64 sessions.")]
        self.server.transport.disconnect()
        self.reconnect()
        self.assertFalse(self.client.connected)
        self.clock.advance(2 * FIRST_DELAY)
        self.assertTrue(self.client.connected)
        self.assertEqual([resume.token for resume in self.server.resumes], ["t1"] * 3)

    def test_client_gives_up_if_both_passwords_are_refused(self) -> None:
        """With the refusal."""
        self.consume()
        self.server.login_refusals = [WRONG, WRONG]
        self.change("new")
        self.reconnect()
        self.assertEqual(self.passwords(), ["new", "old"])
        self.assertEqual(self.failureResultOf(self.ended(), Refused).value.code, WRONG[0])

    def test_refused_change_leaves_the_password(self) -> None:
        """The refused one is not tried."""
        changing = self.start(self.client.change_password("x", "new"))
        self.server.send(c.Refusal(self.server.requests[0].ref, *WRONG))
        self.failureResultOf(changing, Refused)
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(self.passwords(), ["old"])


class TokenTests(ClientCase):
    """Tokens that are saved by the program."""

    def test_error_of_the_program_does_not_end_the_connection(self) -> None:
        """It is logged; the token is used all the same."""

        def save(token: str | None) -> None:
            raise OSError("disk full")

        self.client = self.connect(save_token=save)
        self.server.send(c.Token("t1"))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual([resume.token for resume in self.server.resumes], ["t1"])

    def test_token_of_a_suspended_account_is_kept(self) -> None:
        """The client gives up, and the program may start it again later."""
        saved: list[str | None] = []
        self.client = self.connect(token="t1", save_token=saved.append)
        self.consume()
        self.server.send(c.Goodbye("suspended", "This account is suspended."))
        self.server.transport.disconnect()
        self.failureResultOf(self.ended(), ConnectionClosed)
        self.client = self.connect(token="t1", save_token=saved.append)
        self.consume()
        self.server.login_refusals = [("suspended", "This account is suspended.")]
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(self.failureResultOf(self.ended(), Refused).value.code, "suspended")
        self.assertEqual(saved, [])

    def test_token_is_kept_when_the_address_is_banned(self) -> None:
        """The client does not connect again. Behind a proxy it is the log-in that is refused."""
        saved: list[str | None] = []
        self.client = self.connect(token="t1", save_token=saved.append)
        self.consume()
        self.server.send(c.Goodbye("address-banned", "An operator has banned your address."))
        self.server.transport.disconnect()
        self.failureResultOf(self.ended(), ConnectionClosed)
        self.client = self.connect(token="t1", save_token=saved.append)
        self.consume()
        self.server.login_refusals = [("address-banned", "An operator has banned your address.")]
        self.server.transport.disconnect()
        self.reconnect()
        self.assertEqual(self.failureResultOf(self.ended(), Refused).value.code, "address-banned")
        self.assertEqual(saved, [])

    def test_account_that_was_logged_in_to_by_a_token_is_not_registered_later(self) -> None:
        """It existed: it has been deleted since."""
        self.client = self.connect(password="pw", token="t1", register=True)
        self.consume()
        self.server.login_refusals = [WRONG, ("unknown-account", "unknown account")]
        self.server.transport.disconnect()
        self.reconnect()
        code = self.failureResultOf(self.ended(), Refused).value.code
        self.assertEqual((code, self.server.requests), ("unknown-account", []))
