"""Blocking: what a blocked account's messages meet, and what it costs other senders."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import Blocked, NotLoggedIn, UnknownAccount
from chatd.realm.accounts import Accounts
from tests.doubles.realm import RealmHarness
from tests.realm.case import AckRealmCase


class Blocking(SynchronousTestCase):
    """Ann, Bob and Cyd are logged in."""

    def setUp(self) -> None:
        self.harness = RealmHarness()
        self.realm = self.harness.realm
        self.harness.register("Ann", "Bob", "Cyd")
        self.readers = {name: self.harness.login(name) for name in ("Ann", "Bob", "Cyd")}

    def block(self, name: str, other: str, blocked: bool = True) -> None:
        """Have an account block another."""
        self.harness.run(
            self.realm.blocking.set_blocked(self.harness.sessions[name], other, blocked)
        )

    def test_blocked_sender_is_refused(self) -> None:
        """Every spelling of both names is refused; other senders are not."""
        self.block("Ann", "BOB")
        for recipient in ("Ann", "ann", "ANN"):
            self.assertRaises(Blocked, self.harness.send, "Bob", recipient, "x")
        self.harness.send("Cyd", "Ann", "y")
        self.harness.send("Ann", "Bob", "z")
        self.assertEqual((self.readers["Ann"].texts, self.readers["Bob"].texts), (["y"], ["z"]))

    def test_sender_is_allowed_again_after_unblocking(self) -> None:
        """Unblocking takes effect at once."""
        self.block("Ann", "bob")
        self.block("Ann", "bob", False)
        self.harness.send("Bob", "Ann", "x")
        self.assertEqual(self.readers["Ann"].texts, ["x"])

    def test_block_survives_a_restart(self) -> None:
        """The list is stored with the account's settings."""
        self.block("Ann", "bob")
        self.harness.settle()
        self.harness = self.harness.restart()
        self.harness.login("Bob")
        self.assertRaises(Blocked, self.harness.send, "Bob", "Ann", "x")

    def blocked(self, name: str) -> list[str]:
        """The accounts that an account blocks, as it is told."""
        names: list[str] = self.harness.run(self.realm.blocking.names(self.harness.sessions[name]))
        return names

    def test_a_block_ends_with_the_blocked_account(self) -> None:
        """A later account of its name is neither blocked nor listed as blocked."""
        self.block("Ann", "bob")
        self.block("Ann", "cyd")
        self.assertEqual(self.blocked("Ann"), ["Bob", "Cyd"])
        self.harness.run(self.realm.delete_account("bob"))
        self.assertEqual(self.blocked("Ann"), ["Cyd"])
        self.harness.register("Bob")
        self.readers["Bob"] = self.harness.login("Bob")
        self.assertEqual(self.blocked("Ann"), ["Cyd"])
        self.harness.send("Bob", "Ann", "x")
        self.assertEqual(self.readers["Ann"].texts, ["x"])
        self.block("Ann", "bob")
        self.assertEqual(self.blocked("Ann"), ["Cyd", "Bob"])
        self.block("Ann", "bob", False)
        self.assertEqual(self.blocked("Ann"), ["Cyd"])

    def test_unknown_account_cannot_be_blocked(self) -> None:
        """The list cannot be filled with invented names; unblocking one changes nothing."""
        self.assertRaises(UnknownAccount, self.block, "Ann", "nemo")
        self.block("Ann", "nemo", False)

    def test_block_costs_its_recipient_a_lookup_only(self) -> None:
        """Messages to accounts that block no account need no further check."""
        self.block("Ann", "bob")
        self.assertEqual(
            self.realm.accounts.direct_logs,
            {name: (self.harness.log("@" + name), "@" + name) for name in ("bob", "cyd")},
        )
        self.block("Ann", "bob", False)
        self.assertEqual(set(self.realm.accounts.direct_logs), {"ann", "bob", "cyd"})

    def test_block_that_is_not_saved_yet_counts(self) -> None:
        """A lookup that read the settings before the block was stored does not undo it."""
        self.harness.store.eager = False
        blocking: Deferred[Any] = Deferred.fromCoroutine(
            self.realm.blocking.set_blocked(self.harness.sessions["Ann"], "bob", True)
        )
        lookup: Deferred[Any] = Deferred.fromCoroutine(self.realm.accounts.account("ann"))
        self.harness.settle()
        self.successResultOf(blocking)
        self.successResultOf(lookup)
        bob = self.harness.sessions["Bob"].account
        self.assertRaises(Blocked, self.realm.accounts.cached_log, "Ann", bob)

    def test_block_of_a_deleted_account_ends(self) -> None:
        """The next account of the name blocks no account."""
        self.block("Ann", "bob")
        self.harness.run(self.realm.delete(self.harness.sessions.pop("Ann")))
        self.assertIsNone(self.realm.accounts.cached_log("Ann", self.harness.account("Bob").id))
        self.harness.register("Ann")
        self.harness.send("Bob", "Ann", "x")

    def test_block_while_the_account_is_deleted_is_refused(self) -> None:
        """The deleted account cannot be sent messages, which the next of its name would get."""
        ann, store = self.harness.sessions.pop("Ann"), self.harness.store
        store.eager = False
        deleting: Deferred[Any] = Deferred.fromCoroutine(self.realm.delete(ann))
        store.release()
        blocking: Deferred[Any] = Deferred.fromCoroutine(
            self.realm.blocking.set_blocked(ann, "cyd", True)
        )
        self.harness.settle()
        store.eager = True
        self.successResultOf(deleting)
        self.failureResultOf(blocking, NotLoggedIn)
        self.assertRaises(UnknownAccount, self.harness.send, "Bob", "Ann", "x")
        self.harness.register("Ann")
        self.assertEqual(self.harness.login("Ann").texts, [])

    def test_unblocking_while_the_account_is_deleted_makes_it_no_recipient(self) -> None:
        """The account is left out of the cache of accounts."""
        ann, store = self.harness.sessions.pop("Ann"), self.harness.store
        store.eager = False
        deleting: Deferred[Any] = Deferred.fromCoroutine(self.realm.delete(ann))
        store.release()
        unblocking: Deferred[Any] = Deferred.fromCoroutine(
            self.realm.blocking.set_blocked(ann, "cyd", False)
        )
        self.harness.settle()
        store.eager = True
        self.successResultOf(deleting)
        self.failureResultOf(unblocking, NotLoggedIn)
        self.assertRaises(UnknownAccount, self.harness.send, "Bob", "Ann", "x")

    def test_simultaneous_blocks_all_count(self) -> None:
        """A block that waits for the store does not undo another one."""
        ann, store = self.harness.sessions["Ann"], self.harness.store
        self.realm.accounts.direct_logs.clear()
        store.eager = False
        for name in ("bob", "cyd"):
            Deferred.fromCoroutine(self.realm.blocking.set_blocked(ann, name, True))
        self.harness.settle()
        self.assertEqual(set(ann.mailbox.settings.blocked.values()), {"Bob", "Cyd"})


