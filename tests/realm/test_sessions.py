"""Opening and ending sessions, and the mailboxes that are held for them."""

from __future__ import annotations

from chatd.core.errors import AlreadyLoggedIn, StoreUnavailable, UnknownAccount
from chatd.realm.accounts import Account
from tests.doubles.realm import OPEN, AutoAckRecorder
from tests.doubles.stores import flush_unavailable
from tests.realm.case import AckRealmCase, RealmCase


class OpeningAutoAckSessions(RealmCase):
    """Sessions of peers that cannot acknowledge."""

    def setUp(self) -> None:
        """Log bob in."""
        super().setUp()
        self.bob = self.harness.login("bob")

    def test_second_session_is_refused(self) -> None:
        """A second login, in any spelling, is refused, also while the first is under way."""
        self.store.eager = False
        first = self.begin(
            self.realm.sessions.open_auto_ack_session("Ann", OPEN, AutoAckRecorder())
        )
        second = self.begin(
            self.realm.sessions.open_auto_ack_session("ANN", OPEN, AutoAckRecorder())
        )
        self.assertTrue(self.realm.sessions.online("ann"))
        self.failureResultOf(second, AlreadyLoggedIn)
        self.store.release()
        self.failureResultOf(
            self.begin(self.realm.sessions.open_auto_ack_session("ann", OPEN, AutoAckRecorder())),
            AlreadyLoggedIn,
        )
        self.successResultOf(first).end()
        self.assertFalse(self.realm.sessions.online("ann"))

    def test_login_fails_while_the_store_fails(self) -> None:
        """A login that could not read the mailbox does not prevent the next one."""
        self.store.readable = False
        self.failureResultOf(
            self.begin(self.realm.sessions.open_auto_ack_session("Ann", OPEN, AutoAckRecorder())),
            StoreUnavailable,
        )
        flush_unavailable(self)
        self.assertFalse(self.realm.sessions.online("ann"))
        self.store.readable = True
        self.harness.login("Ann")

    def test_login_while_the_former_connection_closes(self) -> None:
        """The new session is opened, and fetches what did not arrive at the former connection."""
        former = self.harness.login("Ann")
        self.harness.send("bob", "ann", "arrived", "lost")
        former.lost = 1
        self.store.eager = False
        closing = self.harness.sessions["Ann"]
        closing.closing = True
        recorder = self.harness.login("Ann")
        self.assertTrue(closing.ended)
        closing.end([])
        self.harness.settle()
        self.store.eager = True
        self.harness.send("bob", "ann", "new")
        self.harness.fetch("Ann")
        self.assertEqual((former.texts, recorder.texts), (["arrived", "lost"], ["new", "lost"]))
        self.assertRaises(AlreadyLoggedIn, self.harness.login, "Ann")

    def test_peer_that_takes_over_ends_the_former_session(self) -> None:
        """Its peer is sent the reason; what did not arrive waits."""
        former = self.harness.login("Ann")
        self.harness.send("bob", "ann", "lost")
        former.lost = 1
        recorder = AutoAckRecorder()
        recorder.takes_over = True
        session = self.harness.run(self.realm.sessions.open_auto_ack_session("ann", OPEN, recorder))
        self.assertEqual(former.ended_with, "logged-in-elsewhere")
        session.fetch_mail()
        self.harness.run(session.catch_up())
        self.assertEqual(recorder.texts, ["lost"])

    def test_session_of_a_client_that_hung_up_is_replaced(self) -> None:
        """The end of the former connection need not have been noticed yet."""
        former = self.harness.login("Ann")
        self.patch(former, "hung_up", lambda: True)
        self.harness.login("Ann")
        self.assertEqual(former.ended_with, "logged-in-elsewhere")


