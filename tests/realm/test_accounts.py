"""Accounts: their stored record, registering, changing and listing them."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import IllegalName, NameTaken, PatternTooLong, UnknownAccount
from chatd.realm.accounts import Account
from tests.doubles.realm import RealmHarness
from tests.doubles.stores import FailingDocumentStore


class AccountRecord(SynchronousTestCase):
    """Its encoding, which must stay readable."""

    def test_record_is_decoded_as_it_was_encoded(self) -> None:
        """With a password and without."""
        for account in (Account(1_700_000_000_000), Account(0, "$argon2id$v=19$...")):
            stored = msgspec.msgpack.encode(account)
            self.assertEqual(msgspec.msgpack.decode(stored, type=Account), account)

    def test_unknown_fields_are_ignored(self) -> None:
        """An older daemon can read what a newer one has written with more fields at the end."""
        stored = msgspec.msgpack.encode([5, None, [], "later"])
        self.assertEqual(msgspec.msgpack.decode(stored, type=Account), Account(5))

    def test_account_without_password_is_open(self) -> None:
        """The default is no password."""
        self.assertIsNone(Account(0).password)


class AccountsCase(SynchronousTestCase):
    """The accounts Ann and bob, over a store that can fail."""

    def setUp(self) -> None:
        """Register the accounts."""
        self.store = FailingDocumentStore()
        self.harness = RealmHarness(self.store)
        self.realm = self.harness.realm
        self.harness.register("Ann", "bob")

    def begin(self, coroutine: Any) -> Deferred[Any]:
        """Start a coroutine that waits for the store."""
        return Deferred.fromCoroutine(coroutine)


class Names(AccountsCase):
    """Registering, finding and listing accounts."""

    def test_name_is_taken_in_all_spellings(self) -> None:
        """It is shown as first written."""
        for name in ("Ann", "ann", "ANN"):
            with self.assertRaises(NameTaken):
                self.harness.register(name)
            self.assertEqual(
                self.harness.run(self.realm.accounts.account(name)), ("Ann", Account(0))
            )

    def test_illegal_name_is_refused(self) -> None:
        """Before the store is asked."""
        attempts = self.store.attempts
        for name in ("", "a b", "server", "x" * 33):
            with self.assertRaises(IllegalName):
                self.harness.register(name)
        self.assertEqual(self.store.attempts, attempts)

    def test_concurrent_registrations_of_a_name(self) -> None:
        """One succeeds, the other one is refused."""
        self.store.eager = False
        first = self.begin(self.realm.accounts.register("cyd", Account(1)))
        second = self.begin(self.realm.accounts.register("CYD", Account(2)))
        self.store.release()
        self.successResultOf(first)
        self.failureResultOf(second, NameTaken)

    def test_unknown_account_is_none(self) -> None:
        """For a name that was never registered, and for illegal ones."""
        for name in ("cyd", "", "@ann", "*"):
            self.assertIsNone(self.harness.run(self.realm.accounts.account(name)))

    def test_names_are_listed_in_order_of_creation(self) -> None:
        """Patterns match the names as first written, with regard to case."""
        self.harness.register("abe")
        for pattern, names in (
            ("*", ["Ann", "bob", "abe"]),
            ("a*", ["abe"]),
            ("[aA]*", ["Ann", "abe"]),
        ):
            self.assertEqual(self.harness.run(self.realm.accounts.names(pattern)), names)
        refusal = self.failureResultOf(
            self.begin(self.realm.accounts.names("*" * 257)), PatternTooLong
        )
        self.assertIn("257 characters, the limit is 256", str(refusal.value))


class Changing(AccountsCase):
    """Passwords and certificates."""

    def account(self) -> Account:
        """The stored account of Ann."""
        _, account = self.harness.run(self.realm.accounts.account("ann"))
        assert isinstance(account, Account)
        return account

    def test_password_is_changed_for_the_proven_account_only(self) -> None:
        """If the account has another password by now, or is another one, it is unknown."""
        accounts = self.realm.accounts
        self.harness.run(accounts.set_password("ann", Account(0), "hash"))
        self.assertEqual(self.account().password, "hash")
        for proven in (Account(0), Account(0, "other"), Account(1, "hash")):
            with self.assertRaises(UnknownAccount):
                self.harness.run(accounts.set_password("ann", proven, None))
        self.assertEqual(self.account().password, "hash")

    def test_concurrent_changes_are_both_made(self) -> None:
        """A new password and new certificates do not overwrite each other."""
        self.store.eager = False
        password = self.begin(self.realm.accounts.set_password("ann", Account(0), "hash"))
        certificates = self.begin(self.realm.accounts.set_certificates("ann", ("ab",)))
        self.harness.settle()
        self.successResultOf(password)
        self.successResultOf(certificates)
        self.store.eager = True
        self.assertEqual(self.account(), Account(0, "hash", ("ab",)))
