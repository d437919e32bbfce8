"""Creating accounts, and changing their passwords."""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.core.errors import (
    Busy,
    IllegalName,
    InviteInvalid,
    InviteRequired,
    NameTaken,
    OpenAccountsForbidden,
    RegistrationClosed,
    StoreUnavailable,
    UnknownAccount,
    WrongPassword,
)
from chatd.realm.accounts import Account
from chatd.realm.invite_tokens import listing, make
from chatd.realm.permissions import CLOSED, INVITE_ONLY, Policy
from chatd.stores import Update
from tests.doubles.stores import flush_unavailable
from tests.realm.case import AckRealmCase, RealmCase


class Registering(RealmCase):
    """`Realm.register`: the order of its checks, and invite tokens."""

    def setUp(self) -> None:
        """Record which passwords are hashed."""
        super().setUp()
        self.hashed: list[str] = []

        async def hash_password(password: str) -> str:
            self.hashed.append(password)
            return f"hash of {password}"

        self.harness.hash_password = hash_password

    def uses(self) -> int:
        """How many accounts can still be registered with the only invite token."""
        ((_, token),) = self.harness.run(listing(self.realm.documents))
        return int(token.uses)

    def test_account_is_stored_with_the_hash_of_its_password(self) -> None:
        """An account that is registered without a password is open."""
        self.harness.now = 7
        account = self.harness.run(self.realm.register("Cyd", "secret"))
        self.assertEqual(account, Account(7, "hash of secret", id=account.id))
        self.assertNotIn(account.id, (0, self.harness.account("Ann").id))
        self.assertEqual(self.harness.run(self.realm.accounts.account("cyd")), ("Cyd", account))
        dee = self.harness.run(self.realm.register("dee"))
        self.assertEqual(dee, Account(8, id=dee.id))
        self.assertGreater(dee.id, account.id)

    def test_no_password_is_hashed_for_a_registration_that_is_refused(self) -> None:
        """Hashing is expensive, so everything else is checked before it, in this order."""
        self.realm.policy = Policy(CLOSED, open_accounts=False)
        for name, refusal in (
            ("ANN", NameTaken),
            ("a b", IllegalName),
            ("cyd", RegistrationClosed),
        ):
            self.refuse(refusal, self.realm.register(name, "secret"))
        self.realm.policy = Policy(INVITE_ONLY, open_accounts=False)
        self.refuse(InviteRequired, self.realm.register("cyd", "secret"))
        self.refuse(OpenAccountsForbidden, self.realm.register("cyd", None, "a token"))
        self.refuse(InviteInvalid, self.realm.register("cyd", "secret", "a token"))
        self.assertEqual(self.hashed, [])

    def test_one_use_of_the_token_is_redeemed(self) -> None:
        """A refusal because the name is taken costs no use."""
        self.realm.policy = Policy(INVITE_ONLY)
        token = self.harness.run(make(self.realm.documents, 0, uses=2))
        self.harness.run(self.realm.register("cyd", None, token))
        self.refuse(NameTaken, self.realm.register("CYD", None, token))
        self.assertEqual(self.uses(), 1)

    def test_failed_registration_costs_no_use(self) -> None:
        """The account and the use of the token are stored together, or neither is."""
        self.realm.policy = Policy(INVITE_ONLY)
        token = self.harness.run(make(self.realm.documents, 0))
        self.store.fail_after = 0
        self.refuse(StoreUnavailable, self.realm.register("cyd", None, token))
        flush_unavailable(self)
        self.assertEqual(self.uses(), 1)
        self.harness.run(self.realm.register("cyd", None, token))
        self.assertEqual(self.uses(), 0)
        self.refuse(InviteInvalid, self.realm.register("dee", None, token))

    def test_concurrent_uses_of_a_token_are_counted(self) -> None:
        """Of eight concurrent registrations, a token for three accounts lets three succeed."""
        self.realm.policy = Policy(INVITE_ONLY)
        token = self.harness.run(make(self.realm.documents, 0, uses=3))
        self.store.eager = False
        outcomes: list[Any] = []
        for number in range(8):
            registering = self.begin(self.realm.register(f"u{number}", None, token))
            registering.addBoth(outcomes.append)
        self.harness.settle()
        refused = [outcome for outcome in outcomes if not isinstance(outcome, Account)]
        self.assertEqual((len(outcomes), len(refused)), (8, 5))
        for failure in refused:
            failure.trap(InviteInvalid)
        self.store.eager = True
        self.assertEqual(self.uses(), 0)
        self.assertEqual(len(self.harness.run(self.realm.accounts.names("u*"))), 3)

    def test_token_that_always_changes_is_busy(self) -> None:
        """If other writers always change the token first, no account is created."""
        self.realm.policy = Policy(INVITE_ONLY)
        token = self.harness.run(make(self.realm.documents, 0, uses=1000))
        get: Any = self.store.get

        async def get_and_change(kind: str, key: str, scope: str) -> Any:
            document = await get(kind, key, scope)
            if document is not None:
                await self.store.write([Update(kind, key, document.version, document.body)])
            return document

        self.patch(self.store, "get", get_and_change)
        self.refuse(Busy, self.realm.register("cyd", None, token))
        self.patch(self.store, "get", get)
        self.assertEqual(self.uses(), 1000)
        self.assertIsNone(self.harness.run(self.realm.accounts.account("cyd")))

    def test_use_is_not_redeemed_if_the_name_is_taken_meanwhile(self) -> None:
        """Two concurrent registrations of one name cost one use."""
        self.realm.policy = Policy(INVITE_ONLY)
        token = self.harness.run(make(self.realm.documents, 0, uses=5))
        self.store.eager = False
        first = self.begin(self.realm.register("cyd", None, token))
        second = self.begin(self.realm.register("CYD", None, token))
        self.harness.settle()
        self.successResultOf(first)
        self.failureResultOf(second, NameTaken)
        self.store.eager = True
        self.assertEqual(self.uses(), 4)

    def test_token_is_not_used_where_registration_is_open(self) -> None:
        """An invite token is neither redeemed nor checked."""
        token = self.harness.run(make(self.realm.documents, 0))
        self.harness.run(self.realm.register("cyd", None, token))
        self.harness.run(self.realm.register("dee", None, "no token"))
        self.assertEqual(self.uses(), 1)


