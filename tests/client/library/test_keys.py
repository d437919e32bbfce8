"""Keys of messages."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.keys import Keys


class KeysTests(SynchronousTestCase):
    """Keys that are made one after another."""

    def test_keys_are_unique_and_increase(self) -> None:
        """Also if the clock is set back."""
        times = iter([1000, 2000, 1500, 1500, 3000])
        keys = Keys(lambda: next(times), random.Random(1))
        made = [keys.new() for _ in range(5)]
        self.assertEqual(made, sorted(set(made)))

    def test_clients_of_the_same_moment_make_different_keys(self) -> None:
        """By their random numbers."""
        made = {Keys(lambda: 1000, random.Random(seed)).new() for seed in range(100)}
        self.assertEqual(len(made), 100)
