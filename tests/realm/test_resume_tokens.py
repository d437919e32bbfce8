"""Resume tokens: what they open, what ends them, and what is saved of their use."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import product
from typing import Any

from twisted.internet.defer import Deferred

from chatd.core.errors import StoreUnavailable, UnknownAccount
from chatd.realm.operations import Operations
from chatd.realm.proof import BY_NAME_OR_PASSWORD
from chatd.realm.resume_token import ResumeToken
from chatd.realm.resume_tokens import INTERVAL_SECONDS, LIFETIME, SAVE_USE_AFTER, hashed
from chatd.realm.session import Session
from chatd.stores import Document
from tests.doubles.realm import RealmHarness
from tests.realm.case import AckRealmCase

TOKENS = 4
_STEPS = 8
"""more than the turns of the store that any of these requests takes"""
CERTIFICATE, OTHER_CERTIFICATE = "ab" * 32, "cd" * 32


class TokensCase(AckRealmCase):
    """Ann and bob are logged in; an account has at most four tokens."""

    limits = {"resume_tokens": TOKENS}

    def setUp(self) -> None:
        super().setUp()
        self.tokens = self.realm.resume_tokens

    def issue(self, session: Session) -> str:
        """A new token of a session, which must get one."""
        token: str = self.run_now(self.tokens.issue(session))
        self.assertNotEqual(token, "")
        return token

    def opens(self, token: str, name: str = "ann") -> bool:
        """Whether a token logs in to an account."""
        return self.run_now(self.tokens.account(name, token)) is not None

    def resume(self, token: str) -> Session:
        """A session of Ann's, opened with a token as a protocol does it."""
        name, account, _ = self.run_now(self.tokens.account("ann", token))
        session, _ = self.login(name)
        self.assertEqual(account, self.harness.account("ann"))
        self.run_now(self.tokens.resumed(session, token))
        return session

    def stored(self, session: Session) -> int:
        """The number of stored tokens of a session's account."""
        count: int = self.result(self.realm.documents.count(ResumeToken, str(session.account)))
        return count

    def pass_time(self, milliseconds: int) -> None:
        """Advance the clock."""
        self.harness.now += milliseconds


class Logging(TokensCase):
    """Logging in by a token."""

    def test_token_opens_its_account_and_no_other(self) -> None:
        """The name may be in any spelling."""
        token = self.issue(self.ann)
        opened = self.run_now(self.tokens.account("aNN", token))
        self.assertEqual(opened, ("Ann", self.harness.account("ann"), BY_NAME_OR_PASSWORD))
        self.assertFalse(self.opens(token, "bob"))
        self.assertFalse(self.opens(token, "cyd"))
        self.assertFalse(self.opens(token.swapcase()))
        self.assertFalse(self.opens(""))
        self.assertFalse(self.opens("\ud800"))

    def test_every_token_is_different(self) -> None:
        """Each has 192 bits."""
        tokens = {self.issue(self.ann) for _ in range(TOKENS)}
        self.assertEqual(len(tokens), TOKENS)
        self.assertEqual({len(token) for token in tokens}, {32})

    def test_store_does_not_have_the_token(self) -> None:
        """A reader of the store cannot log in: the hash is no token."""
        token = self.issue(self.ann)
        (stored,) = self.result(self.realm.documents.scan(ResumeToken, str(self.ann.account)))
        self.assertEqual(stored.key, hashed(token))
        self.assertNotIn(token.encode(), stored.body)
        self.assertFalse(self.opens(stored.key))

    def test_token_outlives_the_session_and_the_daemon(self) -> None:
        """That is what it is for."""
        token = self.issue(self.ann)
        self.ann.end()
        self.assertTrue(self.opens(token))
        restarted = self.harness.restart()
        self.assertIsNotNone(restarted.run(restarted.realm.resume_tokens.account("ann", token)))

    def test_unknown_account_costs_the_same_steps_as_a_wrong_token(self) -> None:
        """Neither the answer nor its time tells whether the account exists."""

        get = self.store.get

        def steps(name: str) -> list[str]:
            asked: list[str] = []

            def count(kind: str, key: str, scope: str = "") -> Deferred[Document | None]:
                asked.append(kind)
                return get(kind, key, scope)

            patch = self.patch(self.store, "get", count)
            self.assertFalse(self.opens("wrong", name))
            patch.restore()
            return asked

        self.assertEqual(steps("ann"), steps("cyd"))


