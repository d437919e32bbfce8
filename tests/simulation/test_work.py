"""The work of a turn is counted, not timed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.reactor import LONGEST_TURN, Schedule, SimulatedReactor


class WorkOfTurns(SynchronousTestCase):
    """A reactor whose timers call functions."""

    def setUp(self) -> None:
        self.schedule = Schedule()
        self.reactor = self.schedule.reactor = SimulatedReactor(self.schedule)
        self.long_turns: list[float] = []
        self.schedule.on_long_turn = self.long_turns.append

    def work(self, calls: int) -> None:
        """Make so many calls."""
        for _ in range(calls):
            abs(-1)

    def test_long_turn(self) -> None:
        """A turn with very many calls is reported, with the same work each time."""
        for _ in range(2):
            self.reactor.callLater(1.0, self.work, 800_000)
            self.schedule.run_for(2.0)
        self.assertEqual(len(self.long_turns), 2)
        self.assertEqual(self.long_turns[0], self.long_turns[1])
        self.assertGreater(self.long_turns[0], LONGEST_TURN)

    def test_many_short_turns(self) -> None:
        """Turns are not added up."""
        for at in range(10):
            self.reactor.callLater(at, self.work, 100_000)
        self.schedule.run_for(11.0)
        self.assertEqual(self.long_turns, [])
