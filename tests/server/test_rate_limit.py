"""Slowing down and giving up."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.deadlines import Deadlines
from chatd.server.rate_limit import TokenBucket
from chatd.server.write_tracker import WriteTracker


class Allowances(SynchronousTestCase):
    """A token bucket."""

    def test_burst_then_rate(self) -> None:
        """The burst is free; what comes on top waits its share of a second."""
        allowance = TokenBucket(10.0, 20.0, 0.0)
        self.assertEqual([allowance.spend(1, 0.0) for _ in range(20)], [0.0] * 20)
        self.assertAlmostEqual(allowance.spend(1, 0.0), 0.1)
        self.assertAlmostEqual(allowance.spend(10, 0.0), 1.1)
        self.assertEqual(allowance.spend(1, 2.0), 0.0)

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=30))
    def test_never_more_than_the_rate(self, spending: list[tuple[float, int]]) -> None:
        """Whoever keeps the waits gets the burst and the rate, and no more than the last spending
        beyond."""
        now, done, allowance = 0.0, 0, TokenBucket(5.0, 10.0, 0.0)
        for pause, commands in spending:
            now += pause
            self.assertLessEqual(done, 10 + 5 * now + 1e-6)
            now += allowance.spend(commands, now)
            done += commands


class ManyDeadlines(SynchronousTestCase):
    """One timer for all."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines: Deadlines[str] = Deadlines(self.clock, 10.0, self.expired.append)

    def test_in_order(self) -> None:
        """Each at its time, touched ones later, discarded ones never, with a single timer."""
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

    def test_stop(self) -> None:
        """Nothing is left behind."""
        self.deadlines.touch("a")
        self.deadlines.stop()
        self.assertEqual((self.clock.getDelayedCalls(), len(self.deadlines)), ([], 0))


class _Counting:
    """A transport that counts."""

    taken = 0
    there = 0

    def arrived(self) -> int:
        """See `TrackedServer`."""
        return self.there


class WhatArrived(SynchronousTestCase):
    """Receipts."""

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(
        st.lists(st.lists(st.integers(1, 9), max_size=4), max_size=30),
        st.integers(0, 200),
        st.integers(0, 200),
    )
    def test_against_a_list(self, writes: list[list[int]], taken: int, there: int) -> None:
        """Entries whose last byte is not there are unread, those whose last byte was not taken
        unsent."""
        transport = _Counting()
        receipts = WriteTracker(transport)
        ends: list[int] = []
        at = 0
        for sizes in writes:
            if sizes:
                receipts.wrote_entries(len(ends) + 1, sizes, sum(sizes))
                for size in sizes:
                    at += size
                    ends.append(at)
            else:
                receipts.wrote(3)
                at += 3
        transport.taken, transport.there = taken, min(taken, there)
        self.assertEqual(receipts.unsent(), [n for n, end in enumerate(ends, 1) if end > taken])
        self.assertEqual(
            receipts.unread(), [n for n, end in enumerate(ends, 1) if end > transport.there]
        )
        receipts.forget()
        self.assertEqual(receipts.unread(), [])

    def test_other_transports_are_taken_at_their_word(self) -> None:
        """What was written has arrived."""
        receipts = WriteTracker(object())
        receipts.wrote_entries(1, [5], 5)
        self.assertEqual((receipts.unsent(), receipts.unread()), ([], []))
