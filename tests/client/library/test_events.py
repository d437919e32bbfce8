"""The queue of events, and its iterator."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.errors import ConnectionClosed
from chatd.client.library.events import (
    MAX_OF_ONE_LOG,
    MAX_WAITING,
    Connected,
    Disconnected,
    EventQueue,
    Overflow,
)
from chatd.client.library.followed_log import FollowedLog
from chatd.codecs import v1_messages as c


class EventQueueTests(SynchronousTestCase):
    """One queue, with the entries of several logs."""

    def setUp(self) -> None:
        self.handled: list[tuple[str, int]] = []
        self.taken = 0
        self.queue = EventQueue(self.entry_handled, self.entry_taken)
        self.log = self.follow("@ann")

    def entry_handled(self, log: FollowedLog, entry: c.Pushed) -> None:
        """Record it."""
        self.handled.append((log.name, entry.seq))

    def entry_taken(self) -> None:
        """Count it."""
        self.taken += 1

    def follow(self, name: str) -> FollowedLog:
        """A log."""
        return FollowedLog(c.LogState(name, 1, 0, 0, 0))

    def put_entry(self, seq: int, log: FollowedLog | None = None) -> None:
        """Put an entry."""
        log = log or self.log
        self.queue.put_entry(c.Pushed(log.name, seq, seq, 0, "bob", "text", ""), log)

    def next(self, events: Any) -> Deferred[Any]:
        """The next event."""
        return Deferred.fromCoroutine(self.queue.next(events))

    def take(self, events: Any) -> Any:
        """The next event, or its seq if it is an entry."""
        event = self.successResultOf(self.next(events))
        return event.seq if isinstance(event, c.Pushed) else event

    def test_first_in_first_out(self) -> None:
        """Without a consumer that waits, events are kept."""
        self.queue.put(Disconnected("", 1.0))
        self.put_entry(1)
        self.queue.put(Connected())
        self.assertEqual(len(self.queue), 3)
        events = self.queue.iterate()
        self.assertEqual(
            [self.take(events) for _ in range(3)], [Disconnected("", 1.0), 1, Connected()]
        )
        self.assertFalse(self.queue)

    def test_consumer_is_woken_by_the_next_event(self) -> None:
        """Later ones wait until it asks again."""
        events = self.queue.iterate()
        waiting = self.next(events)
        self.assertNoResult(waiting)
        self.put_entry(1)
        self.put_entry(2)
        self.assertEqual(self.successResultOf(waiting).seq, 1)
        self.assertEqual(self.take(events), 2)

    def test_entry_is_handled_when_the_next_event_is_asked_for(self) -> None:
        """Room for another one is there as soon as it is taken."""
        self.put_entry(1)
        self.queue.put(Connected())
        events = self.queue.iterate()
        self.take(events)
        self.assertEqual((self.handled, self.taken), ([], 1))
        self.take(events)
        self.assertEqual((self.handled, self.taken), ([("@ann", 1)], 1))

    def test_next_iterator_begins_with_the_unhandled_entry(self) -> None:
        """Otherwise the acknowledgement of the next entry would cover it."""
        self.put_entry(1)
        self.put_entry(2)
        self.take(self.queue.iterate())
        events = self.queue.iterate()
        self.assertEqual([self.take(events), self.take(events)], [1, 2])
        self.assertEqual(self.handled, [("@ann", 1)])
        self.assertEqual(self.log.queued, 0)

    def test_other_events_are_yielded_once(self) -> None:
        """They are not acknowledged."""
        self.queue.put(Connected())
        self.take(self.queue.iterate())
        self.assertNoResult(self.next(self.queue.iterate()))

    def test_second_iterator_is_an_error_while_the_first_waits(self) -> None:
        """One of two consumers would sleep for ever. A cancelled consumer does not wait."""
        waiting = self.next(self.queue.iterate())
        self.assertRaises(RuntimeError, self.queue.iterate)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.put_entry(1)
        self.assertEqual(self.take(self.queue.iterate()), 1)

    def test_iterator_that_was_replaced_raises_an_error(self) -> None:
        """Its entry belongs to the one after it."""
        self.put_entry(1)
        first = self.queue.iterate()
        self.take(first)
        self.queue.iterate()
        self.failureResultOf(self.next(first), RuntimeError)
        self.assertEqual(self.handled, [])

    def test_one_iterator_has_one_consumer(self) -> None:
        """The second one gets an error, the first one the event."""
        events = self.queue.iterate()
        waiting = self.next(events)
        self.failureResultOf(self.next(events), RuntimeError)
        self.put_entry(1)
        self.assertEqual(self.successResultOf(waiting).seq, 1)

    def test_close_ends_the_iteration_at_once(self) -> None:
        """Also that of a consumer that waits; what is queued is not handled any more."""
        self.put_entry(1)
        self.put_entry(2)
        events = self.queue.iterate()
        self.take(events)
        self.queue.close()
        self.put_entry(3)
        self.failureResultOf(self.next(events), StopAsyncIteration)
        self.assertEqual(self.handled, [("@ann", 1)])
        self.setUp()
        waiting = self.next(self.queue.iterate())
        self.queue.close()
        self.failureResultOf(waiting, StopAsyncIteration)

    def test_reason_of_the_end_is_raised_after_the_events(self) -> None:
        """Again whenever another event is asked for."""
        self.put_entry(1)
        self.queue.end(ConnectionClosed("Out."))
        events = self.queue.iterate()
        self.assertEqual(self.take(events), 1)
        for _ in range(2):
            self.failureResultOf(self.next(events), ConnectionClosed)
        self.assertEqual(self.handled, [("@ann", 1)])

    def test_entries_of_one_log_leave_room_for_others(self) -> None:
        """All together are bounded, too."""
        self.assertEqual(self.queue.room_for(self.log), MAX_OF_ONE_LOG)
        for seq in range(MAX_OF_ONE_LOG - 1):
            self.put_entry(seq)
        self.assertEqual(self.queue.room_for(self.log), 1)
        for number in range(MAX_WAITING // MAX_OF_ONE_LOG):
            log = self.follow(f"#{number}")
            while self.queue.room_for(log):
                self.put_entry(1, log)
        self.assertEqual((len(self.queue), self.queue.room_for(self.log)), (MAX_WAITING, 0))
        self.take(self.queue.iterate())
        self.assertEqual(self.queue.room_for(self.log), 1)

    def test_overflow_counts_the_events_that_are_dropped(self) -> None:
        """In their place; `Left` and the like are kept, and entries have a bound of their own."""
        for seq in range(MAX_OF_ONE_LOG):
            self.put_entry(seq)
        typing = c.Typing("@ann", "bob", True)
        for _ in range(MAX_WAITING + 1):
            self.queue.put(typing)
        self.queue.put(c.Receipt("@bob", "read", [1]))
        self.queue.put(c.Presence(c.Person("bob", "on")))
        self.queue.put(c.Sent("@bob", 1, 1, 0, "text", ""))
        self.queue.put(c.Left("#den", "kicked"))
        events = self.queue.iterate()
        taken = [self.take(events) for _ in range(len(self.queue))]
        self.assertEqual(taken[MAX_OF_ONE_LOG:-2], [typing] * MAX_WAITING)
        self.assertEqual(
            taken[-2:],
            [Overflow(sent=1, receipts=1, presence=1, typing=1), c.Left("#den", "kicked")],
        )
        self.queue.put(typing)
        self.assertEqual(self.take(events), typing)
