"""`Turns`: connections with much to do go on one after another."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.turns import TURN, Turns


class TurnTests(SynchronousTestCase):
    """Turns that take three quarters of their time, on a clock that the test advances."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.order = ""

    def turn(self, name: str, then: Callable[[], None] = lambda: None) -> None:
        """Wait for a turn, which is noted."""

        def go_on() -> None:
            self.order += name
            self.clock.rightNow += TURN * 0.75
            then()

        self.turns.wait(go_on)

    def test_other_work_is_done_between_turns(self) -> None:
        """After the time of one turn, however many wait."""

        def other_work() -> None:
            self.order += "|"

        for name in "abcde":
            self.turn(name)
        self.clock.callLater(TURN / 2, other_work)
        self.assertEqual((self.order, len(self.turns)), ("", 5))
        self.clock.advance(0)
        self.assertEqual((self.order, len(self.turns)), ("ab|cde", 0))

    def test_next_turn_of_a_connection_is_after_those_of_all_others(self) -> None:
        """Also if it waits again while it goes on."""
        self.turn("a", lambda: self.turn("c"))
        self.turn("b")
        self.clock.advance(0)
        self.assertEqual(self.order, "abc")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_error_in_a_turn_costs_no_other_its_turn(self) -> None:
        """The reactor logs it."""

        def fail() -> None:
            raise RuntimeError("a turn has failed")

        self.turn("a", fail)
        self.turn("b")
        self.assertRaises(RuntimeError, self.clock.advance, 0)
        self.clock.advance(0)
        self.assertEqual(self.order, "ab")

    def test_turn_is_over_after_its_time_or_when_the_clock_was_set_back(self) -> None:
        """Time that goes back does not count as no time."""
        began = self.clock.seconds()
        self.assertFalse(self.turns.over(began))
        self.clock.advance(TURN)
        self.assertTrue(self.turns.over(began))
        self.assertTrue(self.turns.over(began + TURN * 1.5))
