"""Logging in, with and without registering the account."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.connection import Connection
from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.client.library.login import log_in
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused

LOG_IN = c.LogIn(0, "ann", "pw")
REGISTER = c.Register(0, "ann", "pw", "token")
LOGGED_IN = c.LoggedIn(0, "Ann", [])


class FakeConnection:
    """A connection that answers its requests one after another: an exception is a failure."""

    def __init__(self, *answers: Any) -> None:
        self.requests: list[Any] = []
        self._answers = list(answers)

    def request(self, message: Any) -> Deferred[Any]:
        """Record a request, and answer it."""
        self.requests.append(message)
        answer = self._answers.pop(0)
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)


class LoginTests(SynchronousTestCase):
    """The sequence of requests."""

    def log_in(self, registration: c.Register | None, *answers: Any) -> Deferred[c.LoggedIn]:
        """Log in on a connection that gives these answers."""
        self.connection = FakeConnection(*answers)
        connection = cast("Connection", self.connection)
        return Deferred.fromCoroutine(log_in(connection, LOG_IN, registration))

    def test_account_is_registered_before_the_log_in(self) -> None:
        """A log-in to an account that does not exist would count as a wrong password."""
        answers = (c.Done(0), LOGGED_IN)
        self.assertEqual(self.successResultOf(self.log_in(REGISTER, *answers)), LOGGED_IN)
        self.assertEqual(self.connection.requests, [REGISTER, LOG_IN])

    def test_taken_name_means_that_the_account_exists(self) -> None:
        """The answer is that of the login, a refusal as well."""
        taken = RefusedByServer("name-taken", "no")
        self.assertEqual(self.successResultOf(self.log_in(REGISTER, taken, LOGGED_IN)), LOGGED_IN)
        self.assertEqual(self.connection.requests, [REGISTER, LOG_IN])
        failed = self.log_in(REGISTER, taken, RefusedByServer("wrong-password", "no"))
        self.assertEqual(self.failureResultOf(failed, Refused).value.code, "wrong-password")

    def test_account_is_not_registered_if_that_is_not_wanted(self) -> None:
        """The refusal is raised."""
        failed = self.log_in(None, RefusedByServer("unknown-account", "no"))
        self.assertEqual(self.failureResultOf(failed, Refused).value.code, "unknown-account")
        self.assertEqual(self.connection.requests, [LOG_IN])

    def test_other_refusals_are_raised(self) -> None:
        """The account cannot be registered, or not now."""
        for code in ("invite-required", "busy", "limit-reached"):
            failed = self.log_in(REGISTER, RefusedByServer(code, "no"))
            self.assertEqual(self.failureResultOf(failed, Refused).value.code, code)
            self.assertEqual(self.connection.requests, [REGISTER])

    def test_lost_connection_is_raised(self) -> None:
        """Nothing else is asked for."""
        self.failureResultOf(self.log_in(REGISTER, ConnectionClosed()), ConnectionClosed)
        self.assertEqual(self.connection.requests, [REGISTER])
