"""Opening and ending sessions, and the mailboxes that are held for them."""

from __future__ import annotations

from chatd.core.errors import AlreadyLoggedIn, StoreUnavailable
from tests.doubles.realm import OPEN, Recorder
from tests.doubles.stores import flush_unavailable
from tests.realm.case import RealmCase


class OpeningAutoAckSessions(RealmCase):
    """Sessions of peers that cannot acknowledge."""

    def setUp(self) -> None:
        """Log bob in."""
        super().setUp()
        self.bob = self.harness.login("bob")

    def test_second_session_is_refused(self) -> None:
        """While an account is logged in or logging in, in any spelling."""
        self.store.eager = False
        first = self.begin(self.realm.sessions.open_auto_ack_session("Ann", OPEN, Recorder()))
        second = self.begin(self.realm.sessions.open_auto_ack_session("ANN", OPEN, Recorder()))
        self.assertTrue(self.realm.sessions.online("ann"))
        self.failureResultOf(second, AlreadyLoggedIn)
        self.store.release()
        self.failureResultOf(
            self.begin(self.realm.sessions.open_auto_ack_session("ann", OPEN, Recorder())),
            AlreadyLoggedIn,
        )
        self.successResultOf(first).end()
        self.assertFalse(self.realm.sessions.online("ann"))

    def test_login_fails_while_the_store_fails(self) -> None:
        """A login that could not read the mailbox does not prevent the next one."""
        self.store.readable = False
        self.failureResultOf(
            self.begin(self.realm.sessions.open_auto_ack_session("Ann", OPEN, Recorder())),
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
        leaving = self.harness.sessions["Ann"]
        leaving.leaving = True
        recorder = self.harness.login("Ann")
        self.assertTrue(leaving.ended)
        leaving.end([])
        self.harness.settle()
        self.store.eager = True
        self.harness.send("bob", "ann", "new")
        self.harness.fetch("Ann")
        self.assertEqual((former.texts, recorder.texts), (["arrived", "lost"], ["new", "lost"]))
        self.assertRaises(AlreadyLoggedIn, self.harness.login, "Ann")
