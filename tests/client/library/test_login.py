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

    def test_existing_account_is_not_registered(self) -> None:
        """One request is enough."""
        self.assertEqual(self.successResultOf(self.log_in(REGISTER, LOGGED_IN)), LOGGED_IN)
        self.assertEqual(self.connection.requests, [LOG_IN])

    def test_account_that_may_not_exist_is_registered(self) -> None:
        """A server may say that the password is wrong instead."""
        for code in ("unknown-account", "wrong-password"):
            answers = (RefusedByServer(code, "no"), c.Done(0), LOGGED_IN)
            self.assertEqual(self.successResultOf(self.log_in(REGISTER, *answers)), LOGGED_IN)
            self.assertEqual(self.connection.requests, [LOG_IN, REGISTER, LOG_IN])

    def test_account_is_not_registered_if_that_is_not_wanted(self) -> None:
        """The refusal is raised."""
        failed = self.log_in(None, RefusedByServer("unknown-account", "no"))
        self.assertEqual(self.failureResultOf(failed, Refused).value.code, "unknown-account")
        self.assertEqual(self.connection.requests, [LOG_IN])

    def test_other_refusals_are_raised(self) -> None:
        """The account exists, or the server cannot log in now."""
        failed = self.log_in(REGISTER, RefusedByServer("busy", "later"))
        self.assertEqual(self.failureResultOf(failed, Refused).value.code, "busy")

    def test_taken_name_means_a_wrong_password(self) -> None:
        """The refusal of the login is raised; another refusal to register is raised itself."""
        for code, raised in (("name-taken", "wrong-password"), ("invite-required",) * 2):
            answers = (RefusedByServer("wrong-password", "no"), RefusedByServer(code, "no"))
            failed = self.log_in(REGISTER, *answers)
            self.assertEqual(self.failureResultOf(failed, Refused).value.code, raised)

    def test_lost_connection_is_raised(self) -> None:
        """Nothing is registered."""
        self.failureResultOf(self.log_in(REGISTER, ConnectionClosed()), ConnectionClosed)
        self.assertEqual(self.connection.requests, [LOG_IN])
