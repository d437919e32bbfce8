"""Log-in through the portal: names, passwords, sessions, and attempts that must wait."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.cred.credentials import Anonymous
from twisted.cred.error import UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chatd.auth.credentials import (
    IPeerAddress,
    ISession,
    NameOnly,
    NamePassword,
    NameToken,
    portal,
)
from chatd.core.errors import (
    AlreadyLoggedIn,
    OpenAccountsForbidden,
    PasswordRequired,
    UnknownAccount,
    WrongPassword,
)
from chatd.core.limits import Limits
from chatd.realm.accounts import Account
from chatd.realm.permissions import Policy
from chatd.realm.realm import Realm
from chatd.realm.session import Session
from chatd.stores.memory import MemoryStore
from tests.doubles.clients import FakeClient
from tests.doubles.passwords import cheap_hasher, started_passwords
from tests.doubles.realm import AckRecorder, AutoAckRecorder, RealmHarness, Runner

ADDRESS, OTHER_ADDRESS = "192.0.2.1", "192.0.2.2"
CERTIFICATE = "ab" * 32
"""a fingerprint"""


class LoggingIn(TestCase):
    """A realm in memory with ann, who has the password "right", and Bob, whose account is open."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.harness = RealmHarness()
        self.passwords = started_passwords(self, Limits())
        self.portal: Portal = portal(self.harness.realm, self.passwords, self.clock)
        self.register("ann", password=cheap_hasher().hash("right"))
        self.harness.register("Bob")

    def register(self, name: str, **fields: Any) -> None:
        """Create an account."""
        account = Account(0, id=self.harness.realm.new_id(), **fields)
        self.harness.run(self.harness.realm.accounts.register(name, account))

    def log_in(self, credentials: Any) -> Deferred[tuple[Any, Session, Any]]:
        """Log in with a new peer that cannot acknowledge."""
        cred_portal: Any = self.portal
        logging_in: Deferred[tuple[Any, Session, Any]] = cred_portal.login(
            credentials, AutoAckRecorder(), ISession
        )
        return logging_in

    def password(self, password: str, address: str = ADDRESS) -> NamePassword:
        """Ann's name with a password."""
        return NamePassword("ann", password, FakeClient(address))

    async def token(self, name: str) -> str:
        """A new resume token of an account."""
        _, session, _ = await self.log_in(NamePassword(name, "right", FakeClient("192.0.2.3")))
        token: str = await self.harness.realm.resume_tokens.issue(session)
        session.end()
        return token

    async def refusal(self, kind: type[Exception], awaitable: Awaitable[Any]) -> str:
        """The sentence of the refusal, which must be of this class."""
        with self.assertRaises(kind) as raised:
            await awaitable
        return str(raised.exception)

    async def test_open_account_needs_its_name_only(self) -> None:
        """The name may be in any spelling; the session has it as first written."""
        interface, session, log_out = await self.log_in(NameOnly("bOB", ADDRESS))
        self.assertEqual((interface, session.name), (ISession, "Bob"))
        self.assertTrue(self.harness.realm.sessions.online("bob"))
        log_out()
        self.assertFalse(self.harness.realm.sessions.online("bob"))

    async def test_session_is_that_of_the_peer(self) -> None:
        """It has the rules of the peer's protocol, and is logged out by the third result."""
        cred_portal: Any = self.portal
        peer = AckRecorder()
        interface, session, log_out = await cred_portal.login(
            NameOnly("Bob", ADDRESS), peer, ISession
        )
        self.assertIs(interface, ISession)
        self.assertIsInstance(session, Session)
        self.assertIs(session.peer, peer)
        self.assertFalse(session.options.exclusive)
        self.assertFalse(session.ended)
        log_out()
        self.assertTrue(session.ended)
        self.assertFalse(self.harness.realm.sessions.online("bob"))

    async def test_any_password_is_accepted_for_an_open_account(self) -> None:
        """An open account has no password that could be wrong."""
        _, session, _ = await self.log_in(NamePassword("bob", "anything", FakeClient(ADDRESS)))
        self.assertEqual(session.name, "Bob")

    async def test_open_account_is_refused_where_they_are_forbidden(self) -> None:
        """It is refused with a password and without one."""
        self.harness.realm.policy = Policy(open_accounts=False)
        await self.refusal(OpenAccountsForbidden, self.log_in(NameOnly("bob", ADDRESS)))
        await self.refusal(
            OpenAccountsForbidden, self.log_in(NamePassword("bob", "anything", FakeClient(ADDRESS)))
        )

    async def test_unknown_account_is_refused(self) -> None:
        """With a password, the refusal does not tell that the account does not exist."""
        await self.refusal(UnknownAccount, self.log_in(NameOnly("cyd", ADDRESS)))
        unknown = await self.refusal(
            WrongPassword, self.log_in(NamePassword("cyd", "right", FakeClient(ADDRESS)))
        )
        wrong = await self.refusal(
            WrongPassword, self.log_in(NamePassword("ann", "wrong", FakeClient(ADDRESS)))
        )
        self.assertEqual(unknown, wrong)

    async def test_account_with_a_password_is_refused_without_it(self) -> None:
        """The name of the account is not enough."""
        refusal = await self.refusal(PasswordRequired, self.log_in(NameOnly("ann", ADDRESS)))
        self.assertEqual(refusal, "password required: this account has one")
        self.assertFalse(self.harness.realm.sessions.online("ann"))

    async def test_wrong_password_is_refused_and_the_right_one_accepted(self) -> None:
        """The name is accepted in any spelling."""
        for wrong in ("wrong", "Right"):
            refusal = await self.refusal(
                WrongPassword, self.log_in(NamePassword("ann", wrong, FakeClient(ADDRESS)))
            )
            self.assertEqual(refusal, "wrong password")
        _, session, _ = await self.log_in(NamePassword("ANN", "right", FakeClient(ADDRESS)))
        self.assertEqual(session.name, "ann")

    async def test_certificate_of_the_account_replaces_its_password(self) -> None:
        """A certificate of another account does not."""
        self.register("dora", password="unused", certificates=(CERTIFICATE,))
        _, session, _ = await self.log_in(NameOnly("dora", ADDRESS, CERTIFICATE))
        self.assertEqual(session.name, "dora")
        for name, certificate in (("ann", CERTIFICATE), ("dora", "cd" * 32), ("dora", None)):
            await self.refusal(PasswordRequired, self.log_in(NameOnly(name, ADDRESS, certificate)))

    async def test_second_login_of_an_account_is_refused(self) -> None:
        """The first session goes on; when it has ended, the account can log in."""
        _, _, log_out = await self.log_in(NamePassword("ann", "right", FakeClient(ADDRESS)))
        await self.refusal(
            AlreadyLoggedIn, self.log_in(NamePassword("ann", "right", FakeClient(OTHER_ADDRESS)))
        )
        self.assertTrue(self.harness.realm.sessions.online("ann"))
        log_out()
        await self.log_in(NamePassword("ann", "right", FakeClient(OTHER_ADDRESS)))

    async def test_login_waits_after_wrong_passwords(self) -> None:
        """Even the right password is checked only when the waiting time is over; afterwards the
        address is known."""
        for _ in range(3):
            await self.refusal(WrongPassword, self.log_in(self.password("wrong")))
        right = self.log_in(self.password("right"))
        self.clock.advance(2.4)
        self.assertNoResult(right)
        self.clock.advance(0.1)
        _, session, _ = await right
        session.end()
        for number in range(14):
            self.log_in(self.password("wrong", f"198.51.100.{number}")).addErrback(lambda _: None)
        await self.log_in(self.password("right"))

    async def test_token_and_certificate_make_an_address_known(self) -> None:
        """From there the owner need not wait for the guesses of others."""
        self.register("dora", password=cheap_hasher().hash("right"), certificates=(CERTIFICATE,))
        for name, log_in in (
            ("dora", NameOnly("dora", ADDRESS, CERTIFICATE)),
            ("ann", NameToken("ann", await self.token("ann"), ADDRESS)),
        ):
            _, session, _ = await self.log_in(log_in)
            session.end()
            for _ in range(8):
                guess = NamePassword(name, "wrong", FakeClient(f"198.51.100.{len(name)}"))
                self.log_in(guess).addErrback(lambda _: None)
            await self.log_in(NamePassword(name, "right", FakeClient(ADDRESS)))

    async def test_twenty_users_behind_one_address_get_in(self) -> None:
        """With 20 right passwords, at the same moment, and no time passes."""
        for number in range(20):
            self.register(f"user{number}", password=cheap_hasher().hash("right"))
        log_ins = [
            self.log_in(NamePassword(f"user{number}", "right", FakeClient(ADDRESS)))
            for number in range(20)
        ]
        names = [(await log_in)[1].name for log_in in log_ins]
        self.assertEqual(names, [f"user{number}" for number in range(20)])
        self.assertEqual(self.clock.seconds(), 0)

    async def test_attempts_without_a_password_do_not_count(self) -> None:
        """Attempts without a password do not make the owner wait."""
        for _ in range(10):
            await self.refusal(PasswordRequired, self.log_in(NameOnly("ann", ADDRESS)))
        await self.log_in(NamePassword("ann", "right", FakeClient(ADDRESS)))

    async def test_login_over_the_memory_store_of_the_daemon(self) -> None:
        """The store of `--store memory` commits by itself."""
        realm = Realm(MemoryStore(), Runner().background, Limits(), self.passwords.hash)
        account = Account(0, cheap_hasher().hash("right"), id=realm.new_id())
        await realm.accounts.register("eve", account)
        cred_portal: Any = portal(realm, self.passwords, self.clock)
        _, session, _ = await cred_portal.login(
            NamePassword("Eve", "right", FakeClient(ADDRESS)), AutoAckRecorder(), ISession
        )
        self.assertEqual(session.name, "eve")

    async def test_other_avatars_and_other_credentials_are_programming_errors(self) -> None:
        """Their exceptions are not refusals."""
        logging_in = self.portal.login(NameOnly("bob", ADDRESS), AutoAckRecorder(), IPeerAddress)
        await self.refusal(ValueError, logging_in)
        await self.refusal(UnhandledCredentials, self.log_in(Anonymous()))

    def test_credentials_cannot_check_a_stored_password(self) -> None:
        """Only `AccountChecker` can compare a password with a hash."""
        self.assertFalse(NamePassword("ann", "right", FakeClient(ADDRESS)).checkPassword(b"right"))
