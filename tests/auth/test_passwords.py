"""`Passwords`: hashes, limits, and the bounded queue of the hashing threads."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.auth.passwords import Passwords
from chatd.core.addresses import LOCAL
from chatd.core.errors import Busy, PasswordTooLong
from chatd.core.limits import Limits
from chatd.realm.requester import Disconnected
from tests.doubles.clients import FakeClient
from tests.doubles.passwords import HeldPasswords, started_passwords

CLIENT, REMOTE = FakeClient("127.0.0.1"), FakeClient("192.0.2.1")


class Hashing(TestCase):
    """`Passwords` with cheap hashes, on real threads."""

    def setUp(self) -> None:
        self.passwords = started_passwords(self, Limits())

    async def test_only_the_same_password_verifies(self) -> None:
        """One that differs by its case or by a space is wrong."""
        hashed = await self.passwords.hash("pässword")
        self.assertTrue(hashed.startswith("$argon2id$"))
        self.assertTrue(await self.passwords.verify(hashed, "pässword", CLIENT))
        for wrong in ("", "pässwor", "Pässword", "pässword ", "passwort"):
            self.assertFalse(await self.passwords.verify(hashed, wrong, CLIENT))

    async def test_hashes_of_the_same_password_differ(self) -> None:
        """A reader of the file does not see that two accounts have the same password."""
        self.assertNotEqual(await self.passwords.hash("same"), await self.passwords.hash("same"))

    async def test_password_over_the_limit_is_refused_without_hashing(self) -> None:
        """A new one is refused, and one to verify is wrong."""
        passwords = started_passwords(self, Limits(password=8, hashes=1))
        hashed = await passwords.hash("12345678")
        self.assertTrue(await passwords.verify(hashed, "12345678", CLIENT))
        with self.assertRaises(PasswordTooLong):
            await passwords.hash("123456789")
        self.assertFalse(await passwords.verify(hashed, "123456789", CLIENT))

    async def test_damaged_hash_verifies_no_password(self) -> None:
        """Verifying it is false and raises nothing."""
        for hashed in ("", "right", "$argon2id$v=19$", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$x"):
            self.assertFalse(await self.passwords.verify(hashed, "right", CLIENT))

    async def test_failed_verification_frees_its_place_in_the_queue(self) -> None:
        """Wrong passwords and damaged hashes do not fill the queue."""
        passwords: Passwords = started_passwords(self, Limits(hashes=1))
        hashed = await passwords.hash("right")
        for _ in range(3):
            self.assertFalse(await passwords.verify(hashed, "wrong", CLIENT))
            self.assertFalse(await passwords.verify("damaged", "right", CLIENT))
        self.assertTrue(await passwords.verify(hashed, "right", CLIENT))

    async def test_no_password_is_that_of_an_account_that_does_not_exist(self) -> None:
        """The hash in its place has the same parameters as others, so that it costs the same."""
        for password in ("", "right"):
            self.assertFalse(await self.passwords.verify(None, password, CLIENT))
        hashed = await self.passwords.hash("right", CLIENT)
        self.assertEqual(self.passwords._decoy.split("$")[:4], hashed.split("$")[:4])


class Queues(SynchronousTestCase):
    """Who waits for whom, with two threads whose work the test does."""

    def setUp(self) -> None:
        self.make()

    def make(self, **limits: int) -> None:
        """New queues."""
        self.held = HeldPasswords(Limits(**limits))
        self.passwords = self.held.passwords

    def log_in(self, password: str, client: FakeClient = CLIENT) -> Deferred[bool]:
        """Have a password verified."""
        return Deferred.fromCoroutine(self.passwords.verify("hash", password, client))

    def register(self, password: str, client: FakeClient = CLIENT) -> Deferred[str]:
        """Have a password hashed."""
        return Deferred.fromCoroutine(self.passwords.hash(password, client))

    def finish(self, count: int = 1) -> list[str]:
        """Do the oldest work; the passwords, in order."""
        return self.held.finish(count)

    def refuse(self, quota: str, hashing: Deferred[Any]) -> str:
        """The sentence of a refusal, which names this bound."""
        failure = self.failureResultOf(hashing, Busy)
        self.assertEqual(failure.value.quota, quota)
        return str(failure.value)

    def test_registering_takes_neither_places_nor_all_threads_of_log_ins(self) -> None:
        """80 clients register, and nine log in: each log-in is the next work of its thread."""
        for number in range(80):
            self.register(f"new{number}")
        log_ins = [self.log_in(f"log-in{number}") for number in range(9)]
        self.assertEqual(self.passwords.waiting, (8, 79))
        done = self.finish(18)
        self.assertEqual([each for each in done if "log-in" in each][-1], "log-in8")
        for log_in in log_ins:
            self.successResultOf(log_in)

    def test_log_ins_leave_one_thread_to_others(self) -> None:
        """However many log in, passwords can be set."""
        for number in range(80):
            self.log_in(f"log-in{number}")
        self.register("new")
        self.assertEqual(self.finish(3)[-1], "new")

    def test_passwords_of_a_session_are_not_verified_in_the_places_of_log_ins(self) -> None:
        """Changing a password proves the old one first."""
        self.make(hashes=1)
        for number in range(3):
            verifying = self.passwords.verify("hash", str(number), CLIENT, logging_in=False)
            last = Deferred.fromCoroutine(verifying)
        self.assertIn("too many passwords wait to be hashed: 1", self.refuse("hashes", last))
        self.assertNoResult(self.log_in("right"))

    def test_addresses_take_turns(self) -> None:
        """A client waits for one password of each other address, not for all of them."""
        for number in range(10):
            self.log_in(f"many{number}", REMOTE)
        self.log_in("one", FakeClient("192.0.2.2"))
        self.log_in("here")
        self.assertEqual(self.finish(5), ["many0", "many1", "many2", "one", "here"])

    def test_address_has_a_share_of_the_places(self) -> None:
        """All of a /64 are one; the sentence names the bound."""
        self.make(address_hashes=3)
        addresses = [f"2001:db8::{number}" for number in range(6)]
        attempts = [self.log_in("x", FakeClient(address)) for address in addresses]
        self.assertIn("3 from your address", self.refuse("address_hashes", attempts[5]))
        self.assertNoResult(self.log_in("y", REMOTE))

    def test_clients_on_this_machine_have_no_share(self) -> None:
        """All places are theirs, and those at a unix socket count as well."""
        self.make(address_hashes=3, hashes=10)
        attempts = [self.log_in("x", FakeClient(LOCAL)) for _ in range(6)]
        attempts += [self.log_in("x", FakeClient(f"127.0.0.{number}")) for number in range(7)]
        self.assertIn("10 of all clients", self.refuse("hashes", attempts[-1]))
        self.assertNoResult(attempts[-2])

    def test_operators_are_not_refused_and_have_their_turn(self) -> None:
        """The places may all be taken."""
        self.make(hashes=5)
        for number in range(6):
            self.register(str(number))
        setting = Deferred.fromCoroutine(self.passwords.hash("operator"))
        self.assertEqual(self.finish(3)[-1], "operator")
        self.successResultOf(setting)

    def test_work_of_a_client_that_has_disconnected_is_not_done(self) -> None:
        """It is dropped when its turn comes, and when its place is needed."""
        self.make(hashes=3)
        leaving = FakeClient("192.0.2.1")
        begun = self.log_in("begun", leaving)
        self.log_in("other")
        dropped = [self.log_in(f"dropped{number}", leaving) for number in range(3)]
        self.refuse("hashes", self.log_in("one more"))
        leaving.disconnected = True
        waiting = self.log_in("waits")
        for each in dropped:
            self.failureResultOf(each, Disconnected)
        self.assertEqual(self.finish(3), ["begun", "other", "waits"])
        self.successResultOf(begun)
        self.successResultOf(waiting)
        self.log_in("a"), self.log_in("b")
        late = self.log_in("late", leaving)
        self.finish()
        self.failureResultOf(late, Disconnected)

    def test_what_waits_is_refused_when_the_daemon_stops(self) -> None:
        """The work that has begun is finished."""
        for number in range(3):
            last = self.log_in(str(number))
        self.passwords.stop()
        self.failureResultOf(last, Busy)
        self.assertEqual(self.finish(2), ["0", "1"])