class Cache(SynchronousTestCase):
    """The bound of the cache of accounts."""

    def test_cache_is_cleared_over_its_limit(self) -> None:
        """Accounts of either kind count; accounts that were dropped are looked up again."""
        harness = RealmHarness(accounts_cached=2)
        harness.register("ann", "bob")
        harness.login("ann")
        harness.run(harness.realm.blocking.set_blocked(harness.sessions["ann"], "bob", True))
        accounts: Accounts = harness.realm.accounts
        # To check that there is a bob has cleared the full cache.
        ann, bob = (harness.account(name).id for name in ("ann", "bob"))
        self.assertEqual(accounts.cached_log("bob", ann), harness.log("@bob"))
        self.assertRaises(Blocked, accounts.cached_log, "ann", bob)
        harness.register("cyd")
        self.assertIsNone(accounts.cached_log("bob", ann))
        self.assertIsNone(accounts.cached_log("ann", bob))
        self.assertRaises(Blocked, harness.run, accounts.reachable_log("ann", bob))


class SessionThatEnds(AckRealmCase):
    """Ann's session ends while it blocks bob."""

    def test_next_session_has_the_settings_that_are_stored(self) -> None:
        """It begins before they are stored."""
        lookup: Deferred[Any] = Deferred()
        found = ("bob", self.harness.account("bob"))
        self.patch(self.realm.accounts, "account", lambda name: lookup)
        blocking = self.begin(self.realm.blocking.set_blocked(self.ann, "bob", True))
        self.ann.end()
        self.harness.save()
        session, _ = self.login("Ann")
        lookup.callback(found)
        self.successResultOf(blocking)
        self.assertEqual(list(session.mailbox.settings.blocked.values()), ["bob"])
