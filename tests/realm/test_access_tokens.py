"""Access tokens: making and revoking them, what ends them, and what is saved of their use."""

from __future__ import annotations

import gc
from typing import Any

from chatd.core.errors import (
    Busy,
    IllegalName,
    LimitReached,
    ScopeInvalid,
    StoreUnavailable,
    TokenTaken,
    UnknownAccount,
    UnknownRoom,
    UnknownToken,
    WrongPassword,
)
from chatd.realm import changes
from chatd.realm.access_token import AccessToken
from chatd.realm.access_tokens import INTERVAL_SECONDS, SAVE_USE_AFTER, has_form
from chatd.realm.operations import Operations
from chatd.realm.resume_tokens import hashed
from chatd.realm.session import Session
from tests.doubles.realm import AckRecorder
from tests.realm.case import AckRealmCase

TOKENS = 3


class _NotWalked(dict[Session, None]):
    """Sessions that can only be looked up."""

    def __iter__(self) -> Any:
        raise AssertionError("all sessions were walked")


class AccessTokensCase(AckRealmCase):
    """Ann and bob are logged in; ann owns #room. An account has at most three access tokens."""

    limits = {"access_tokens": TOKENS}

    def setUp(self) -> None:
        super().setUp()
        self.tokens = self.realm.access_tokens
        self.run_now(self.realm.rooms.create(self.ann, "#room", "", False))

    def create(
        self, name: str, *scopes: str, seconds: int | None = None, proven: bool = True
    ) -> Any:
        """The coroutine that makes a token of Ann's."""
        account = self.harness.account("ann")
        return self.tokens.create("Ann", account, name, scopes or ("all",), seconds, proven)

    def make(self, name: str = "bot", *scopes: str, seconds: int | None = None) -> str:
        """A new token of Ann's."""
        token, _ = self.run_now(self.create(name, *scopes, seconds=seconds))
        assert isinstance(token, str)
        return token

    def opens(self, token: str, name: str = "ann") -> bool:
        """Whether a token logs in to an account."""
        return self.run_now(self.tokens.account(name, token)) is not None

    def log_in(self, token: str) -> tuple[Session, AckRecorder]:
        """A session of Ann's, opened with a token as the portal does it."""
        name, account, proof = self.run_now(self.tokens.account("ann", token))
        peer = AckRecorder()
        session = self.run_now(self.realm.sessions.open(name, account, peer, proof))
        self.run_now(self.tokens.opened(session))
        session.begin({})
        return session, peer

    def listed(self) -> list[tuple[str, list[str], int, int]]:
        """(name, scopes, last use, sessions) of Ann's tokens."""
        return [
            (token.name, [grant.text for grant in token.grants], token.used, sessions)
            for token, sessions in self.run_now(self.tokens.listing(self.ann.account))
        ]


class Making(AccessTokensCase):
    """Making and revoking."""

    def test_token_opens_its_account_and_no_other(self) -> None:
        """Every token is different."""
        token, other = self.make("one"), self.make("two")
        self.assertTrue(has_form(token) and has_form(other))
        self.assertNotEqual(token, other)
        self.assertTrue(self.opens(token) and self.opens(token, "ANN"))
        for name, wrong in (("bob", token), ("cyd", token), ("ann", token[:-1] + "\ud800")):
            self.assertFalse(self.opens(wrong, name))

    def test_store_does_not_have_the_token(self) -> None:
        """A reader of the store cannot log in: the hash is no token."""
        token = self.make()
        (stored,) = self.result(self.realm.documents.scan(AccessToken, str(self.ann.account)))
        self.assertEqual(stored.key, hashed(token))
        self.assertNotIn(token.encode(), stored.body)

    def test_scope_is_shown_as_the_room_and_account_were_first_written(self) -> None:
        """The tokens are listed by name."""
        self.make("Bot", "send #ROOM", "read #room", "send BOB")
        self.make("ant")
        self.assertEqual(
            self.listed(),
            [("ant", ["all"], 0, 0), ("Bot", ["send #room", "read #room", "send bob"], 0, 0)],
        )

    def test_invalid_tokens_are_refused(self) -> None:
        """Nothing is stored, and rooms that the account is not in are as if there were none."""
        self.run_now(self.realm.rooms.create(self.bob, "#bobs", "", True))
        for refusal, name, scopes in (
            (IllegalName, "two words", ("all",)),
            (ScopeInvalid, "bot", ("write #room",)),
            (ScopeInvalid, "bot", ("read bob",)),
            (ScopeInvalid, "bot", ("all ",)),
            (UnknownAccount, "bot", ("send",)),
            (UnknownAccount, "bot", ("send nemo",)),
            (LimitReached, "bot", ("all",) * 17),
        ):
            self.refuse(refusal, self.create(name, *scopes))
        for room in ("#bobs", "#none"):
            sentence = self.refuse(UnknownRoom, self.create("bot", f"read {room}"))
            self.assertEqual(sentence, f"Ann is not a member of a room {room}.")
        account = self.harness.account("ann")
        self.refuse(ScopeInvalid, self.tokens.create("Ann", account, "bot", (), None, True))
        self.assertEqual(self.listed(), [])

    def test_name_is_unique_in_every_spelling(self) -> None:
        """Another account may have a token of the same name."""
        self.make("bot")
        self.refuse(TokenTaken, self.create("BOT"))
        account = self.harness.account("bob")
        self.run_now(self.tokens.create("bob", account, "bot", ("all",), None, True))

    def test_number_of_tokens_is_bounded(self) -> None:
        """Expired ones do not count, and are removed."""
        for number in range(TOKENS):
            self.make(f"bot{number}", seconds=60 + number)
        self.refuse(LimitReached, self.create("more"))
        self.harness.now += 60_000
        self.make("more")
        self.assertEqual([name for name, *_ in self.listed()], ["bot1", "bot2", "more"])

    def test_token_is_made_for_the_proven_password_only(self) -> None:
        """An operator needs none."""
        account = self.harness.account("ann")
        self.run_now(self.realm.set_password("Ann", "new"))
        request = self.tokens.create("Ann", account, "bot", ("all",), None, True)
        self.refuse(WrongPassword, request)
        operations = Operations(self.realm)
        made = self.run_now(operations.create_access_token("ANN", "bot", ["all"], 60))
        self.assertEqual((made.name, made.expires), ("Ann", self.harness.now + 60_000))
        (listed,) = self.run_now(operations.access_tokens("ann"))
        self.assertTrue(listed.by_operator)
        self.assertEqual(self.run_now(operations.revoke_access_token("ann", "BOT")), "Ann")
        self.assertFalse(self.opens(made.token))
        self.refuse(UnknownToken, operations.revoke_access_token("ann", "bot"))

    def test_concurrent_tokens_of_one_name_are_not_both_made(self) -> None:
        """The second finds the first."""
        self.store.eager = False
        first, second = self.begin(self.create("bot")), self.begin(self.create("Bot"))
        self.harness.settle()
        self.store.eager = True
        self.successResultOf(first)
        self.failureResultOf(second, TokenTaken)


