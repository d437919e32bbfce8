"""Opening and ending sessions, and the mailboxes that are held for them."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from chatd.core.errors import (
    AlreadyLoggedIn,
    Busy,
    LimitReached,
    StoreUnavailable,
    UnknownAccount,
)
from chatd.realm import loaded_rooms
from chatd.realm.peer import Peer, SessionOptions
from chatd.realm.positions import SOON
from chatd.realm.proof import Proof, Scope
from chatd.realm.session import Session
from tests.doubles.realm import AckRecorder, AutoAckRecorder
from tests.doubles.stores import flush_unavailable
from tests.realm.case import AckRealmCase, RealmCase

TAKES_OVER = SessionOptions(exclusive=True, takes_over=True, fetches=True, rooms=False)


class OpeningExclusiveSessions(RealmCase):
    """Sessions of which an account has one at a time."""

    def setUp(self) -> None:
        """Log bob in; Ann's account is to be logged in to."""
        super().setUp()
        self.bob = self.harness.login("bob")
        self.account = self.harness.account("Ann")

    def open(self, name: str, peer: Peer | None = None) -> Deferred[Session]:
        """Begin to log in to Ann's account."""
        opening = self.realm.sessions.open(name, self.account, peer or AutoAckRecorder())
        return self.begin(opening)

    def test_second_session_is_refused(self) -> None:
        """A second login, in any spelling, is refused, also while the first is under way."""
        self.store.eager = False
        first = self.open("Ann")
        second = self.open("Ann")
        self.assertTrue(self.realm.sessions.online("ANN"))
        self.failureResultOf(second, AlreadyLoggedIn)
        self.store.release()
        self.failureResultOf(self.open("Ann"), AlreadyLoggedIn)
        self.successResultOf(first).end()
        self.assertFalse(self.realm.sessions.online("ann"))

    def test_login_fails_while_the_store_fails(self) -> None:
        """A login that could not read the mailbox does not prevent the next one."""
        self.store.readable = False
        self.failureResultOf(self.open("Ann"), StoreUnavailable)
        flush_unavailable(self)
        self.assertFalse(self.realm.sessions.online("ann"))
        self.store.readable = True
        self.harness.login("Ann")

    def test_login_while_the_former_connection_closes(self) -> None:
        """The new session is opened, and fetches what did not arrive at the former connection."""
        former = self.harness.login("Ann")
        self.harness.send("bob", "ann", "arrived", "lost")
        former.lost = 1
        former.arrive()
        closing = self.harness.sessions["Ann"]
        closing.closing = True
        recorder = self.harness.login("Ann")
        self.assertEqual((closing.ended, former.ended_with), (True, ""))
        closing.end()
        self.harness.send("bob", "ann", "new")
        self.harness.fetch("Ann")
        self.assertEqual((former.texts, recorder.texts), (["arrived", "lost"], ["new", "lost"]))
        self.assertRaises(AlreadyLoggedIn, self.harness.login, "Ann")

    def test_peer_that_takes_over_ends_the_former_session(self) -> None:
        """Its peer is sent the reason; what did not arrive waits."""
        former = self.harness.login("Ann")
        self.harness.send("bob", "ann", "lost")
        recorder = self.harness.login("Ann", TAKES_OVER)
        self.assertEqual(former.ended_with, "logged-in-elsewhere")
        self.harness.fetch("Ann")
        self.assertEqual(recorder.texts, ["lost"])

    def test_takeover_during_another_login_is_refused(self) -> None:
        """Also one that would end a session."""
        self.store.eager = False
        first = self.open("Ann")
        self.failureResultOf(self.open("Ann", AutoAckRecorder(TAKES_OVER)), AlreadyLoggedIn)
        self.store.release()
        self.assertFalse(self.successResultOf(first).ended)

    def test_session_of_a_client_that_hung_up_is_replaced(self) -> None:
        """The end of the former connection need not have been noticed yet."""
        former = self.harness.login("Ann")
        self.patch(former, "hung_up", lambda: True)
        self.harness.login("Ann")
        self.assertEqual(former.ended_with, "logged-in-elsewhere")


