"""Suspended accounts: their sessions, log-ins, tokens and mail."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.core.errors import Busy, NotSuspended, Suspended, UnknownAccount
from chatd.realm.account_operations import SuspensionInfo
from chatd.realm.accounts import Account
from chatd.realm.operations import Operations
from tests.doubles.realm import AckRecorder, RealmHarness
from tests.realm.case import AckRealmCase

_STEPS = 12
"""more than the turns of the store that a log-in takes"""


class Suspensions(AckRealmCase):
    """Ann is suspended; she and bob were logged in."""

    def suspend(self, seconds: int | None = None, reason: str = "spam") -> int:
        """Suspend Ann, and return the number of sessions that were ended."""
        _, _, ended = self.run_now(self.realm.suspensions.suspend("ANN", seconds, reason))
        count: int = ended
        return count

    def account(self) -> Account:
        """Ann's record."""
        record: Account = self.harness.account("ann")
        return record

    def test_sessions_end_with_the_reason(self) -> None:
        """Those of others go on."""
        sentences: list[str] = []
        self.patch(self.ann_peer, "session_ended", lambda _, sentence: sentences.append(sentence))
        self.assertEqual(self.suspend(), 1)
        self.assertTrue(self.ann.ended)
        self.assertFalse(self.bob.ended)
        self.assertEqual(sentences, ["This account is suspended: spam"])

    def test_log_in_and_fetching_mail_are_refused_until_the_end(self) -> None:
        """The sentence has the reason and the end, rounded up to the minute."""
        self.suspend(61, "line 1\nline\x1b[2J 2")
        for opening in (
            self.realm.sessions.open("Ann", self.account(), AckRecorder()),
            self.realm.sessions.open_mail_fetch("Ann", self.account()),
        ):
            self.assertEqual(
                self.refuse(Suspended, opening),
                "This account is suspended until 1970-01-01 00:02 UTC: line 1 line\\x1b[2J 2",
            )
        self.harness.now += 61_000
        self.login("Ann")

    def test_tokens_are_valid_again_after_the_suspension(self) -> None:
        """Meanwhile a right token opens no session."""
        token = self.run_now(self.realm.resume_tokens.issue(self.ann))
        self.suspend()
        name, account, *_ = self.run_now(self.realm.resume_tokens.account("ann", token))
        self.refuse(Suspended, self.realm.sessions.open(name, account, AckRecorder()))
        self.assertEqual(self.run_now(self.realm.suspensions.unsuspend("ann")), "Ann")
        name, account, *_ = self.run_now(self.realm.resume_tokens.account("ann", token))
        self.login(name)

    def test_mail_is_stored_meanwhile(self) -> None:
        """The account gets it afterwards."""
        self.suspend()
        self.send(self.bob, "ann", "waits")
        self.run_now(self.realm.suspensions.unsuspend("ann"))
        session, peer = self.login("Ann")
        self.run_now(session.catch_up())
        self.assertEqual([entry[3] for entry in peer.logs["@ann"]], ["waits"])

    def test_log_in_that_is_under_way_is_refused(self) -> None:
        """Whenever the suspension is stored meanwhile, no session is left."""
        for steps in range(_STEPS):
            proven = self.account()
            self.store.eager = False
            opening = Deferred.fromCoroutine(
                self.realm.sessions.open("Ann", proven, peer := AckRecorder())
            )
            for _ in range(steps):
                self.store.release()
            suspending = Deferred.fromCoroutine(self.realm.suspensions.suspend("ann", None, ""))
            for _ in range(2 * _STEPS):
                self.store.release()
            self.store.eager = True
            self.successResultOf(suspending)
            if peer.ended_with:
                self.assertEqual(peer.ended_with, "suspended")
                self.assertTrue(self.successResultOf(opening).ended)
            else:
                self.failureResultOf(opening, Busy, Suspended)
            self.assertFalse(self.realm.sessions.online("ann"))
            self.run_now(self.realm.suspensions.unsuspend("ann"))

    def test_suspension_is_listed_while_it_lasts(self) -> None:
        """A later one replaces it."""
        operations = Operations(self.realm)
        self.suspend(None, "first")
        self.suspend(60, "second")
        (ann, bob) = self.run_now(operations.accounts("*", "", 10)).items
        self.assertEqual(
            (ann.suspended, bob.suspended), (SuspensionInfo(1, 60_001, "second"), None)
        )
        page = self.run_now(operations.accounts("*", "", 10, suspended=True))
        self.assertEqual([account.name for account in page.items], ["Ann"])
        self.harness.now = 60_001
        self.assertEqual(self.run_now(operations.accounts("*", "", 10, suspended=True)).items, [])

    def test_suspension_outlasts_a_restart(self) -> None:
        """It is in the record of the account."""
        self.suspend(3600)
        again = RealmHarness(self.store, now=2)
        _, account = again.run(again.realm.accounts.existing("ann"))
        opening = again.realm.sessions.open("Ann", account, AckRecorder())
        self.assertRaises(Suspended, again.run, opening)

    def test_only_what_is_suspended_can_be_unsuspended(self) -> None:
        """An unknown account can be neither."""
        suspensions = self.realm.suspensions
        self.assertIn("Ann", self.refuse(NotSuspended, suspensions.unsuspend("ann")))
        self.refuse(UnknownAccount, suspensions.unsuspend("nobody"))
        self.refuse(UnknownAccount, suspensions.suspend("nobody", None, ""))