class Ending(TokensCase):
    """What ends a token."""

    def test_log_out_ends_the_token_of_that_session_only(self) -> None:
        """Another device keeps its own."""
        other, _ = self.login("ann")
        token, other_token = self.issue(self.ann), self.issue(other)
        self.run_now(self.tokens.revoke(self.ann))
        self.assertEqual((self.opens(token), self.opens(other_token)), (False, True))
        self.assertEqual(self.stored(self.ann), 1)

    def test_log_out_of_a_resumed_session_ends_the_token_it_was_resumed_with(self) -> None:
        """The session has the token that opened it."""
        token = self.issue(self.ann)
        self.ann.end()
        self.run_now(self.tokens.revoke(self.resume(token)))
        self.assertFalse(self.opens(token))

    def test_log_out_that_the_store_refuses_can_be_repeated(self) -> None:
        """The session still has its token."""
        token = self.issue(self.ann)
        self.store.writable = False
        self.refuse(StoreUnavailable, self.tokens.revoke(self.ann))
        self.store.writable = True
        self.run_now(self.tokens.revoke(self.ann))
        self.assertFalse(self.opens(token))

    def test_password_change_ends_all_tokens_of_the_account_in_the_same_write(self) -> None:
        """If the password cannot be stored, the tokens stay."""
        token, bobs = self.issue(self.ann), self.issue(self.bob)
        self.store.writable = False
        self.refuse(StoreUnavailable, self.realm.set_password("ann", "new"))
        self.store.writable = True
        self.assertTrue(self.opens(token))
        attempts = self.store.attempts
        self.run_now(
            self.realm.accounts.set_password("ann", self.harness.account("ann"), "hash", False)
        )
        self.assertEqual(self.store.attempts, attempts + 1)
        self.assertEqual((self.opens(token), self.opens(bobs, "bob")), (False, True))

    def test_making_an_open_account_open_again_ends_its_tokens(self) -> None:
        """Its sessions end too, as with any other password."""
        token = self.issue(self.ann)
        self.run_now(self.realm.set_password("ann", None))
        self.assertFalse(self.opens(token))

    def test_removing_a_certificate_ends_the_tokens(self) -> None:
        """It may have got one of them; adding another certificate ends none."""
        accounts, account = self.realm.accounts, self.harness.account("Ann")

        def set_certificates(*certificates: str) -> frozenset[str]:
            removed: frozenset[str] = self.run_now(
                accounts.set_certificates("ann", account, certificates, proven=False)
            )
            return removed

        token = self.issue(self.ann)
        self.assertFalse(set_certificates(CERTIFICATE))
        self.assertFalse(set_certificates(CERTIFICATE, OTHER_CERTIFICATE))
        self.assertTrue(self.opens(token))
        self.assertEqual(set_certificates(OTHER_CERTIFICATE), {CERTIFICATE})
        self.assertFalse(self.opens(token))

    def test_deletion_ends_all_tokens_in_the_same_write(self) -> None:
        """Nothing is left, and the next account of that name is not opened."""
        token, bobs = self.issue(self.ann), self.issue(self.bob)
        attempts = self.store.attempts
        self.run_now(self.realm.delete(self.ann))
        self.assertEqual(self.store.attempts, attempts + 1)
        self.assertEqual(self.stored(self.ann), 0)
        self.harness.register("ann")
        self.assertFalse(self.opens(token))
        self.assertTrue(self.opens(bobs, "bob"))

    def test_operator_ends_the_tokens_with_the_sessions(self) -> None:
        """Those of sessions that are not connected at the moment, too."""
        token = self.issue(self.ann)
        self.ann.end()
        other, peer = self.login("ann")
        other_token = self.issue(other)
        self.assertEqual(self.run_now(Operations(self.realm).end_sessions("ann")), 1)
        self.assertEqual((other.ended, peer.ended_with), (True, "kicked"))
        self.assertEqual((self.opens(token), self.opens(other_token)), (False, False))
        self.refuse(UnknownAccount, Operations(self.realm).end_sessions("cyd"))

    def test_operator_is_told_if_the_tokens_could_not_be_ended(self) -> None:
        """The sessions have ended; the operator repeats the command."""
        token = self.issue(self.ann)
        self.store.writable = False
        self.refuse(StoreUnavailable, Operations(self.realm).end_sessions("ann"))
        self.assertTrue(self.ann.ended)
        self.store.writable = True
        self.assertEqual(self.run_now(Operations(self.realm).end_sessions("ann")), 0)
        self.assertFalse(self.opens(token))

    def test_token_ends_after_30_days_without_use(self) -> None:
        """Not before."""
        token = self.issue(self.ann)
        self.pass_time(LIFETIME - 1)
        self.assertTrue(self.opens(token))
        self.pass_time(1)
        self.assertFalse(self.opens(token))
        self.assertEqual(LIFETIME, 30 * 24 * 3600 * 1000)

    def test_token_survives_a_clock_that_is_set_back(self) -> None:
        """It does not end, and the later use stays saved."""
        self.pass_time(LIFETIME)
        token = self.issue(self.ann)
        self.pass_time(-LIFETIME)
        self.resume(token)
        self.assertTrue(self.opens(token))
        self.pass_time(2 * LIFETIME - 1)
        self.assertTrue(self.opens(token))


