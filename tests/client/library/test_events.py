"""The queue of events."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.events import MAX_WAITING, Connected, Disconnected, EventQueue


class EventQueueTests(SynchronousTestCase):
    """One queue."""

    def setUp(self) -> None:
        self.queue = EventQueue()

    def test_first_in_first_out(self) -> None:
        """Without a consumer that waits, events are kept."""
        self.queue.put(Disconnected("", 1.0))
        self.queue.put(Connected())
        self.assertEqual(len(self.queue), 2)
        self.assertEqual(self.queue.pop(), Disconnected("", 1.0))
        self.assertEqual(self.queue.pop(), Connected())
        self.assertFalse(self.queue)

    def test_put_wakes_the_consumer_once(self) -> None:
        """So does `wake`, without an event."""
        waiting = self.queue.wait()
        self.assertNoResult(waiting)
        self.queue.put(Connected())
        self.queue.put(Connected())
        self.successResultOf(waiting)
        waiting = self.queue.wait()
        self.queue.wake()
        self.queue.wake()
        self.successResultOf(waiting)
        self.assertEqual(len(self.queue), 2)

    def test_full_at_the_limit(self) -> None:
        """`put` works all the same."""
        for _ in range(MAX_WAITING):
            self.assertFalse(self.queue.full)
            self.queue.put(Connected())
        self.assertTrue(self.queue.full)
        self.queue.put(Connected())
        self.assertEqual(len(self.queue), MAX_WAITING + 1)
