"""What a protocol must implement of a peer, and what it need not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.peer import Peer, SessionOptions


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
        peer.charge(1)
        self.assertEqual((peer.session_options, peer.hung_up()), (SessionOptions(), False))

    def test_what_every_protocol_needs_must_be_implemented(self) -> None:
        """Showing entries, answering, failing and ending have no default."""
        peer = Peer()
        self.assertRaises(NotImplementedError, lambda: peer.writable)
        self.assertRaises(NotImplementedError, lambda: peer.about)
        self.assertRaises(NotImplementedError, peer.show, ())
        self.assertRaises(NotImplementedError, peer.answer, ())
        self.assertRaises(NotImplementedError, peer.session_ended, "", "")
        self.assertRaises(NotImplementedError, peer.failed)
