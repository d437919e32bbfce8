"""`Passwords`: hashes, limits, and the bounded queue of the hashing threads."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from chatd.auth.passwords import Passwords
from chatd.core.errors import Busy, PasswordTooLong
from chatd.core.limits import Limits
from tests.doubles.passwords import started_passwords

BUSY = "too many passwords are being checked at the moment; try again later"


class Hashing(TestCase):
    """`Passwords` with cheap hashes, on real threads."""

    def setUp(self) -> None:
        self.passwords = started_passwords(self, Limits())

    async def assert_busy(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Check that a call is refused because the queue is full."""
        with self.assertRaises(Busy) as raised:
            await coroutine
        self.assertEqual(str(raised.exception), BUSY)

    async def test_only_the_same_password_verifies(self) -> None:
        """One that differs by its case or by a space is wrong."""
        hashed = await self.passwords.hash("pässword")
        self.assertTrue(hashed.startswith("$argon2id$"))
        self.assertTrue(await self.passwords.verify(hashed, "pässword"))
        for wrong in ("", "pässwor", "Pässword", "pässword ", "passwort"):
            self.assertFalse(await self.passwords.verify(hashed, wrong))

    async def test_hashes_of_the_same_password_differ(self) -> None:
        """A reader of the file does not see that two accounts have the same password."""
        self.assertNotEqual(await self.passwords.hash("same"), await self.passwords.hash("same"))

    async def test_password_over_the_limit_is_refused_without_hashing(self) -> None:
        """A new one is refused, and one to verify is wrong."""
        passwords = started_passwords(self, Limits(password=8, hashes=1))
        hashed = await passwords.hash("12345678")
        self.assertTrue(await passwords.verify(hashed, "12345678"))
        with self.assertRaises(PasswordTooLong):
            await passwords.hash("123456789")
        self.assertFalse(await passwords.verify(hashed, "123456789"))

    async def test_damaged_hash_verifies_no_password(self) -> None:
        """Verifying it is false and raises nothing."""
        for hashed in ("", "right", "$argon2id$v=19$", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$x"):
            self.assertFalse(await self.passwords.verify(hashed, "right"))

    async def test_calls_over_the_bound_of_the_queue_are_refused(self) -> None:
        """All kinds of calls count; when the queue has room again, calls are accepted."""
        passwords = started_passwords(self, Limits(hashes=2))
        waiting = [Deferred.fromCoroutine(passwords.hash(str(number))) for number in range(2)]
        await self.assert_busy(passwords.hash("one more"))
        await self.assert_busy(passwords.verify("", "and another"))
        await self.assert_busy(passwords.decoy())
        hashes = [await hashing for hashing in waiting]
        self.assertTrue(await passwords.verify(hashes[1], "1"))

    async def test_failed_verification_frees_its_place_in_the_queue(self) -> None:
        """Wrong passwords and damaged hashes do not fill the queue."""
        passwords: Passwords = started_passwords(self, Limits(hashes=1))
        hashed = await passwords.hash("right")
        for _ in range(3):
            self.assertFalse(await passwords.verify(hashed, "wrong"))
            self.assertFalse(await passwords.verify("damaged", "right"))
        self.assertTrue(await passwords.verify(hashed, "right"))

    async def test_decoy_is_made_once_and_verifies_no_password(self) -> None:
        """It has the same parameters as the hash of a password, so that it costs the same."""
        decoy = await self.passwords.decoy()
        self.assertEqual(await self.passwords.decoy(), decoy)
        hashed = await self.passwords.hash("right")
        self.assertEqual(decoy.split("$")[:4], hashed.split("$")[:4])
        for password in ("", "right"):
            self.assertFalse(await self.passwords.verify(decoy, password))
