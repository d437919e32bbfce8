"""Version 1: blocking accounts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.doubles.v1_clients import MainPortServer


class Blocking(SynchronousTestCase):
    """Ann blocks Bob."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann", "typing")
        self.bob = self.server.log_in("bob")

    def test_blocked_sender_is_refused(self) -> None:
        """Messages, edits and reactions are refused until the sender is unblocked."""
        sent = self.bob.request(c.Send(0, "ann", "grr"))
        self.ann.request(c.Block(0, "BOB"))
        for message in (
            c.Send(0, "ann", "x"),
            c.Edit(0, "@ann", sent.seq, "x"),
            c.React(0, "@ann", 1, "x"),
        ):
            self.assertEqual(self.bob.refusal_code(message), "blocked")
        self.ann.request(c.Block(0, "bob", False))
        self.bob.request(c.Send(0, "ann", "sorry"))
        self.assertEqual(self.ann.receive_bodies(), ["grr", "sorry"])

    def test_blocked_accounts_are_listed(self) -> None:
        """Their names are as first written."""
        self.assertEqual(self.ann.request(c.GetBlocked(0)).names, [])
        self.ann.request(c.Block(0, "BOB"))
        self.assertEqual(self.ann.request(c.GetBlocked(0)).names, ["bob"])
        self.ann.request(c.Block(0, "bob", False))
        self.assertEqual(self.ann.request(c.GetBlocked(0)).names, [])

    def test_typing_of_a_blocked_account_is_not_shown(self) -> None:
        """The request of the blocked account succeeds all the same."""
        self.ann.request(c.Block(0, "bob"))
        self.bob.request(c.SayTyping(0, "ann"))
        self.assertEqual(self.ann.receive_events(c.Typing), [])

    def test_unknown_account_cannot_be_blocked(self) -> None:
        """The refusal has a code."""
        self.assertEqual(self.ann.refusal_code(c.Block(0, "nobody")), "unknown-account")
