"""The login: attempts to connect, and questions to a person."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.login import Login, NoServer
from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.output.plain import PlainOutput
from chatd.client.cli.screen import EndOfInput
from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.codecs import v1_messages as c
from chatd.core.errors import IllegalName, Refused
from tests.doubles.client import LIMITS, SINCE, FakeClient
from tests.doubles.screen import FakeScreen

UNKNOWN = RefusedByServer("unknown-account", "There is no account of that name.")
REQUIRED = RefusedByServer("password-required", "password required")
WRONG = RefusedByServer("wrong-password", "wrong password")


class LoginTests(SynchronousTestCase):
    """`Login`."""

    def log_in(
        self,
        outcomes: list[Exception | None],
        *given: str | None,
        interactive: bool = True,
        token: bool = False,
    ) -> Deferred[Any]:
        """Start a login. Each attempt has the next outcome: an error, or None for success.

        `given` is name, password and invite token, `token` whether there is an access token.
        """
        self.screen = FakeScreen(interactive)
        self.attempts: list[tuple[Any, ...]] = []

        async def connect(*arguments: Any) -> Any:
            self.attempts.append(arguments)
            outcome = outcomes.pop(0)
            if outcome is not None:
                raise outcome
            return FakeClient("Alice")

        self.login = Login(
            self.screen,
            PlainOutput(self.screen, MessageCache(), Clock(), lambda: 0, times=False),
            connect,
            *given,
            token=token,
        )
        return Deferred.fromCoroutine(self.login.run())

    def answer(self, *pairs: str) -> None:
        """Check the prompt and type a line, for each pair of prompt and line."""
        for prompt, line in zip(pairs[::2], pairs[1::2], strict=True):
            self.assertEqual(self.screen.prompt, prompt)
            self.screen.type(line)

    def test_given_name_is_not_asked_for(self) -> None:
        """An open account needs no question at all."""
        self.assertEqual(self.successResultOf(self.log_in([None], "alice")).name, "Alice")
        self.assertEqual(self.attempts, [("alice", None, False, None)])

    def test_refused_access_token_leads_to_no_question(self) -> None:
        """Neither for a password nor for a new account."""
        for refusal, sentence in ((WRONG, "The access token is not valid"), (REQUIRED, "required")):
            login = self.log_in([refusal], "alice", token=True)
            self.assertIn(sentence, str(self.failureResultOf(login, Refused).value))

    def test_missing_name_is_asked_for_until_there_is_one(self) -> None:
        """Spaces around it are removed."""
        login = self.log_in([None])
        self.answer("Username: ", " ", "Username: ", " alice ")
        self.successResultOf(login)
        self.assertEqual(self.attempts, [("alice", None, False, None)])

    def test_password_is_asked_for_at_most_three_times(self) -> None:
        """A password from the command line does not count as one of them."""
        login = self.log_in([REQUIRED, WRONG, WRONG, WRONG], "alice")
        self.assertTrue(self.screen.hidden)
        self.answer("Password: ", "a", "Password: ", "b", "Password: ", "c")
        self.failureResultOf(login, Refused)
        self.assertEqual(self.screen.lines, ["! wrong password"] * 2)
        login = self.log_in([REQUIRED, WRONG, None], "alice", "given")
        self.answer("Password: ", "right")
        self.successResultOf(login)
        self.assertEqual(
            [password for _, password, _, _ in self.attempts], [None, "given", "right"]
        )
        self.assertEqual(self.login.password, "right")

    def test_script_is_not_asked_for_a_password(self) -> None:
        """The error names CHATD_PASSWORD if none was given."""
        failure = self.failureResultOf(self.log_in([REQUIRED], "alice", interactive=False), Refused)
        self.assertIn("CHATD_PASSWORD", str(failure.value))
        failure = self.failureResultOf(
            self.log_in([REQUIRED, WRONG], "alice", "x", interactive=False), Refused
        )
        self.assertEqual(str(failure.value), "wrong password")

    def test_new_password_is_typed_twice(self) -> None:
        """An empty one makes the account open."""
        login = self.log_in([UNKNOWN, None], "alice")
        question, again = "Password (empty: anyone can log in): ", "Password again: "
        self.answer(question, "x", again, "y", question, "s3cret", again, "s3cret")
        self.successResultOf(login)
        self.assertEqual(self.attempts[1], ("alice", "s3cret", True, None))
        self.assertEqual(self.screen.lines[-1], "CREATED ACCOUNT: Alice")
        login = self.log_in([UNKNOWN, None], "alice")
        self.answer(question, "")
        self.successResultOf(login)
        self.assertEqual(self.attempts[1], ("alice", None, True, None))

    def test_impossible_name_is_refused_before_a_password_is_chosen(self) -> None:
        """The server is not asked to create it."""
        self.failureResultOf(self.log_in([UNKNOWN], "bad name!"), IllegalName)
        self.assertEqual(len(self.attempts), 1)

    def test_new_password_must_not_be_empty_where_open_accounts_are_forbidden(self) -> None:
        """The refusal of the first attempt has the server's description of itself."""
        unknown = RefusedByServer("unknown-account", "There is no account of that name.")
        unknown.welcome = c.Welcome(0, "chatd", "1.2", LIMITS, "invite", False, SINCE, 60.0)
        login = self.log_in([unknown, None], "alice")
        again = "Password again: "
        self.answer("Password: ", "", "Password: ", "p", again, "p")
        self.successResultOf(login)
        self.assertEqual(self.attempts[1], ("alice", "p", True, None))
        self.assertIn("(Every account of this server needs a password.)", self.screen.lines)

    def test_script_creates_an_account_without_questions(self) -> None:
        """A refusal is final."""
        login = self.log_in([UNKNOWN, None], "alice", "pw", "token", interactive=False)
        self.successResultOf(login)
        self.assertEqual(self.attempts[1], ("alice", "pw", True, "token"))
        refused = RefusedByServer("invite-required", "A new account takes an invite token here.")
        self.failureResultOf(self.log_in([UNKNOWN, refused], "alice", interactive=False), Refused)

    def test_invite_token_is_asked_for_if_required(self) -> None:
        """A password is asked for where open accounts are forbidden."""
        required = RefusedByServer("invite-required", "A new account takes an invite token here.")
        needed = RefusedByServer("password-needed", "Choose a password.")
        login = self.log_in([UNKNOWN, required, needed, None], "alice")
        question, again = "Password (empty: anyone can log in): ", "Password again: "
        self.answer(question, "", "Invite token: ", " t ", "Password: ", "p", again, "p")
        self.successResultOf(login)
        self.assertEqual(self.attempts[-1], ("alice", "p", True, "t"))

    def test_other_refusals_are_final(self) -> None:
        """Nothing is asked after them."""
        for outcomes in (
            [RefusedByServer("illegal-name", "x")],
            [UNKNOWN, RefusedByServer("registration-closed", "x")],
        ):
            login = self.log_in([*outcomes], "alice", "pw")
            self.failureResultOf(login, Refused)

    def test_unreachable_or_foreign_server_is_an_error(self) -> None:
        """The error mentions --protocol classic if the server does not speak version 1."""
        failure = self.failureResultOf(self.log_in([ConnectionRefusedError()], "alice"), NoServer)
        self.assertEqual(
            str(failure.value), "Error:  That host or port is not accepting connections."
        )
        failure = self.failureResultOf(
            self.log_in([ConnectionClosed("This is no chatd.")], "alice"), NoServer
        )
        self.assertIn(
            "This is no chatd. If the server speaks only the classic protocol", str(failure.value)
        )
        self.assertIn("--protocol classic", str(failure.value))

    def test_end_of_input_ends_the_login(self) -> None:
        """A question is open at that time."""
        login = self.log_in([])
        self.screen.end_input()
        self.failureResultOf(login, EndOfInput)