class OpeningSessions(AckRealmCase):
    """What all kinds of sessions have in common."""

    def test_account_has_any_number_of_sessions_that_acknowledge(self) -> None:
        """Besides them it can have one session that cannot acknowledge."""
        self.login("Ann")
        self.harness.login("Ann")
        self.assertEqual(len(self.realm.sessions.ack_sessions("ANN")), 2)
        self.assertEqual(
            sorted(session.name for session in self.realm.sessions.all()), ["Ann"] * 3 + ["bob"]
        )

    def test_account_that_has_changed_meanwhile_is_refused(self) -> None:
        """The right to log in was proven for another record. No mailbox is held afterwards."""
        sessions = self.realm.sessions
        self.ann.end()
        for record in (Account(0, "hash"), Account(1)):
            self.refuse(UnknownAccount, sessions.open_ack_session("Ann", record, AutoAckRecorder()))
            self.refuse(
                UnknownAccount, sessions.open_auto_ack_session("Ann", record, AutoAckRecorder())
            )
        self.refuse(UnknownAccount, sessions.open_ack_session("nemo", OPEN, AutoAckRecorder()))
        self.assertIsNone(sessions.mailbox("Ann"))
        self.assertIsNone(sessions.mailbox("nemo"))

    def test_account_that_is_deleted_during_the_login_is_refused(self) -> None:
        """No session of a deleted account remains."""
        self.store.eager = False
        deleting = self.begin(self.realm.delete(self.ann))
        login = self.begin(self.realm.sessions.open_ack_session("Ann", OPEN, AutoAckRecorder()))
        self.harness.settle()
        self.successResultOf(deleting)
        self.failureResultOf(login, UnknownAccount)
        self.assertFalse(self.realm.sessions.online("Ann"))

    def test_session_follows_the_rooms_of_its_account(self) -> None:
        """A member that was kicked while it was offline does not follow the room any more."""
        self.create_room(self.bob, self.ann)
        session, _ = self.login("Ann")
        self.assertEqual(set(session.subscriptions), {"@ann", "#room"})
        session.end()
        self.ann.end()
        self.run_now(self.realm.rooms.kick("bob", "#room", "ann"))
        session, _ = self.login("Ann")
        self.assertEqual(set(session.subscriptions), {"@ann"})
        self.assertEqual(session.mailbox.read_state.positions, {})

    def test_room_created_again_is_another_room(self) -> None:
        """A member of the former room that was offline does not follow the new one."""
        self.create_room(self.bob, self.ann)
        self.ann.end()
        self.harness.settle()
        self.run_now(self.realm.rooms.delete("bob", "#room"))
        self.harness.now += 1
        self.create_room(self.bob)
        session, _ = self.login("Ann")
        self.assertEqual(set(session.subscriptions), {"@ann"})
        self.assertEqual(session.mailbox.read_state.positions, {})

    def test_mailbox_is_released_after_the_last_session(self) -> None:
        """The mailbox is released when its state has been saved."""
        session, _ = self.login("Ann")
        self.ann.end()
        self.assertIsNotNone(self.realm.sessions.mailbox("Ann"))
        session.end()
        self.harness.settle()
        self.assertIsNone(self.realm.sessions.mailbox("Ann"))
        self.assertNotIn("@ann", self.realm.delivery.live_logs)


class EndingSessions(AckRealmCase):
    """Ending all sessions of an account."""

    def test_all_sessions_are_ended_with_a_reason(self) -> None:
        """Sessions of both kinds are ended, and their number is returned."""
        recorder = self.harness.login("Ann")
        count = self.harness.run(self.realm.sessions.end("ANN", "kicked", "Enough."))
        self.assertEqual(count, 2)
        self.assertEqual((self.ann_peer.ended_with, recorder.ended_with), ("kicked", "kicked"))
        self.assertEqual(self.bob_peer.ended_with, "")

    def test_one_session_can_be_excluded(self) -> None:
        """The session that made the request, for example, need not be ended."""
        other, other_peer = self.login("Ann")
        count = self.harness.run(self.realm.sessions.end("Ann", "kicked", "", other))
        self.assertEqual((count, self.ann.ended, other.ended), (1, True, False))
        self.assertEqual(other_peer.ended_with, "")

    def test_ending_no_sessions(self) -> None:
        """An account without sessions has nothing to end."""
        self.assertEqual(self.harness.run(self.realm.sessions.end("nemo", "kicked", "")), 0)
