"""Who gets in, and how long those have to wait who guess."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from argon2 import PasswordHasher
from twisted.cred.credentials import Anonymous
from twisted.cred.error import UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.auth.credentials import IAutoAckSession, IPeerAddress, NameOnly, NamePassword, portal
from chatd.auth.passwords import Passwords
from chatd.auth.throttle import LoginThrottle
from chatd.core.errors import (
    AlreadyLoggedIn,
    Busy,
    PasswordRequired,
    PasswordTooLong,
    UnknownAccount,
    WrongPassword,
)
from chatd.core.limits import Limits
from chatd.realm.accounts import Account
from chatd.realm.auto_ack_session import AutoAckSession as Session
from chatd.realm.realm import Realm
from chatd.stores.memory import MemoryStore
from tests.doubles.realm import RealmHarness, Recorder, Runner, hash_password

HERE, THERE = "192.0.2.1", "192.0.2.2"


def cheap() -> PasswordHasher:
    """Argon2 that takes no time."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Guessing(SynchronousTestCase):
    """How long an attempt waits."""

    def setUp(self) -> None:
        """Nobody has guessed yet."""
        self.clock = Clock()
        self.guesses = LoginThrottle(self.clock)

    def waits(self, count: int, account: str = "ann", address: str = HERE) -> list[float]:
        """How long each of so many attempts at once has to wait."""
        return [self.guesses.attempt(account, address) for _ in range(count)]

    def patiently(self, count: int, account: str = "ann", address: str = HERE) -> list[float]:
        """The same for someone who waits for each answer before the next attempt."""
        waits = []
        for _ in range(count):
            waits.append(self.guesses.attempt(account, address))
            self.clock.advance(waits[-1])
        return waits

    def test_the_first_are_free(self) -> None:
        """Whoever mistypes a password a few times does not notice anything."""
        self.assertEqual(self.waits(4), [0, 0, 0, 0])

    def test_then_each_takes_twice_as_long(self) -> None:
        """From half a second on the wait doubles, up to ten seconds at one account."""
        waits = [self.guesses.attempt("ann", f"192.0.2.{n}") for n in range(4)]
        for number in range(8):
            waits.append(self.guesses.attempt("ann", f"198.51.100.{number}"))
            self.clock.advance(waits[-1])
        self.assertEqual(waits[4:], [0.5, 1, 2, 4, 8, 10, 10, 10])

    def test_an_address_waits_longer(self) -> None:
        """Trying many accounts from one address gets slower, up to a minute."""
        waits = []
        for number in range(14):
            waits.append(self.guesses.attempt(f"user{number}", HERE))
            self.clock.advance(waits[-1])
        self.assertEqual(waits, [0, 0, 0, 0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_many_at_once_gain_nothing(self) -> None:
        """The n-th of many attempts at once is looked at when the n-th of patient ones would be."""
        at_once = self.waits(9)
        self.guesses = LoginThrottle(self.clock)
        patient = self.patiently(9)
        self.assertEqual(at_once, [sum(patient[: n + 1]) for n in range(9)])

    def test_too_many_at_once(self) -> None:
        """An attempt that would wait for more than a minute is refused, and does not make it
        worse."""
        self.waits(10)
        for _ in range(100):
            self.assertRaises(Busy, self.guesses.attempt, "ann", HERE)
        self.clock.advance(60)
        self.assertEqual(self.guesses.attempt("ann", HERE), 3.5)

    def test_success_forgives(self) -> None:
        """The right password ends the waiting for the account."""
        self.waits(6)
        self.guesses.succeeded("ANN", HERE)
        self.assertEqual(self.waits(4, "ann", THERE), [0, 0, 0, 0])

    def test_success_does_not_free_the_address(self) -> None:
        """Logging in to one's own account now and then does not help to guess at those of
        others."""
        for number in range(6):
            self.guesses.attempt(f"victim{number}", HERE)
            self.guesses.attempt("mallory", HERE)
            self.guesses.succeeded("mallory", HERE)
            self.clock.advance(0.01)
        self.assertGreater(self.waits(1, "victim", HERE)[0], 5)

    def test_an_hours_peace_forgives(self) -> None:
        """What happened long ago is forgotten, and not before."""
        self.waits(6)
        self.clock.advance(3.5 + 3600)
        self.assertEqual(self.waits(2), [0, 4])
        self.guesses = LoginThrottle(self.clock)
        self.waits(6)
        self.clock.advance(3.5 + 3601)
        self.assertEqual(self.waits(5), [0, 0, 0, 0, 0.5])

    def test_spelling_does_not_help(self) -> None:
        """Guessing at ANN and at ann is guessing at one account."""
        self.waits(4, "ANN")
        self.assertEqual(self.waits(1, "ann", THERE), [0.5])

    def test_others_do_not_wait(self) -> None:
        """Another account from another address is free."""
        self.waits(8)
        self.assertEqual(self.waits(1, "bob", THERE), [0])

    def test_names_and_addresses_are_apart(self) -> None:
        """An account that is called like an address does not wait for it."""
        self.waits(8, "ann", "bob")
        self.assertEqual(self.waits(1, "bob", THERE), [0])

    def test_the_owner_waits_ten_seconds_at_most(self) -> None:
        """A stranger elsewhere cannot keep an owner out for longer than one gap, if it guesses in
        turn."""
        self.patiently(30)
        self.assertLessEqual(self.guesses.attempt("ann", THERE), 10)

    def test_memory_is_bounded(self) -> None:
        """However many accounts and addresses there are, only the latest are remembered."""
        self.waits(5, "first", THERE)
        for number in range(20_000):
            self.guesses.attempt(f"user{number}", f"address{number}")
        self.assertLessEqual(len(self.guesses._attempts), LoginThrottle._CAPACITY)
        self.assertEqual(self.waits(1, "first", THERE), [0])


class WithThreads(TestCase):
    """Passwords and logins with real hashes, under the real reactor."""

    def setUp(self) -> None:
        """A realm in memory, with ann, who has a password, and Bob, who has none."""
        self.clock = Clock()
        self.harness = RealmHarness()
        self.passwords = self.started(Limits())
        self.portal: Portal = portal(self.harness.realm, self.passwords, self.clock)
        hashed = cheap().hash("right")
        self.harness.run(self.harness.realm.accounts.register("ann", Account(0, hashed)))
        self.harness.register("Bob")

    def started(self, limits: Limits) -> Passwords:
        """Passwords with a running pool."""
        passwords = Passwords(reactor, limits, cheap())
        passwords.start()
        self.addCleanup(passwords.stop)
        return passwords

    def login(self, credentials: Any) -> Deferred[tuple[Any, Session, Any]]:
        """Log a new reader in."""
        door: Any = self.portal
        logging_in: Deferred[tuple[Any, Session, Any]] = door.login(
            credentials, Recorder(), IAutoAckSession
        )
        return logging_in

    async def refused(self, kind: type[Exception], awaitable: Awaitable[Any]) -> str:
        """What is said by a refusal of this kind."""
        try:
            await awaitable
        except kind as refusal:
            return str(refusal)
        raise self.failureException(f"{kind} was expected")


class Hashing(WithThreads):
    """`Passwords` alone."""

    async def test_hash_and_verify(self) -> None:
        """A password is right, and any other is wrong, also one that differs by its case or a
        space."""
        hashed = await self.passwords.hash("pässword")
        self.assertTrue(hashed.startswith("$argon2id$"))
        self.assertTrue(await self.passwords.verify(hashed, "pässword"))
        for wrong in ("", "pässwor", "Pässword", "pässword ", "passwort"):
            self.assertFalse(await self.passwords.verify(hashed, wrong))

    async def test_the_same_password_twice(self) -> None:
        """Nobody who reads the file sees that two accounts have the same password."""
        self.assertNotEqual(await self.passwords.hash("same"), await self.passwords.hash("same"))

    async def test_length(self) -> None:
        """A password up to the limit is taken; a longer one is refused, or wrong, without being
        hashed."""
        passwords = self.started(Limits(password=8, hashes=1))
        hashed = await passwords.hash("12345678")
        self.assertTrue(await passwords.verify(hashed, "12345678"))
        await self.refused(PasswordTooLong, passwords.hash("123456789"))
        self.assertFalse(await passwords.verify(hashed, "123456789"))

    async def test_a_damaged_hash(self) -> None:
        """What is no hash fits no password."""
        for hashed in ("", "right", "$argon2id$v=19$", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$x"):
            self.assertFalse(await self.passwords.verify(hashed, "right"))

    async def test_too_many_at_once(self) -> None:
        """When the queue is full the next is told to come again; when it has gone, it is taken."""
        passwords = self.started(Limits(hashes=2))
        waiting = [Deferred.fromCoroutine(passwords.hash(str(n))) for n in range(2)]
        refusal = await self.refused(Busy, passwords.hash("one more"))
        self.assertEqual(
            refusal, "too many passwords are being checked at the moment; try again later"
        )
        await self.refused(Busy, passwords.verify("", "and another"))
        hashes = [await hashing for hashing in waiting]
        self.assertTrue(await passwords.verify(hashes[1], "1"))


class LoggingIn(WithThreads):
    """Through the portal, as every protocol does."""

    async def test_open(self) -> None:
        """An open account is had by its name, however spelled, and is shown as first written."""
        interface, session, logout = await self.login(NameOnly("bOB", HERE))
        self.assertEqual((interface, session.name), (IAutoAckSession, "Bob"))
        self.assertTrue(self.harness.realm.sessions.online("bob"))
        logout()
        self.assertFalse(self.harness.realm.sessions.online("bob"))

    async def test_open_with_a_password_that_nobody_asked_for(self) -> None:
        """A password for an account that has none does no harm."""
        _, session, _ = await self.login(NamePassword("bob", "whatever", HERE))
        self.assertEqual(session.name, "Bob")

    async def test_unknown(self) -> None:
        """There is nobody of that name; whoever tries a password hears no more than that it was
        wrong."""
        await self.refused(UnknownAccount, self.login(NameOnly("cyd", HERE)))
        await self.refused(WrongPassword, self.login(NamePassword("cyd", "right", HERE)))

    async def test_password_required(self) -> None:
        """An account with a password is not had by its name alone."""
        refusal = await self.refused(PasswordRequired, self.login(NameOnly("ann", HERE)))
        self.assertEqual(refusal, "password required: this account has one")
        self.assertFalse(self.harness.realm.sessions.online("ann"))

    async def test_wrong_and_right(self) -> None:
        """The wrong password keeps out, the right one lets in, however the name is spelled."""
        for wrong in ("wrong", "", "Right"):
            refusal = await self.refused(
                WrongPassword, self.login(NamePassword("ann", wrong, HERE))
            )
            self.assertEqual(refusal, "wrong password")
        _, session, _ = await self.login(NamePassword("ANN", "right", HERE))
        self.assertEqual(session.name, "ann")

    async def test_already_logged_in(self) -> None:
        """The second login of an account is refused; the first goes on, and when it ends there is
        room."""
        _, _, logout = await self.login(NamePassword("ann", "right", HERE))
        await self.refused(AlreadyLoggedIn, self.login(NamePassword("ann", "right", THERE)))
        self.assertTrue(self.harness.realm.sessions.online("ann"))
        logout()
        await self.login(NamePassword("ann", "right", THERE))

    async def test_guessing_waits(self) -> None:
        """After a few wrong passwords even the right one waits its turn."""
        for _ in range(4):
            await self.refused(WrongPassword, self.login(NamePassword("ann", "wrong", HERE)))
        right = self.login(NamePassword("ann", "right", HERE))
        self.clock.advance(0.4)
        self.assertNoResult(right)
        self.clock.advance(0.1)
        _, session, _ = await right
        session.end()
        again = self.login(NamePassword("ann", "right", HERE))
        self.clock.advance(60)
        await again

    async def test_naming_is_no_guessing(self) -> None:
        """Attempts without a password do not make the owner wait."""
        for _ in range(10):
            await self.refused(PasswordRequired, self.login(NameOnly("ann", HERE)))
        await self.login(NamePassword("ann", "right", HERE))

    async def test_over_a_plain_store(self) -> None:
        """It is the same over the store that the daemon has in memory."""
        realm = Realm(MemoryStore(), Runner().background, Limits(), hash_password)
        await realm.accounts.register("eve", Account(0, cheap().hash("right")))
        door: Any = portal(realm, self.passwords, self.clock)
        _, session, _ = await door.login(
            NamePassword("Eve", "right", HERE), Recorder(), IAutoAckSession
        )
        self.assertEqual(session.name, "eve")

    async def test_nothing_else_is_given(self) -> None:
        """Asking for another sort of avatar, or with other credentials, is a mistake in the
        program."""
        asking = self.portal.login(NameOnly("bob", HERE), Recorder(), IPeerAddress)
        await self.refused(ValueError, asking)
        await self.refused(UnhandledCredentials, self.login(Anonymous()))

    def test_stored_passwords_cannot_be_compared(self) -> None:
        """Nothing but the checker can say that a password is right."""
        self.assertFalse(NamePassword("ann", "right", HERE).checkPassword(b"right"))
