"""What people let each other notice, and how seldom."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.typing_and_receipts import (
    SAY_AGAIN,
    STOPPED,
    Reading,
    Receipts,
    Typist,
    Typists,
)
from chatd.codecs import v1_messages as c


class AttentionTests(SynchronousTestCase):
    """Typing, reading, receipts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[Any] = []

    def test_typist(self) -> None:
        """Said at once, then now and then; a command is nobody's business."""
        typist = Typist(self.told.append, self.clock)
        typist.typed("/who", "#lobby")
        typist.typed("h", "")
        self.assertEqual(self.told, [])
        for _ in range(100):
            typist.typed("hello", "#lobby")
            self.clock.advance(SAY_AGAIN / 50)
        self.assertEqual(self.told, [c.SayTyping(0, "#lobby", True)] * 2)
        typist.typed("hello", "bob")
        self.assertEqual(self.told[2:], [c.SayTyping(0, "bob", True)])
        typist.typed("", "bob")
        typist.typed("", "bob")
        self.assertEqual(self.told[3:], [c.SayTyping(0, "bob", False)])
        typist.typed("x", "bob")
        typist.sent()
        typist.typed("", "bob")
        self.assertEqual(self.told[4:], [c.SayTyping(0, "bob", True)])

    def test_said_again_after_a_message(self) -> None:
        """Whoever writes the next one at once is seen to."""
        typist = Typist(self.told.append, self.clock)
        typist.typed("one", "bob")
        typist.sent()
        typist.typed("t", "bob")
        self.assertEqual(self.told, [c.SayTyping(0, "bob", True)] * 2)

    def test_typists(self) -> None:
        """Until they stop, or nothing is heard of them."""
        changes: list[list[str]] = []
        typists = Typists(lambda: changes.append(typists.names("#lobby")), self.clock)
        typists.told("#lobby", "Bob", True)
        typists.told("#lobby", "carl", True)
        self.clock.advance(STOPPED - 1)
        typists.told("#lobby", "bob", True)
        typists.told("#lobby", "carl", False)
        typists.told("#lobby", "carl", False)
        self.clock.advance(STOPPED - 1)
        self.assertEqual(typists.names("#lobby"), ["bob"])
        self.clock.advance(1)
        self.assertEqual(changes, [["Bob"], ["Bob", "carl"], ["bob"], []])
        typists.told("#lobby", "bob", True)
        typists.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reading(self) -> None:
        """The last of each log, once a second."""
        reading = Reading(self.told.append, self.clock)
        for seq in (1, 2, 5, 4):
            reading.read("@alice", seq)
        self.clock.advance(1)
        self.assertEqual(self.told, [c.MarkRead(0, "@alice", 5)])
        reading.read("#lobby", 7)
        reading.now()
        reading.now()
        self.assertEqual(self.told[1:], [c.MarkRead(0, "#lobby", 7)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_receipts(self) -> None:
        """What is the most, of each; what came later counts anew."""
        receipts = Receipts(lambda *shown: self.told.append(shown), self.clock)
        receipts.came("@bob", "delivered", [1, 2, 3])
        receipts.came("@bob", "read", [1, 2])
        receipts.came("@bob", "delivered", [2])
        receipts.came("@carl", "delivered", [9])
        receipts.came("@dora", "delivered", [])
        self.clock.advance(3)
        self.assertEqual(
            self.told, [("@bob", "read", 2), ("@bob", "delivered", 1), ("@carl", "delivered", 1)]
        )