class OpeningSessions(AckRealmCase):
    """What all kinds of sessions have in common."""

    def test_account_has_any_number_of_sessions(self) -> None:
        """Beside them it can have an exclusive one."""
        self.login("Ann")
        self.harness.login("Ann")
        self.assertEqual(len(self.realm.sessions.of(self.ann.account)), 3)
        self.assertEqual(
            sorted(session.name for session in self.realm.sessions.all()), ["Ann"] * 3 + ["bob"]
        )
        self.assertEqual(self.realm.sessions.of(0), [])

    def test_account_that_has_changed_meanwhile_is_refused(self) -> None:
        """The right to log in was proven for another record. No mailbox is held afterwards."""
        sessions = self.realm.sessions
        self.ann.end()
        self.harness.save()
        account = self.harness.account("Ann")
        for refusal, record in (
            (Busy, msgspec.structs.replace(account, password="hash")),
            (UnknownAccount, msgspec.structs.replace(account, id=self.realm.new_id())),
        ):
            for peer in (AckRecorder(), AutoAckRecorder()):
                self.refuse(refusal, sessions.open("Ann", record, peer))
            self.assertIsNone(sessions.mailbox(record.id))
        self.refuse(UnknownAccount, sessions.open("nemo", account, AckRecorder()))
        self.assertIsNone(sessions.mailbox(account.id))

    def test_account_that_is_deleted_during_the_login_is_refused(self) -> None:
        """No session of a deleted account remains, wherever the deletion meets the login."""
        account = self.harness.account("Ann")
        for head_start in range(6):
            with self.subTest(head_start=head_start):
                self.store.eager = False
                deleting = self.begin(self.realm.delete_account("Ann"))
                for _ in range(head_start):
                    self.store.release()
                login = self.begin(self.realm.sessions.open("Ann", account, AckRecorder()))
                self.harness.settle()
                self.successResultOf(deleting)
                opened: list[Any] = []
                login.addBoth(opened.append)
                self.assertTrue(not isinstance(opened[0], Session) or opened[0].ended)
                self.store.eager = True
                self.assertFalse(self.realm.sessions.online("Ann"))
                self.assertIsNone(self.realm.sessions.mailbox(account.id))
                self.harness.register("Ann")
                account = self.harness.account("Ann")

    def test_login_to_a_deleted_account_does_not_hide_the_next_one_of_its_name(self) -> None:
        """The account is deleted and registered again while a password is hashed: the next owner of
        the name is online during the login that is refused, and after it."""
        former = self.harness.account("Ann")
        self.run_now(self.realm.delete(self.ann))
        self.harness.register("Ann")
        self.login("Ann")
        self.store.eager = False
        login = self.begin(self.realm.sessions.open("Ann", former, AckRecorder()))
        online = [self.realm.sessions.online("Ann")]
        self.store.release()
        self.failureResultOf(login, UnknownAccount)
        self.store.eager = True
        online.append(self.realm.sessions.online("Ann"))
        self.assertEqual(online, [True, True])
        self.assertTrue(self.realm.sessions.appears_online("Ann"))

    def test_session_follows_the_rooms_of_its_account(self) -> None:
        """A member that was kicked while it was offline does not follow the room any more."""
        self.create_room(self.bob, self.ann)
        session, _ = self.login("Ann")
        self.assertEqual(set(session.subscriptions), {"@ann", "#room"})
        session.end()
        self.ann.end()
        self.run_now(self.realm.rooms.kick(self.bob, "#room", "ann"))
        session, _ = self.login("Ann")
        self.assertEqual(set(session.subscriptions), {"@ann"})
        self.assertEqual(session.mailbox.memberships, {})

    def test_room_created_again_is_another_room(self) -> None:
        """A member of the former room that was offline does not follow the new one."""
        self.create_room(self.bob, self.ann)
        self.ann.end()
        self.harness.settle()
        self.run_now(self.realm.rooms.delete(self.bob, "#room"))
        self.create_room(self.bob)
        session, _ = self.login("Ann")
        self.assertEqual(set(session.subscriptions), {"@ann"})
        self.assertEqual(session.mailbox.memberships, {})

    def test_mailbox_is_released_after_the_last_session(self) -> None:
        """The mailbox is released when its state has been saved."""
        session, _ = self.login("Ann")
        self.ann.end()
        self.assertIsNotNone(self.harness.mailbox("Ann"))
        session.end()
        self.assertIsNotNone(self.harness.mailbox("Ann"))
        self.assertFalse(self.realm.sessions.online("Ann"))
        self.harness.runner.clock.advance(SOON)
        self.harness.settle()
        self.assertIsNone(self.harness.mailbox("Ann"))
        self.assertNotIn(self.log("@ann"), self.realm.delivery.live_logs)


