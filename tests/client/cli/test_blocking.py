"""Blocked accounts: which entries the client hides."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.blocking import Blocking
from chatd.codecs import v1_messages as c
from tests.doubles.client import pushed


class BlockingTests(SynchronousTestCase):
    """`Blocking`, for an account that blocks Carl."""

    def setUp(self) -> None:
        self.blocking = Blocking()
        self.blocking.apply(c.Block(0, "Carl"))

    def test_names_ignore_case(self) -> None:
        """Those of accounts and those of requests."""
        self.assertIn("carl", self.blocking)
        self.assertIn("CARL", self.blocking)
        self.assertNotIn("bob", self.blocking)
        self.blocking.apply(c.Block(0, "cARL", False))
        self.assertNotIn("Carl", self.blocking)

    def test_list_of_the_server_replaces_all_names(self) -> None:
        """An account may have been unblocked by another session."""
        self.blocking.set_names(["Bob", "dora"])
        self.assertEqual([name in self.blocking for name in ("bob", "Dora", "carl")], [1, 1, 0])

    def test_what_a_blocked_account_writes_in_a_room_is_hidden(self) -> None:
        """Texts, and changes of texts."""
        for kind in ("text", "edit", "delete", "reaction"):
            self.assertTrue(self.blocking.hides(pushed("#lobby", "carl", "x", kind)), kind)
            self.assertFalse(self.blocking.hides(pushed("#lobby", "bob", "x", kind)), kind)

    def test_other_entries_are_not_hidden(self) -> None:
        """Entries about the room are shown; private messages are kept out by the server."""
        for kind in ("join", "leave", "kick", "topic", "access", "role"):
            self.assertFalse(self.blocking.hides(pushed("#lobby", "carl", "x", kind)), kind)
        self.assertFalse(self.blocking.hides(pushed("@alice", "carl", "x")))
