"""Logging in, and making accounts."""

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
from chatd.core.errors import Refused
from tests.doubles.client import FakeClient
from tests.doubles.screen import FakeScreen

UNKNOWN = RefusedByServer("unknown-account", "There is no account of that name.")
REQUIRED = RefusedByServer("password-required", "password required")
WRONG = RefusedByServer("wrong-password", "wrong password")


class LoginTests(SynchronousTestCase):
    """What is tried, and what is asked."""

    def arrive(
        self, outcomes: list[Exception | None], *given: str | None, interactive: bool = True
    ) -> Deferred[Any]:
        """Begin; each try has the next outcome, None: logged in. `given`: name, password,
        invite."""
        self.screen = FakeScreen(interactive)
        self.tries: list[tuple[Any, ...]] = []

        async def connect(*arguments: Any) -> Any:
            self.tries.append(arguments)
            outcome = outcomes.pop(0)
            if outcome is not None:
                raise outcome
            return FakeClient("Alice")

        self.login = Login(
            self.screen,
            PlainOutput(self.screen, MessageCache(), Clock(), times=False),
            connect,
            *given,
        )
        return Deferred.fromCoroutine(self.login.run())

    def answer(self, *pairs: str) -> None:
        """For each question, in turn, what is typed."""
        for prompt, line in zip(pairs[::2], pairs[1::2], strict=True):
            self.assertEqual(self.screen.prompt, prompt)
            self.screen.type(line)

    def test_name_given(self) -> None:
        """Nothing is asked."""
        self.assertEqual(self.successResultOf(self.arrive([None], "alice")).name, "Alice")
        self.assertEqual(self.tries, [("alice", None, False, None)])

    def test_name_asked(self) -> None:
        """Until there is one."""
        arriving = self.arrive([None])
        self.answer("Username: ", " ", "Username: ", " alice ")
        self.successResultOf(arriving)
        self.assertEqual(self.tries, [("alice", None, False, None)])

    def test_password(self) -> None:
        """Asked for three times at most, not shown."""
        arriving = self.arrive([REQUIRED, WRONG, WRONG, WRONG], "alice")
        self.assertTrue(self.screen.hidden)
        self.answer("Password: ", "a", "Password: ", "b", "Password: ", "c")
        self.failureResultOf(arriving, Refused)
        self.assertEqual(self.screen.lines, ["! wrong password"] * 2)
        arriving = self.arrive([REQUIRED, WRONG, None], "alice", "given")
        self.answer("Password: ", "right")
        self.successResultOf(arriving)
        self.assertEqual([password for _, password, _, _ in self.tries], [None, "given", "right"])
        self.assertEqual(self.login.password, "right")

    def test_password_of_a_script(self) -> None:
        """It cannot be asked."""
        failure = self.failureResultOf(self.arrive([REQUIRED], "alice", interactive=False), Refused)
        self.assertIn("CHATD_PASSWORD", str(failure.value))
        failure = self.failureResultOf(
            self.arrive([REQUIRED, WRONG], "alice", "x", interactive=False), Refused
        )
        self.assertEqual(str(failure.value), "wrong password")

    def test_new_account(self) -> None:
        """Open, or with a password, which is typed twice the same."""
        arriving = self.arrive([UNKNOWN, None], "alice")
        question, again = "Password (empty: anyone can log in): ", "Password again: "
        self.answer(question, "x", again, "y", question, "s3cret", again, "s3cret")
        self.successResultOf(arriving)
        self.assertEqual(self.tries[1], ("alice", "s3cret", True, None))
        self.assertEqual(self.screen.lines[-1], "CREATED ACCOUNT: Alice")
        arriving = self.arrive([UNKNOWN, None], "alice")
        self.answer(question, "")
        self.successResultOf(arriving)
        self.assertEqual(self.tries[1], ("alice", None, True, None))

    def test_new_account_of_a_script(self) -> None:
        """As it was given."""
        arriving = self.arrive([UNKNOWN, None], "alice", "pw", "token", interactive=False)
        self.successResultOf(arriving)
        self.assertEqual(self.tries[1], ("alice", "pw", True, "token"))
        refused = RefusedByServer("invite-required", "A new account takes an invite token here.")
        self.failureResultOf(self.arrive([UNKNOWN, refused], "alice", interactive=False), Refused)

    def test_invited(self) -> None:
        """A person is asked for the token, and for a password if there must be one."""
        required = RefusedByServer("invite-required", "A new account takes an invite token here.")
        needed = RefusedByServer("password-needed", "Choose a password.")
        arriving = self.arrive([UNKNOWN, required, needed, None], "alice")
        question = "Password (empty: anyone can log in): "
        self.answer(question, "", "Invite token: ", " t ", question, "p", "Password again: ", "p")
        self.successResultOf(arriving)
        self.assertEqual(self.tries[-1], ("alice", "p", True, "t"))

    def test_refused(self) -> None:
        """Other reasons are final."""
        for outcomes in (
            [RefusedByServer("illegal-name", "x")],
            [UNKNOWN, RefusedByServer("registration-closed", "x")],
        ):
            arriving = self.arrive([*outcomes], "alice", "pw")
            self.failureResultOf(arriving, Refused)

    def test_no_server(self) -> None:
        """Nobody listens, or it does not speak version 1."""
        failure = self.failureResultOf(self.arrive([ConnectionRefusedError()], "alice"), NoServer)
        self.assertEqual(
            str(failure.value), "Error:  That host or port is not accepting connections."
        )
        failure = self.failureResultOf(
            self.arrive([ConnectionClosed("This is no chatd.")], "alice"), NoServer
        )
        self.assertIn(
            "This is no chatd. If the server is older than protocol version 1", str(failure.value)
        )
        self.assertIn("--protocol classic", str(failure.value))

    def test_end(self) -> None:
        """Nobody answers."""
        arriving = self.arrive([])
        self.screen.end_input()
        self.failureResultOf(arriving, EndOfInput)
