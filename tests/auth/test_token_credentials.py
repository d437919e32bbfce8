"""Log-in by a resume token through the portal, and what wrong ones cost."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.auth.credentials import (
    IPeerAddress,
    ISession,
    NamePassword,
    NameToken,
    portal,
)
from chatd.core.errors import OpenAccountsForbidden, WrongPassword
from chatd.realm.permissions import Policy
from chatd.realm.session import Session
from tests.doubles.clients import FakeClient
from tests.doubles.memory_server import FakePasswords
from tests.doubles.realm import AckRecorder, RealmHarness

ADDRESS, OTHER_ADDRESS = "192.0.2.1", "192.0.2.2"


class ByToken(SynchronousTestCase):
    """Ann has the password "right" and a token; Bob's account is open."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.harness = RealmHarness()
        self.realm = self.harness.realm
        self.passwords = FakePasswords()
        passwords: Any = self.passwords
        self.portal: Portal = portal(self.realm, passwords, self.clock)
        self.harness.run(self.realm.register("Ann", "right"))
        self.harness.register("Bob")
        session, _ = self.harness.login_ack("Ann")
        self.token: str = self.harness.run(self.realm.resume_tokens.issue(session))
        session.end()

    def log_in(self, credentials: Any) -> Deferred[Session]:
        """Log in with a new peer."""
        cred_portal: Any = self.portal
        logging_in: Deferred[Any] = cred_portal.login(credentials, AckRecorder(), ISession)
        return logging_in.addCallback(lambda avatar: avatar[1])

    def resume(self, token: str, name: str = "ann", address: str = ADDRESS) -> Deferred[Session]:
        """Log in by a token."""
        return self.log_in(NameToken(name, token, address))

    def refuse(self, kind: type[Exception], logging_in: Deferred[Session]) -> str:
        """The sentence of a refusal, which is of this class and there already."""
        return str(self.failureResultOf(logging_in, kind).value)

    def test_credentials_have_the_address(self) -> None:
        """By it attempts are counted."""
        self.assertTrue(IPeerAddress.providedBy(NameToken("ann", self.token, ADDRESS)))

    def test_token_opens_a_session(self) -> None:
        """It has the name as first written."""
        self.assertEqual(self.successResultOf(self.resume(self.token, "aNN")).name, "Ann")

    def test_wrong_tokens_are_refused_at_once_and_alike(self) -> None:
        """No password is hashed for them, so none is held back."""
        self.passwords.hold = Deferred()
        sentences = {
            self.refuse(WrongPassword, self.resume("wrong")),
            self.refuse(WrongPassword, self.resume("wrong", "cyd")),
            self.refuse(WrongPassword, self.resume(self.token, "bob")),
            self.refuse(WrongPassword, self.resume("")),
        }
        self.assertEqual(sentences, {"wrong password"})

    def test_wrong_tokens_delay_no_password(self) -> None:
        """They cannot be guessed, and would be a way to delay the owner."""
        for _ in range(14):
            self.refuse(WrongPassword, self.resume("wrong"))
        self.successResultOf(self.log_in(NamePassword("ann", "right", FakeClient(OTHER_ADDRESS))))

    def test_wrong_tokens_do_not_delay_the_right_one(self) -> None:
        """A stranger cannot keep the owner's devices from reconnecting."""
        for _ in range(40):
            self.refuse(WrongPassword, self.resume("wrong"))
        self.successResultOf(self.resume(self.token))

    def test_many_right_tokens_from_one_address_need_not_wait(self) -> None:
        """All clients behind one address reconnect after a restart of the daemon."""
        sessions = [self.successResultOf(self.resume(self.token)) for _ in range(50)]
        self.assertEqual(len(self.realm.sessions.all()), len(sessions))

    def test_token_of_an_open_account_needs_open_accounts_to_be_allowed(self) -> None:
        """As its name alone does."""
        session, _ = self.harness.login_ack("Bob")
        token = self.harness.run(self.realm.resume_tokens.issue(session))
        self.successResultOf(self.resume(token, "bob"))
        self.realm.policy = Policy(open_accounts=False)
        self.refuse(OpenAccountsForbidden, self.resume(token, "bob"))
        self.refuse(WrongPassword, self.resume("wrong", "bob"))

    def test_password_that_changes_during_the_log_in_ends_it(self) -> None:
        """The session is not opened with the record of before."""
        self.harness.store.eager = False
        resuming = self.resume(self.token)
        for _ in range(2):
            self.harness.store.release()
        changed = Deferred.fromCoroutine(self.realm.set_password("ann", "new"))
        self.harness.store.eager = True
        self.harness.settle()
        self.successResultOf(changed)
        resuming.addErrback(lambda failure: None)
        self.assertEqual(self.realm.sessions.all(), [])