class Races(TokensCase):
    """Tokens that end while a session is being opened, or gets one."""

    def test_session_whose_token_ends_while_it_is_opened_ends(self) -> None:
        """An operator ends the sessions after the token was checked, before there is one."""
        token = self.issue(self.ann)
        self.assertTrue(self.opens(token))
        self.run_now(Operations(self.realm).end_sessions("ann"))
        session, peer = self.login("ann")
        self.run_now(self.tokens.resumed(session, token))
        self.assertEqual((session.ended, peer.ended_with), (True, "wrong-password"))

    def test_no_token_for_a_session_that_has_ended(self) -> None:
        """Nothing is written."""
        self.ann.end()
        attempts = self.store.attempts
        self.assertEqual(self.run_now(self.tokens.issue(self.ann)), "")
        self.assertEqual(self.store.attempts, attempts)

    def race(self, name: str, other: Callable[[int], Coroutine[Any, Any, Any]]) -> None:
        """A session gets a token while `other` ends all tokens of its account, in every order of
        their requests to the store: no token is left."""
        for attempt, (late, steps) in enumerate(product((False, True), range(_STEPS))):
            session, _ = self.login(name)
            requests = [self.tokens.issue(session), other(attempt)]
            if late:
                requests.reverse()
            self.store.eager = False
            first = self.begin(requests[0])
            for _ in range(steps):
                self.store.release()
            second = self.begin(requests[1])
            self.harness.settle()
            self.store.eager = True
            tokens = {self.successResultOf(first), self.successResultOf(second)}
            self.assertFalse(any(self.opens(str(token), name) for token in tokens))
            self.assertEqual(self.stored(session), 0, (late, steps))

    def test_operator_ends_sessions_while_one_of_them_gets_a_token(self) -> None:
        """Or before, or after."""
        operations = Operations(self.realm)
        self.race("ann", lambda _: operations.end_sessions("ann"))

    def test_password_changes_while_a_session_gets_a_token(self) -> None:
        """The session was opened with the old password."""
        self.race("ann", lambda attempt: self.realm.set_password("ann", f"new {attempt}"))

    def test_account_is_deleted_while_a_session_gets_a_token(self) -> None:
        """Not even a token is left that no account can use."""
        self.harness.register("cyd")

        async def delete_and_register(attempt: int) -> None:
            await self.realm.delete_account("cyd")
            await self.realm.register("cyd")

        self.race("cyd", delete_and_register)

    def test_account_is_deleted_by_another_daemon_while_a_session_gets_a_token(self) -> None:
        """This one does not know, and its session goes on."""
        self.harness.register("cyd")
        other = RealmHarness(self.store, now=1_000_000)

        async def delete_and_register(attempt: int) -> None:
            await other.realm.delete_account("cyd")
            await other.realm.register("cyd")

        self.race("cyd", delete_and_register)

    def test_token_that_its_client_cannot_get_is_removed(self) -> None:
        """The connection is lost while the token is stored."""
        self.store.eager = False
        issuing = self.begin(self.tokens.issue(self.ann))
        self.store.release()
        self.ann.end()
        self.store.eager = True
        self.harness.settle()
        self.realm.flush()
        self.assertEqual(self.successResultOf(issuing), "")
        self.assertEqual(self.stored(self.ann), 0)

    def test_log_in_without_a_token_while_the_store_cannot_write(self) -> None:
        """The session is open, and its client uses the password again."""
        self.store.writable = False
        self.assertEqual(self.run_now(self.tokens.issue(self.ann)), "")
        self.assertFalse(self.ann.ended)
        self.store.writable, self.store.readable = True, False
        self.assertEqual(self.run_now(self.tokens.issue(self.ann)), "")

    def test_session_stays_open_if_its_use_cannot_be_saved(self) -> None:
        """It is saved another time."""
        token = self.issue(self.ann)
        self.pass_time(SAVE_USE_AFTER)
        self.store.writable = False
        self.assertFalse(self.resume(token).ended)