class Passwords(AckRealmCase):
    """`Realm.set_password`."""

    def proven(self) -> Account:
        """Ann's stored account."""
        return self.harness.account("Ann")

    def test_sessions_end_except_that_of_the_requester(self) -> None:
        """The other sessions are given the reason; the account can log in again."""
        _, other_peer = self.login("Ann")
        self.run_now(self.realm.set_password("Ann", "new", self.proven(), self.ann))
        self.assertEqual(self.ann_peer.ended_with, "")
        self.assertEqual(other_peer.ended_with, "password-changed")
        _, account = self.harness.run(self.realm.accounts.account("ann"))
        self.assertEqual((account.password, account.id), ("hash of new", self.ann.account))

    def test_change_that_was_proven_for_another_record_is_refused(self) -> None:
        """No session ends."""
        old = msgspec.structs.replace(self.proven(), password="old")
        self.refuse(WrongPassword, self.realm.set_password("Ann", "new", old))
        former = msgspec.structs.replace(self.proven(), id=1)
        self.refuse(UnknownAccount, self.realm.set_password("Ann", "new", former))
        self.refuse(UnknownAccount, self.realm.set_password("nemo", "new"))
        self.assertEqual(self.ann_peer.ended_with, "")

    def test_operator_changes_a_password_by_any_spelling_of_the_name(self) -> None:
        """Without a record to compare, all sessions of the account end."""
        self.run_now(self.realm.set_password("ANN", None))
        self.assertEqual(self.ann_peer.ended_with, "password-changed")
