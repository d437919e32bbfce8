"""`Unconfirmed`: what was written, in spans."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.protocols.grpc.unconfirmed import Unconfirmed


class Spans(SynchronousTestCase):
    """Numbers, and when they were written."""

    def test_span_is_taken_when_its_last_number_is_due(self) -> None:
        """Consecutive numbers of a second are one span, however many they are."""
        unconfirmed = Unconfirmed()
        self.assertIsNone(unconfirmed.oldest)
        for number in range(1, 1_001):
            unconfirmed.add(number, 10 + number / 2_000)
        self.assertEqual(unconfirmed.take(10.4), [])
        self.assertEqual(unconfirmed.oldest, 10.5)
        self.assertEqual(unconfirmed.take(10.5), [(1, 1_000)])
        self.assertEqual(unconfirmed.take(11), [])

    def test_gaps_and_seconds_begin_other_spans(self) -> None:
        """They are taken in order."""
        unconfirmed = Unconfirmed()
        for number, at in ((1, 0.0), (2, 0.9), (3, 1.0), (5, 1.1), (6, 3.0)):
            unconfirmed.add(number, at)
        self.assertEqual(unconfirmed.take(1.1), [(1, 2), (3, 3), (5, 5)])
        self.assertEqual(unconfirmed.oldest, 3.0)