class EndingSessions(AckRealmCase):
    """Ending all sessions of an account."""

    def test_all_sessions_are_ended_with_a_reason(self) -> None:
        """Sessions of both kinds are ended, and their number is returned."""
        recorder = self.harness.login("Ann")
        count = self.realm.sessions.end(self.ann.account, "kicked", "Enough.")
        self.assertEqual(count, 2)
        self.assertEqual((self.ann_peer.ended_with, recorder.ended_with), ("kicked", "kicked"))
        self.assertEqual(self.bob_peer.ended_with, "")

    def test_one_session_can_be_excluded(self) -> None:
        """The session that made the request, for example, need not be ended."""
        other, other_peer = self.login("Ann")
        count = self.realm.sessions.end(self.ann.account, "kicked", "", other)
        self.assertEqual((count, self.ann.ended, other.ended), (1, True, False))
        self.assertEqual(other_peer.ended_with, "")

    def test_ending_no_sessions(self) -> None:
        """An account without sessions has nothing to end."""
        self.assertEqual(self.realm.sessions.end(1, "kicked", ""), 0)


class OpeningWhileTheAccountChanges(AckRealmCase):
    """A login of Ann that waits for #room, which is not in memory."""

    def setUp(self) -> None:
        """Ann has another session, which does not follow #room."""
        super().setUp()
        self.create_room(self.ann)
        self.run_now(self.realm.rooms.create(self.bob, "#other", "", False))
        self.ann.unsubscribe("#room")
        self.patch(loaded_rooms, "_CACHED", 1)
        self.run_now(self.realm.rooms.load(("#none",)))
        self.assertIsNone(self.realm.rooms.loaded("#room"))
        self.account = self.harness.account("Ann")
        self.store.eager = False

    def open(self) -> Deferred[Session]:
        """Begin to log in."""
        return self.begin(self.realm.sessions.open("Ann", self.account, AckRecorder()))

    def test_login_is_refused_when_all_sessions_are_ended(self) -> None:
        """The account had its former password when the login read it. It exists, so the client is
        told to try again, and the next login succeeds."""
        self.ann.end()
        opening = self.open()
        self.store.release()
        self.assertNoResult(opening)
        self.assertEqual(self.realm.sessions.end(self.ann.account, "password-changed", ""), 0)
        self.harness.settle()
        self.failureResultOf(opening, Busy)
        again = self.open()
        self.harness.settle()
        self.assertFalse(self.successResultOf(again).ended)

    def test_room_that_is_joined_meanwhile_is_followed(self) -> None:
        """Another session joins it while the rooms are loaded."""
        joining = self.begin(self.realm.rooms.join(self.ann, "#other"))
        opening = self.open()
        self.store.release()
        self.assertNoResult(joining)
        self.store.release()
        self.successResultOf(joining)
        self.assertNoResult(opening)
        self.harness.settle()
        session = self.successResultOf(opening)
        self.assertEqual(set(session.subscriptions), {"@ann", "#room", "#other"})


class FromPeer(AckRecorder):
    """A peer at an address."""

    def __init__(self, network: str = "192.0.2.7", gone: bool = False) -> None:
        super().__init__()
        self.at = network
        self.gone = gone

    @property
    def network(self) -> str:
        """See `Peer`."""
        return self.at

    def hung_up(self) -> bool:
        """See `Peer`."""
        return self.gone


