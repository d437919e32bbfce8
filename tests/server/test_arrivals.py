"""Acknowledging for clients that cannot: when the kernel is asked, and what it costs."""

from __future__ import annotations

from itertools import pairwise

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.server import arrivals
from chatd.server.arrivals import INTERVAL, LONGEST_INTERVAL, Arrivals

_MOMENT = 0.0001


class Reader:
    """A connection whose client has read nothing while `stalled`, or something and not everything
    while `slow`; `asked` has the times at which it was asked."""

    slow = False

    def __init__(self, clock: Clock, stalled: bool = False) -> None:
        self.stalled = stalled
        self.asked: list[float] = []
        self._clock = clock

    def acknowledge_arrived(self) -> tuple[bool, bool]:
        """See `Watched`."""
        self.asked.append(self._clock.seconds())
        return not self.stalled, self.stalled or self.slow


class Asking(SynchronousTestCase):
    """When connections are asked."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.arrivals = Arrivals(self.clock)

    def advance(self, seconds: float) -> None:
        """Let time pass, a millisecond at a time."""
        for _ in range(round(seconds * 1000)):
            self.clock.advance(0.001)

    def test_all_connections_are_asked_by_one_timer(self) -> None:
        """Each once, for all that was written to it within the interval."""
        readers = [Reader(self.clock) for _ in range(3)]
        for _ in range(10):
            for reader in readers:
                self.arrivals.watch(reader)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.clock.advance(INTERVAL / 20)
        self.assertEqual([reader.asked for reader in readers], [[], [], []])
        self.clock.advance(INTERVAL / 2 + _MOMENT)
        self.assertEqual([len(reader.asked) for reader in readers], [1, 1, 1])

    def test_nothing_is_asked_when_everything_has_arrived(self) -> None:
        """No timer runs until something is written again."""
        reader = Reader(self.clock)
        self.arrivals.watch(reader)
        self.advance(1)
        self.assertEqual(len(reader.asked), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.arrivals.watch(reader)
        self.advance(1)
        self.assertEqual(len(reader.asked), 2)

    def test_a_client_that_does_not_read_is_asked_less_and_less_often(self) -> None:
        """The interval doubles up to a bound, and begins anew when it has read everything."""
        reader = Reader(self.clock, stalled=True)
        self.arrivals.watch(reader)
        self.advance(60)
        waits = [after - before for before, after in pairwise(reader.asked)]
        self.assertLess(abs(waits[0] - 2 * INTERVAL), 0.01)
        for before, after in pairwise(waits):
            self.assertLess(abs(after - min(2 * before, LONGEST_INTERVAL)), 0.01)
        self.assertLess(abs(waits[-1] - LONGEST_INTERVAL), 0.01)
        reader.stalled = False
        self.advance(LONGEST_INTERVAL)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        reader.asked = []
        reader.stalled = True
        self.arrivals.watch(reader)
        self.advance(4 * INTERVAL)
        self.assertEqual(len(reader.asked), 2)

    def test_a_client_that_reads_on_is_asked_after_the_interval(self) -> None:
        """However long there is something on its way; also when it had stopped reading before."""
        reader = Reader(self.clock, stalled=True)
        self.arrivals.watch(reader)
        self.advance(10)
        reader.stalled, reader.slow = False, True
        self.advance(LONGEST_INTERVAL)
        reader.asked = []
        self.advance(1)
        waits = [after - before for before, after in pairwise(reader.asked)]
        self.assertLess(max(waits), INTERVAL + 0.002)

    def test_a_stalled_client_is_asked_soon_after_a_write(self) -> None:
        """The interval begins anew; within it there is one question for all writes."""
        reader = Reader(self.clock, stalled=True)
        self.arrivals.watch(reader)
        self.advance(10)
        reader.asked = []
        self.arrivals.watch(reader)
        self.arrivals.watch(reader)
        self.advance(INTERVAL + 0.002)
        self.assertEqual(len(reader.asked), 1)
        self.advance(2 * INTERVAL + 0.002)
        self.assertEqual(len(reader.asked), 2)

    def test_other_work_goes_on_between_many_connections(self) -> None:
        """Each is asked about once; one that is closed meanwhile is not, and what is written
        meanwhile is asked about after the interval."""
        self.patch(arrivals, "_AT_ONCE", 3)
        readers = [Reader(self.clock) for _ in range(8)]
        for reader in readers:
            self.arrivals.watch(reader)
        between: list[list[int]] = []

        def other_work() -> None:
            between.append([len(reader.asked) for reader in readers])
            if len(between) == 1:
                self.arrivals.forget(readers[4])
                self.arrivals.watch(readers[0])
            if len(between) < 3:
                self.clock.callLater(0, other_work)

        self.clock.callLater(INTERVAL, other_work)
        self.clock.advance(INTERVAL)
        self.assertEqual(between[0], [1, 1, 1, 0, 0, 0, 0, 0])
        self.assertEqual(between[1], [1, 1, 1, 1, 0, 1, 1, 0])
        self.assertEqual(between[2], [1, 1, 1, 1, 0, 1, 1, 1])
        self.clock.advance(INTERVAL + _MOMENT)
        self.assertEqual([len(reader.asked) for reader in readers], [2, 1, 1, 1, 0, 1, 1, 1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stalled_clients_are_asked_about_in_parts(self) -> None:
        """The intervals of each double as if it were the only one."""
        self.patch(arrivals, "_AT_ONCE", 2)
        readers = [Reader(self.clock, stalled=True) for _ in range(5)]
        for reader in readers:
            self.arrivals.watch(reader)
        self.advance(10)
        for reader in readers:
            waits = [after - before for before, after in pairwise(reader.asked)]
            for before, after in pairwise(waits):
                self.assertLess(abs(after - min(2 * before, LONGEST_INTERVAL)), 0.03)

    def test_a_client_that_does_not_read_delays_no_other(self) -> None:
        """The others are asked after the interval."""
        stalled, prompt = Reader(self.clock, stalled=True), Reader(self.clock)
        self.arrivals.watch(stalled)
        self.advance(30)
        self.arrivals.watch(prompt)
        self.advance(INTERVAL + 0.002)
        self.assertEqual(len(prompt.asked), 1)

    def test_a_closed_connection_is_not_asked(self) -> None:
        """Neither one that was written to just now, nor one that does not read."""
        written, stalled = Reader(self.clock), Reader(self.clock, stalled=True)
        self.arrivals.watch(stalled)
        self.advance(1)
        self.arrivals.watch(written)
        asked = len(stalled.asked)
        self.arrivals.forget(written)
        self.arrivals.forget(stalled)
        self.advance(10)
        self.assertEqual((written.asked, len(stalled.asked)), ([], asked))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_asked_after_the_stop(self) -> None:
        """The timer is cancelled; stopping twice does nothing."""
        reader = Reader(self.clock)
        self.arrivals.watch(reader)
        self.arrivals.stop()
        self.arrivals.stop()
        self.advance(1)
        self.assertEqual(reader.asked, [])
