"""The token bucket."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.limits import Limits
from chatd.server.rate_limit import TokenBucket, new_bucket


class TokenBuckets(SynchronousTestCase):
    """Waiting times for any sequence of commands."""

    def test_the_burst_is_free_and_the_rest_waits(self) -> None:
        """Commands beyond the burst wait for their share of a second."""
        bucket = TokenBucket(10.0, 20.0, 0.0)
        self.assertEqual([bucket.consume(1, 0.0) for _ in range(20)], [0.0] * 20)
        self.assertAlmostEqual(bucket.consume(1, 0.0), 0.1)
        self.assertAlmostEqual(bucket.consume(10, 0.0), 1.1)
        self.assertEqual(bucket.consume(1, 2.0), 0.0)

    def test_bucket_of_an_account_is_that_of_a_connection_times_its_share(self) -> None:
        """Without a rate there is none."""
        bucket = new_bucket(Limits(rate=10.0, burst_seconds=2.0), 0.0, 3.0)
        assert bucket is not None
        self.assertEqual(bucket.consume(60, 0.0), 0.0)
        self.assertAlmostEqual(bucket.consume(3, 0.0), 0.1)
        self.assertIsNone(new_bucket(Limits(rate=None), 0.0))

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=30))
    def test_the_rate_is_never_exceeded(self, commands: list[tuple[float, int]]) -> None:
        """A client that waits as long as it must gets the burst, the rate and one command."""
        now, done, bucket = 0.0, 0, TokenBucket(5.0, 10.0, 0.0)
        for pause, cost in commands:
            now += pause
            self.assertLessEqual(done, 10 + 5 * now + 1e-6)
            now += bucket.consume(cost, now)
            done += cost