class Quotas(RealmCase):
    """How many sessions an account and an address can have."""

    def limit(self, **limits: Any) -> None:
        """Set limits."""
        self.realm.limits = msgspec.structs.replace(self.realm.limits, **limits)

    def open(self, name: str, peer: Peer) -> Deferred[Session]:
        """Begin to log in."""
        return self.begin(self.realm.sessions.open(name, self.harness.account(name), peer))

    def test_account_has_a_bounded_number_of_sessions(self) -> None:
        """Logins under way count; a session that ends makes room. Other accounts are not
        affected."""
        self.limit(account_sessions=2)
        first = self.successResultOf(self.open("Ann", FromPeer()))
        self.store.eager = False
        second = self.open("Ann", FromPeer())
        refusal = self.failureResultOf(self.open("Ann", FromPeer()), LimitReached).value
        self.assertEqual(
            (str(refusal), refusal.quota),
            ("An account can have at most 2 sessions.", "account_sessions"),
        )
        self.store.eager = True
        self.harness.settle()
        self.successResultOf(second)
        self.successResultOf(self.open("bob", FromPeer()))
        first.end()
        self.successResultOf(self.open("Ann", FromPeer()))

    def test_sessions_of_connections_that_have_closed_make_room(self) -> None:
        """A client that connects again has hung up before, which may not be noticed yet."""
        self.limit(account_sessions=2)
        former = self.successResultOf(self.open("Ann", FromPeer(gone=True)))
        other = self.successResultOf(self.open("Ann", FromPeer()))
        self.successResultOf(self.open("Ann", FromPeer()))
        self.assertEqual((former.ended, other.ended), (True, False))

    def test_address_has_a_bounded_number_of_sessions(self) -> None:
        """Of all accounts together; clients elsewhere, and on this machine, are not affected."""
        self.limit(address_sessions=2)
        sessions = [self.successResultOf(self.open(name, FromPeer())) for name in ("Ann", "bob")]
        refusal = self.failureResultOf(self.open("Ann", FromPeer()), LimitReached).value
        self.assertEqual(
            (str(refusal), refusal.quota),
            ("An address can have at most 2 sessions.", "address_sessions"),
        )
        self.successResultOf(self.open("Ann", FromPeer("192.0.2.8")))
        for _ in range(5):
            self.successResultOf(self.open("Ann", FromPeer("local")))
        sessions[0].end()
        self.successResultOf(self.open("Ann", FromPeer()))

    def test_log_in_that_is_refused_ends_no_session(self) -> None:
        """Neither one that it would take over, nor one of an access token."""
        self.limit(address_sessions=1, account_sessions=2)
        self.successResultOf(self.open("bob", FromPeer()))
        first, second = FromPeer("192.0.2.8"), FromPeer()
        for peer in (first, second):
            peer.session_options = TAKES_OVER
        taken_over = self.successResultOf(self.open("Ann", first))
        scoped = self.successResultOf(
            self.begin(
                self.realm.sessions.open(
                    "Ann",
                    self.harness.account("Ann"),
                    FromPeer("192.0.2.9"),
                    Proof("", "hash", Scope(frozenset(), frozenset(), ())),
                )
            )
        )
        for peer in (second, FromPeer()):
            self.failureResultOf(self.open("Ann", peer), LimitReached)
            self.assertEqual((taken_over.ended, scoped.ended), (False, False))
        again = FromPeer("192.0.2.8")
        again.session_options = TAKES_OVER
        self.successResultOf(self.open("Ann", again))
        self.assertEqual((taken_over.ended, scoped.ended), (True, False))

    def test_nothing_is_counted_after_sessions_have_ended(self) -> None:
        """However they end, and when a login fails."""
        ann = self.successResultOf(self.open("Ann", FromPeer()))
        ann.end()
        ann.end()
        self.successResultOf(self.open("bob", FromPeer()))
        self.realm.sessions.end(self.harness.account("bob").id, "kicked", "")
        self.successResultOf(self.open("Ann", FromPeer()))
        self.run_now(self.realm.delete_account("Ann"))
        account = self.harness.account("bob")
        self.store.readable = False
        opening = self.realm.sessions.open("bob", account, FromPeer())
        self.failureResultOf(self.begin(opening), StoreUnavailable)
        flush_unavailable(self)
        self.assertEqual(self.realm.sessions._from_network, {})