class Ending(AccessTokensCase):
    """What ends a token, and its sessions."""

    def test_expired_token_opens_nothing_and_is_not_listed(self) -> None:
        """To the millisecond."""
        token = self.make(seconds=60)
        self.harness.now += 59_999
        self.assertTrue(self.opens(token))
        self.harness.now += 1
        self.assertFalse(self.opens(token))
        self.assertEqual(self.listed(), [])

    def test_revocation_while_a_session_is_opened_ends_it(self) -> None:
        """The session is never used."""
        token = self.make()
        name, account, proof = self.run_now(self.tokens.account("ann", token))
        peer = AckRecorder()
        session = self.run_now(self.realm.sessions.open(name, account, peer, proof))
        deletion = changes.delete_any(AccessToken, hashed(token), str(self.ann.account))
        self.result(self.realm.documents.write([deletion]))
        self.refuse(WrongPassword, self.tokens.opened(session))
        self.assertTrue(session.ended)

    def test_session_that_is_ended_while_it_is_opened_is_refused(self) -> None:
        """Its token is valid all the same, for example when the account is suspended."""
        token = self.make()
        name, account, proof = self.run_now(self.tokens.account("ann", token))
        peer = AckRecorder()
        session = self.run_now(self.realm.sessions.open(name, account, peer, proof))
        self.run_now(self.realm.suspensions.suspend("ann", None, ""))
        self.assertEqual(peer.ended_with, "suspended")
        self.refuse(Busy, self.tokens.opened(session))
        self.assertTrue(self.opens(token))

    def test_session_is_not_opened_if_the_store_fails(self) -> None:
        """It cannot be seen whether the token has ended."""
        token = self.make("bot", "read #room")
        name, account, proof = self.run_now(self.tokens.account("ann", token))
        session = self.run_now(self.realm.sessions.open(name, account, AckRecorder(), proof))
        self.store.readable = False
        self.refuse(StoreUnavailable, self.tokens.opened(session))
        self.store.readable = True
        self.assertTrue(session.ended)
        self.assertEqual(self.ann.mailbox.scoped, ())

    def test_operators_password_ends_tokens_and_their_sessions(self) -> None:
        """Those with a scope, too; also if the account had a password."""
        self.run_now(self.realm.set_password("ann", "old"))
        token = self.make("bot", "read #room")
        _, peer = self.log_in(token)
        self.run_now(self.realm.set_password("ann", "new"))
        self.assertEqual(peer.ended_with, "password-changed")
        self.assertFalse(self.opens(token))

    def test_sessions_that_have_ended_are_released(self) -> None:
        """A bot may log in again and again."""
        token = self.make()
        for _ in range(500):
            session, _ = self.log_in(token)
            session.end()
        del session
        sessions = [each for each in gc.get_objects() if isinstance(each, Session)]
        self.assertLess(sum(bool(each.proof.access_token) for each in sessions), 200)

    def test_operator_who_ends_sessions_leaves_access_tokens(self) -> None:
        """The bot may log in again."""
        token = self.make("bot", "read #room")
        _, peer = self.log_in(token)
        self.run_now(Operations(self.realm).end_sessions("ann"))
        self.assertEqual(peer.ended_with, "kicked")
        self.assertTrue(self.opens(token))

    def test_mailbox_is_released_after_the_last_scoped_session(self) -> None:
        """It is held while there is one."""
        session, _ = self.log_in(self.make("bot", "read #room"))
        self.ann.end()
        self.harness.settle()
        self.assertIsNotNone(self.harness.mailbox("ann"))
        self.run_now(self.realm.positions.save())
        session.end()
        self.assertIsNone(self.harness.mailbox("ann"))


