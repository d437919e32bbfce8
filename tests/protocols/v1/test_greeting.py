"""Version 1: Hello, and keep-alive by Ping and Pong."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd import __version__
from chatd.codecs import v1_messages as c
from chatd.realm.permissions import Policy
from tests.doubles.v1_clients import MainPortServer


class Greeting(SynchronousTestCase):
    """A client that is not logged in."""

    def setUp(self) -> None:
        self.server = MainPortServer(rate=50.0)
        self.client = self.server.connect()

    def test_hello_is_answered_with_version_limits_and_policy(self) -> None:
        """The longest frame is longer than the longest text."""
        self.server.realm.policy = Policy("invite", open_accounts=False)
        welcome = self.client.request(c.Hello(0, "test", "1"))
        self.assertEqual(
            (welcome.server, welcome.version, welcome.time), ("chatd", __version__, 1_000_000)
        )
        self.assertEqual((welcome.registration, welcome.open_accounts), ("invite", False))
        self.assertEqual(welcome.idle, self.server.limits.idle_time)
        self.assertEqual(
            (
                welcome.limits.text,
                welcome.limits.topic,
                welcome.limits.pattern,
                welcome.limits.page,
                welcome.limits.rate,
            ),
            (65_536, 256, 256, 256, 50.0),
        )
        self.assertGreater(welcome.limits.frame, welcome.limits.text)

    def test_default_policy_is_open(self) -> None:
        """Accounts can be registered, also without a password."""
        welcome = self.client.request(c.Hello(0, "test", "1"))
        self.assertEqual((welcome.registration, welcome.open_accounts), ("open", True))

    def test_missing_rate_limit_is_sent_as_zero(self) -> None:
        """Zero stands for no limit."""
        client = MainPortServer(rate=None).connect()
        self.assertEqual(client.request(c.Hello(0, "test", "1")).limits.rate, 0)

    def test_unknown_features_are_ignored(self) -> None:
        """A client of a later version can ask for more than this server has."""
        self.client.request(c.Hello(0, "test", "9", ["typing", "holograms"]))
        self.assertEqual(self.client.protocol.features, {"typing"})

    def test_later_hello_replaces_the_features_of_the_session(self) -> None:
        """Events that the client no longer asks for are not sent."""
        ann, bob = self.server.log_in("ann", "typing"), self.server.log_in("bob")
        bob.request(c.SayTyping(0, "ann"))
        self.assertEqual(len(ann.receive_events(c.Typing)), 1)
        ann.request(c.Hello(0, "test", "1", []))
        bob.request(c.SayTyping(0, "ann"))
        self.assertEqual(ann.receive_events(c.Typing), [])

    def test_ping_is_answered_and_pong_is_not(self) -> None:
        """Neither needs a login."""
        self.client.send(c.Ping(7), c.Pong(0), c.Ping(8))
        self.assertEqual(self.client.receive(), [c.Pong(7), c.Pong(8)])
