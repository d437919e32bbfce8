"""Small sizes are those of single histories."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import batches
from tests.simulation.sizes import draw, sizes


class SizesTests(SynchronousTestCase):
    """`tests.simulation.sizes`."""

    def test_usual_sizes_are_restored(self) -> None:
        """After a history, though it has failed, the daemon has its own sizes again."""
        usual = batches.LARGEST_BATCH
        with self.assertRaises(ZeroDivisionError), sizes((("batch", 3),)):
            self.assertEqual(batches.LARGEST_BATCH, 3)
            raise ZeroDivisionError
        self.assertEqual(batches.LARGEST_BATCH, usual)

    def test_a_share_of_the_histories_has_small_sizes(self) -> None:
        """Most have the usual ones; the same seed always has the same."""
        drawn = [draw(seed) for seed in range(100)]
        self.assertEqual(drawn, [draw(seed) for seed in range(100)])
        self.assertTrue(15 < sum(map(bool, drawn)) < 45)