class Bounds(TokensCase):
    """The number of tokens, and of writes."""

    def test_the_token_unused_for_longest_makes_room(self) -> None:
        """An account has at most `Limits.resume_tokens`."""
        tokens = []
        for _ in range(TOKENS):
            tokens.append(self.issue(self.ann))
            self.pass_time(SAVE_USE_AFTER)
        self.resume(tokens[0])
        self.issue(self.ann)
        self.assertEqual([self.opens(token) for token in tokens], [True, False, True, True])
        self.assertEqual(self.stored(self.ann), TOKENS)
        self.assertTrue(self.opens(self.issue(self.bob), "bob"))

    def test_expired_tokens_make_room_first(self) -> None:
        """All of them are removed."""
        for _ in range(TOKENS):
            self.issue(self.ann)
        self.pass_time(LIFETIME)
        self.issue(self.ann)
        self.assertEqual(self.stored(self.ann), 1)

    def test_reconnecting_writes_at_most_once_a_day(self) -> None:
        """The last use is saved when a day has passed since the one that is saved."""
        token = self.issue(self.ann)
        attempts = self.store.attempts
        for _ in range(10):
            self.resume(token).end()
        self.pass_time(SAVE_USE_AFTER - 1)
        session = self.resume(token)
        self.begin(self.tokens.save_uses())
        self.assertEqual(self.store.attempts, attempts)
        self.pass_time(1)
        self.run_now(self.tokens.resumed(session, token))
        self.run_now(self.tokens.resumed(session, token))
        self.assertEqual(self.store.attempts, attempts + 1)

    def test_token_in_use_lives_for_ever(self) -> None:
        """With one reconnection in less than 30 days, counted from the saved use."""
        token = self.issue(self.ann)
        for _ in range(5):
            self.pass_time(LIFETIME - SAVE_USE_AFTER)
            self.resume(token).end()

    def test_token_of_a_session_that_lasts_for_months_does_not_end(self) -> None:
        """The use by open sessions is saved in the background."""
        token = self.issue(self.ann)
        running = self.begin(self.tokens.run())
        self.addCleanup(running.cancel)
        for _ in range(60):
            self.pass_time(SAVE_USE_AFTER)
            self.harness.runner.clock.pump([1.0, INTERVAL_SECONDS])
            self.harness.settle()
        self.ann.end()
        self.assertTrue(self.opens(token))
        running.addErrback(lambda failure: None)

    def test_a_store_that_fails_does_not_end_the_saving_of_uses(self) -> None:
        """The next round saves them."""
        token = self.issue(self.ann)
        running = self.begin(self.tokens.run())
        running.addErrback(lambda failure: None)
        self.addCleanup(running.cancel)
        self.pass_time(SAVE_USE_AFTER)
        self.store.writable = False
        self.harness.runner.clock.pump([1.0, INTERVAL_SECONDS])
        self.store.writable = True
        self.harness.runner.clock.pump([1.0, INTERVAL_SECONDS])
        self.harness.settle()
        self.pass_time(LIFETIME - 1)
        self.assertTrue(self.opens(token))


class Restarted(TokensCase):
    """A daemon that is killed."""

    def test_many_tokens_of_many_sessions_work_after_a_restart(self) -> None:
        """Each for its own account."""
        tokens = {"ann": self.issue(self.ann), "bob": self.issue(self.bob)}
        restarted: RealmHarness = self.harness.restart()
        for name, token in tokens.items():
            for other in tokens:
                account = restarted.run(restarted.realm.resume_tokens.account(other, token))
                self.assertEqual(account is not None, name == other)