class Expiry(AccessTokensCase):
    """Sessions whose tokens expire."""

    def advance(self, seconds: float) -> None:
        """Let time pass by both clocks."""
        self.harness.now += round(seconds * 1000)
        self.harness.runner.clock.advance(seconds)

    def expiring(self, *seconds: int) -> list[AckRecorder]:
        """The peers of sessions whose tokens expire after so many seconds."""
        return [self.log_in(self.make(f"bot{each}", seconds=each))[1] for each in seconds]

    def test_session_ends_when_its_token_expires(self) -> None:
        """Also if it was opened after one whose token expires later, and long before."""
        late, early, hour = self.expiring(90, 30, 3_600)
        for peer, span in ((early, 30), (late, 60), (hour, 3_510)):
            for _ in range(span - 1):
                self.advance(1)
            self.advance(0.5)
            self.assertEqual(peer.ended_with, "")
            self.advance(0.5)
            self.assertEqual(peer.ended_with, "token-ended")
        self.advance(INTERVAL_SECONDS)
        self.assertEqual(self.tokens._expiries, [])

    def test_session_ends_a_minute_after_the_clock_was_set_forward(self) -> None:
        """At the latest. Set back, the clock of the machine still decides."""
        hour, two_hours = self.expiring(3_600, 7_200)
        self.advance(1)
        self.harness.now += 3_600_000
        self.advance(INTERVAL_SECONDS - 1)
        self.assertEqual((hour.ended_with, two_hours.ended_with), ("token-ended", ""))
        self.harness.now -= 1_000_000
        for _ in range(75):
            self.advance(INTERVAL_SECONDS)
            self.assertEqual(two_hours.ended_with, "")
        self.advance(INTERVAL_SECONDS)
        self.advance(INTERVAL_SECONDS)
        self.assertEqual(two_hours.ended_with, "token-ended")

    def test_expiries_of_sessions_that_have_ended_are_released(self) -> None:
        """A bot may log in again and again."""
        token = self.make(seconds=86_400)
        for _ in range(500):
            self.log_in(token)[0].end()
        self.assertLess(len(self.tokens._expiries), 200)


class Use(AccessTokensCase):
    """The last use."""

    def test_use_is_shown_at_once_and_saved_to_the_hour(self) -> None:
        """Many log-ins in an hour are one write."""
        token = self.make()
        for _ in range(3):
            self.log_in(token)[0].end()
        attempts = self.store.attempts
        self.harness.now += SAVE_USE_AFTER
        for _ in range(3):
            self.log_in(token)[0].end()
        self.assertEqual(self.store.attempts, attempts)
        self.assertEqual(self.listed(), [("bot", ["all"], self.harness.now, 0)])
        self.run_now(self.tokens.save_uses())
        self.assertEqual(self.store.attempts, attempts + 1)
        self.harness.now += SAVE_USE_AFTER - 1
        self.log_in(token)[0].end()
        self.run_now(self.tokens.save_uses())
        self.assertEqual(self.store.attempts, attempts + 1)

    def test_token_of_an_open_session_is_in_use(self) -> None:
        """Also if the session lasts for months; that is saved in the background."""
        session, _ = self.log_in(self.make())
        self.begin(self.tokens.run())
        self.harness.now += 2 * SAVE_USE_AFTER
        used = self.harness.now
        self.harness.runner.clock.advance(INTERVAL_SECONDS)
        self.harness.settle()
        session.end()
        self.harness.now += 1
        self.assertEqual(self.listed(), [("bot", ["all"], used, 0)])

    def test_listing_does_not_look_at_the_sessions_of_others(self) -> None:
        """There may be very many, and an operator has the tokens of each account listed."""
        self.log_in(self.make())
        self.tokens._sessions = _NotWalked(self.tokens._sessions)
        self.assertEqual([sessions for *_, sessions in self.listed()], [1])

    def test_use_that_cannot_be_saved_is_saved_later(self) -> None:
        """The background work goes on."""
        token = self.make()
        self.harness.now += SAVE_USE_AFTER
        used = self.harness.now
        self.log_in(token)[0].end()
        self.begin(self.tokens.run())
        self.store.readable = False
        self.harness.runner.clock.advance(INTERVAL_SECONDS)
        self.store.readable = True
        self.harness.runner.clock.advance(INTERVAL_SECONDS)
        self.harness.settle()
        restarted = self.harness.restart()
        ((record, _),) = restarted.run(
            restarted.realm.access_tokens.listing(restarted.account("ann").id)
        )
        self.assertEqual(record.used, used)
