"""What is counted for operators: refusals, bounds that were met, lengths of queues."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.counters import Counters


class CountersTests(SynchronousTestCase):
    """The counts by their names."""

    def setUp(self) -> None:
        self.counters = Counters()

    def test_refusals_are_counted_by_code(self) -> None:
        """The bounds that were met are counted besides."""
        self.counters.refused("blocked")
        self.counters.refused("limit-reached", "rooms")
        self.counters.refused("limit-reached", "watched")
        self.counters.quota_met("rooms")
        self.assertEqual(self.counters.refusals, {"blocked": 1, "limit-reached": 2})
        self.assertEqual(self.counters.quotas_met, {"rooms": 2, "watched": 1})

    def test_queues_have_the_length_of_the_moment(self) -> None:
        """A queue is asked each time."""
        queue: list[int] = []
        self.counters.watch_queue("passwords", lambda: len(queue))
        self.assertEqual(self.counters.queues, {"passwords": 0})
        queue.append(1)
        self.assertEqual(self.counters.queues, {"passwords": 1})

    def test_number_of_names_is_bounded(self) -> None:
        """Names that are counted already are counted further."""
        for number in range(1_100):
            self.counters.refused(f"code-{number}")
        self.counters.refused("code-0")
        self.assertEqual(len(self.counters.refusals), 1_000)
        self.assertEqual(self.counters.refusals["code-0"], 2)
