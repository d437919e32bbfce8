"""Accounts: their stored record, registering, changing and listing them."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import (
    FingerprintInvalid,
    IllegalName,
    LimitReached,
    NameTaken,
    PatternTooLong,
    UnknownAccount,
    WrongPassword,
)
from chatd.realm.accounts import Account, fingerprints
from tests.realm.case import RealmCase


class AccountRecord(SynchronousTestCase):
    """Its encoding, which must stay readable."""

    def test_record_is_decoded_as_it_was_encoded(self) -> None:
        """An account with a password and one without are decoded to equal records."""
        for account in (
            Account(1_700_000_000_000, id=1 << 60),
            Account(0, "$argon2id$v=19$...", ("ab",), 7),
        ):
            stored = msgspec.msgpack.encode(account)
            self.assertEqual(msgspec.msgpack.decode(stored, type=Account), account)

    def test_unknown_fields_are_ignored(self) -> None:
        """An older daemon can read what a newer one has written with more fields at the end."""
        stored = msgspec.msgpack.encode([5, None, [], 3, 0, None, "later"])
        self.assertEqual(msgspec.msgpack.decode(stored, type=Account), Account(5, id=3))

    def test_account_without_password_is_open(self) -> None:
        """The default is no password."""
        self.assertIsNone(Account(0).password)


class Names(RealmCase):
    """Registering, finding and listing accounts."""

    def test_name_is_taken_in_all_spellings(self) -> None:
        """A name that differs only in case is refused; the account keeps the first spelling."""
        for name in ("Ann", "ann", "ANN"):
            with self.assertRaises(NameTaken):
                self.harness.register(name)
            self.assertEqual(
                self.harness.run(self.realm.accounts.account(name)),
                ("Ann", self.harness.account("Ann")),
            )

    def test_illegal_name_is_refused(self) -> None:
        """An illegal name is refused before the store is asked."""
        attempts = self.store.attempts
        for name in ("", "a b", "server", "x" * 33):
            with self.assertRaises(IllegalName):
                self.harness.register(name)
        self.assertEqual(self.store.attempts, attempts)

    def test_concurrent_registrations_of_a_name(self) -> None:
        """One of two concurrent registrations succeeds, the other one is refused."""
        self.store.eager = False
        first = self.begin(self.realm.accounts.register("cyd", Account(1)))
        second = self.begin(self.realm.accounts.register("CYD", Account(2)))
        self.store.release()
        self.successResultOf(first)
        self.failureResultOf(second, NameTaken)

    def test_unknown_account_is_none(self) -> None:
        """Names that were never registered and illegal names give None."""
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

    def test_accounts_are_found_in_alphabetical_order(self) -> None:
        """Pages ignore the case of letters and may begin after any name."""
        self.harness.register("abe", "Cyd")
        for pattern, after, limit, page in (
            ("*", "", 2, (["abe", "Ann"], True)),
            ("*", "ANN", 2, (["bob", "Cyd"], False)),
            ("*", "b", 1, (["bob"], True)),
            ("*", "cyd", 2, ([], False)),
            ("?b*", "", 9, (["abe"], False)),
        ):
            answer = self.harness.run(self.realm.accounts.find_accounts(pattern, after, limit))
            self.assertEqual(answer, page, (pattern, after, limit))
        self.refuse(PatternTooLong, self.realm.accounts.find_accounts("*" * 257, "", 1))

    def test_names_are_compared_with_pauses(self) -> None:
        """A pattern that is expensive to compare does not delay other requests for long."""
        self.harness.register(*(f"u{number}" for number in range(600)))
        compared: list[str] = []

        def matches(name: str) -> bool:
            compared.append(name)
            return name.endswith("99")

        names = self.begin(self.realm.accounts.names_like(matches))
        self.assertNoResult(names)
        self.assertEqual(len(compared), 250)
        self.harness.runner.clock.advance(0)
        self.assertEqual(len(compared), 602)
        self.assertEqual(
            self.successResultOf(names), ["u99", "u199", "u299", "u399", "u499", "u599"]
        )


class Fingerprints(SynchronousTestCase):
    """The fingerprints of certificates."""

    def test_fingerprints_are_normalized(self) -> None:
        """Colons and upper case are accepted; a repeated fingerprint is stored once."""
        plain = "ab12" * 16
        colons = ":".join(plain[start : start + 2] for start in range(0, 64, 2))
        self.assertEqual(fingerprints([colons.upper(), plain]), (plain,))
        self.assertEqual(fingerprints([]), ())

    def test_malformed_fingerprints_are_refused(self) -> None:
        """Fingerprints of a wrong length and with other characters are refused."""
        for text in ("", "ab", "a" * 63, "a" * 65, "g" * 64, "a" * 64 + "\n"):
            self.assertRaises(FingerprintInvalid, fingerprints, ["0" * 64, text])

    def test_too_many_fingerprints_are_refused(self) -> None:
        """An account has at most eight certificates."""
        digests = [f"{number:064x}" for number in range(9)]
        self.assertEqual(len(fingerprints(digests[:8])), 8)
        self.assertRaises(LimitReached, fingerprints, digests)


class Changing(RealmCase):
    """Passwords and certificates."""

    def account(self) -> Account:
        """The stored account of Ann."""
        _, account = self.harness.run(self.realm.accounts.account("ann"))
        assert isinstance(account, Account)
        return account

    def test_password_is_changed_for_the_proven_account_only(self) -> None:
        """If the account has another password, or was created again, the change is refused."""
        accounts = self.realm.accounts
        account = self.account()
        self.harness.run(accounts.set_password("ann", account, "hash", True))
        self.assertEqual(self.account().password, "hash")
        other = msgspec.structs.replace(account, password="other")
        for proven in (account, other):
            self.refuse(WrongPassword, accounts.set_password("ann", proven, None, True))
        other = msgspec.structs.replace(account, password="hash", id=self.realm.new_id())
        for whether in (False, True):
            self.refuse(UnknownAccount, accounts.set_password("ann", other, None, whether))
        self.refuse(UnknownAccount, accounts.set_password("nemo", account, None, False))
        self.assertEqual(self.account().password, "hash")
        self.harness.run(accounts.set_password("ann", account, None, False))
        self.assertIsNone(self.account().password)

    def test_certificates_of_an_unknown_account_are_refused(self) -> None:
        """No account is created."""
        account = self.account()
        self.refuse(UnknownAccount, self.set_certificates("nemo", account, proven=True))
        self.assertIsNone(self.harness.run(self.realm.accounts.account("nemo")))

    def test_certificates_of_the_next_account_of_the_name_do_not_change(self) -> None:
        """A request that was permitted to the former account is refused."""
        account = self.account()
        self.harness.run(self.realm.delete_account("ann"))
        self.harness.register("Ann")
        for proven in (False, True):
            self.refuse(UnknownAccount, self.set_certificates("ann", account, proven=proven))
        self.assertEqual(self.account().certificates, ())

    def test_certificates_are_changed_for_the_proven_password_only(self) -> None:
        """A client that knew the former password gets no other way to log in; an operator may."""
        account = self.account()
        self.harness.run(self.realm.accounts.set_password("ann", account, "hash", True))
        self.refuse(WrongPassword, self.set_certificates("ann", account, proven=True))
        self.assertEqual(self.account().certificates, ())
        self.harness.run(self.set_certificates("ann", account, proven=False))
        self.assertEqual(self.account().certificates, ("ab",))

    def set_certificates(self, name: str, account: Account, proven: bool) -> Any:
        """Replace the certificates of an account by one."""
        return self.realm.accounts.set_certificates(name, account, ("ab",), proven)

    def test_first_password_removes_what_others_may_have_added(self) -> None:
        """Any client can add a certificate to an open account; its owner can keep it out."""
        account = self.account()
        self.harness.run(self.set_certificates("ann", account, proven=True))
        self.harness.now = 7
        self.harness.run(self.realm.accounts.set_password("ann", account, "hash", True))
        self.assertEqual((self.account().certificates, self.account().changed), ((), 7))

    def test_certificates_outlast_a_change_from_one_password_to_another(self) -> None:
        """Their owner knew the former password, so the owner has added them."""
        account = self.account()
        self.harness.run(self.realm.accounts.set_password("ann", account, "hash", True))
        account = self.account()
        self.harness.run(self.set_certificates("ann", account, proven=True))
        self.harness.now = 7
        self.harness.run(self.realm.accounts.set_password("ann", account, "other", True))
        self.assertEqual((self.account().certificates, self.account().changed), (("ab",), 1))

    def test_operators_password_removes_the_certificates(self) -> None:
        """The account is given back to its owner, whoever could log in to it."""
        account = self.account()
        self.harness.run(self.realm.accounts.set_password("ann", account, "hash", True))
        self.harness.run(self.set_certificates("ann", self.account(), proven=True))
        self.harness.run(self.realm.accounts.set_password("ann", account, "other", False))
        self.assertEqual(self.account().certificates, ())

    def test_password_and_certificates_at_once(self) -> None:
        """The first of two concurrent changes is made; the other was proven by the password before
        it."""
        account = self.account()
        self.store.eager = False
        password = self.begin(self.realm.accounts.set_password("ann", account, "hash", True))
        certificates = self.begin(self.set_certificates("ann", account, proven=True))
        self.harness.settle()
        self.successResultOf(password)
        self.failureResultOf(certificates, WrongPassword)

    def test_concurrent_changes_are_both_made(self) -> None:
        """A new password and certificates set by an operator do not overwrite each other."""
        account = self.account()
        self.store.eager = False
        password = self.begin(self.realm.accounts.set_password("ann", account, "hash", True))
        certificates = self.begin(self.set_certificates("ann", account, proven=False))
        self.harness.settle()
        self.successResultOf(password)
        self.successResultOf(certificates)
        self.store.eager = True
        changed = msgspec.structs.replace(
            account, password="hash", certificates=("ab",), changed=self.harness.now
        )
        self.assertEqual(self.account(), changed)
