"""Delays between attempts to reconnect."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.backoff import FIRST_DELAY, LONGEST_DELAY, Backoff


class BackoffTests(SynchronousTestCase):
    """The delays of one client, and of many."""

    def test_delays_double_up_to_the_longest(self) -> None:
        """Each is between half of its nominal value and the whole."""
        backoff = Backoff(random.Random(1))
        for number in range(2000):
            nominal = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(number, 20))
            delay = backoff.next_delay()
            self.assertTrue(nominal / 2 <= delay <= nominal, (number, delay))

    def test_reset_begins_again(self) -> None:
        """After a success the first delay is short."""
        backoff = Backoff(random.Random(1))
        for _ in range(5):
            backoff.next_delay()
        backoff.reset()
        self.assertLessEqual(backoff.next_delay(), FIRST_DELAY)

    def test_clients_have_different_delays(self) -> None:
        """Those of a server that was restarted do not return at the same moment."""
        delays = {Backoff(random.Random(seed)).next_delay() for seed in range(100)}
        self.assertEqual(len(delays), 100)
