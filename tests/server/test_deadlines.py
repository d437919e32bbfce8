"""One time limit for many items."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.deadlines import Deadlines


class ManyDeadlines(SynchronousTestCase):
    """Items on one timer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines: Deadlines[str] = Deadlines(self.clock, 10.0, self.expired.append)

    def test_items_expire_in_order_with_a_single_timer(self) -> None:
        """Touching an item postpones its deadline; a discarded item never expires."""
        for name in ("a", "b", "c"):
            self.deadlines.touch(name)
            self.clock.advance(1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.deadlines.touch("a")
        self.deadlines.discard("b")
        self.assertEqual((len(self.deadlines), self.deadlines.oldest()), (2, "c"))
        self.clock.advance(7.5)
        self.assertEqual(self.expired, [])
        self.clock.advance(2)
        self.assertEqual(self.expired, ["c"])
        self.clock.advance(2)
        self.assertEqual(self.expired, ["c", "a"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_item_whose_deadline_begins_again_when_it_expires(self) -> None:
        """There is a single timer still, for the item whose deadline is next."""

        def expired(item: str) -> None:
            self.expired.append(item)
            if item == "a" and len(self.expired) == 1:
                deadlines.touch("a")

        deadlines: Deadlines[str] = Deadlines(self.clock, 10.0, expired)
        deadlines.touch("a")
        self.clock.advance(4)
        deadlines.touch("b")
        self.clock.advance(6)
        self.assertEqual((self.expired, len(self.clock.getDelayedCalls())), (["a"], 1))
        self.clock.advance(4)
        self.assertEqual(self.expired, ["a", "b"])
        self.clock.advance(6)
        self.assertEqual((self.expired, self.clock.getDelayedCalls()), (["a", "b", "a"], []))

    def test_stop_cancels_everything(self) -> None:
        """Neither items nor the timer remain."""
        self.deadlines.touch("a")
        self.deadlines.stop()
        self.assertEqual((self.clock.getDelayedCalls(), len(self.deadlines)), ([], 0))
