"""Peers: what a protocol must provide, and what it need not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.session import Peer
from tests.doubles.realm import Text
from tests.realm.case import RealmCase


class Defaults(SynchronousTestCase):
    """A peer of a protocol that has only what is necessary."""

    def test_notifications_that_a_protocol_cannot_express_do_nothing(self) -> None:
        """A new protocol begins with few methods."""
        peer = Peer()
        peer.echo(())
        peer.receipt("@ann", "read", (1,))
        peer.typing("@ann", "bob", True)
        peer.presence("bob", "on", "", 0)
        peer.joined("#room")
        peer.left("#room", "kicked")
        self.assertEqual((peer.takes_over, peer.hung_up()), (False, False))
        self.assertEqual((list(peer.unsent()), list(peer.not_arrived())), ([], []))

    def test_what_every_protocol_needs_must_be_implemented(self) -> None:
        """Showing entries, answering and ending have no default."""
        peer = Peer()
        self.assertRaises(NotImplementedError, lambda: peer.writable)
        self.assertRaises(NotImplementedError, lambda: peer.about)
        self.assertRaises(NotImplementedError, peer.show, ())
        self.assertRaises(NotImplementedError, peer.answer, ())
        self.assertRaises(NotImplementedError, peer.session_ended, "", "")


class Answers(RealmCase):
    """The answers to a session."""

    def test_each_session_is_answered_for_what_it_sent(self) -> None:
        """Each message is answered once, in order."""
        first, first_peer = self.harness.login_ack("bob", {})
        second, second_peer = self.harness.login_ack("bob", {})
        self.send(first, "ann", "1")
        self.send(second, "ann", "2")
        self.send(first, "ann", "3")
        self.assertEqual([append.body for append in first_peer.answers], ["1", "3"])
        self.assertEqual([append.body for append in second_peer.answers], ["2"])
        self.assertEqual(first_peer.echoes, ["2"])
        self.assertEqual(first.answers, [])

    def test_session_that_has_ended_is_still_answered(self) -> None:
        """The peer decides whether the client can still be notified."""
        session, peer = self.harness.login_ack("bob", {})
        self.store.eager = False
        sending = self.begin(self.realm.deliver(session, Text("bob", "ann", "x")))
        self.successResultOf(sending)
        session.end()
        self.harness.settle()
        self.assertEqual([append.body for append in peer.answers], ["x"])
