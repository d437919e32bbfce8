"""A log with local subscribers: subscribing, and trimming what they have consumed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.live_log import MIN_RETAINED, TRIM_INTERVAL, LiveLog
from chatd.realm.peer import Peer
from chatd.stores.memory import MemoryStore
from tests.doubles.steps import count_steps
from tests.realm.case import AckRealmCase


class TrimRecorder(MemoryStore):
    """A store that records the requests to trim."""

    def __init__(self, ephemeral: bool) -> None:
        super().__init__()
        self.ephemeral = ephemeral
        self.trims: list[tuple[str, int]] = []

    def trim(self, log: str, upto: int) -> Deferred[None]:
        """See `Store.trim`."""
        self.trims.append((log, upto))
        return succeed(None)


class ConsumedLog(LiveLog):
    """A log of which everything has been consumed."""

    __slots__ = ()

    @property
    def consumed(self) -> int:
        """See `LiveLog`."""
        return self.head


class FakeSubscriber:
    """A subscriber that reads nothing."""

    live = True
    session: Any = SimpleNamespace(peer=Peer())
    position = 0
    sent = 0


class Subscribing(SynchronousTestCase):
    """The subscribers of a log."""

    def test_subscribers_are_in_the_order_in_which_they_subscribed(self) -> None:
        """Unsubscribing removes one subscriber; unsubscribing it again changes nothing."""
        log = ConsumedLog(TrimRecorder(True), "#5", "#a")
        first, second = FakeSubscriber(), FakeSubscriber()
        log.subscribe(first)
        log.subscribe(second)
        self.assertEqual(list(log.subscriptions), [first, second])
        for _ in range(2):
            log.unsubscribe(first)
        self.assertEqual(list(log.subscriptions), [second])

    def test_many_subscribers_are_not_copied(self) -> None:
        """Subscribing and unsubscribing cost the same with 10 and with 10,000 subscribers."""
        log = ConsumedLog(TrimRecorder(True), "#5", "#a")
        subscribers = [FakeSubscriber() for _ in range(100)]
        for subscriber in subscribers:
            log.subscribe(subscriber)
        before = log.subscriptions
        log.unsubscribe(subscribers[50])
        log.subscribe(subscribers[50])
        self.assertIs(log.subscriptions, before)
        self.assertLess(count_steps(lambda: log.unsubscribe(subscribers[51])), 5)
        self.assertEqual(
            list(log.subscriptions), [*subscribers[:50], *subscribers[52:], subscribers[50]]
        )
        for subscriber in subscribers[::-1]:
            log.unsubscribe(subscriber)
            log.unsubscribe(subscriber)
        self.assertEqual(len(log.subscriptions), 0)


class Trimming(SynchronousTestCase):
    """When a log is trimmed."""

    def test_ephemeral_log_is_trimmed_at_intervals(self) -> None:
        """The interval begins with the first subscription; the latest entries stay."""
        store = TrimRecorder(ephemeral=True)
        log = ConsumedLog(store, "#5", "#a")
        log.head = 100
        log.subscribe(FakeSubscriber())
        self.assertEqual(log.trim_at, 100 + TRIM_INTERVAL)
        log.head = 200
        log.subscribe(FakeSubscriber())
        self.assertEqual(log.trim_at, 100 + TRIM_INTERVAL)
        log.head = log.trim_at
        log.trim_consumed()
        self.assertEqual(store.trims, [("#5", log.head - MIN_RETAINED)])
        self.assertEqual(log.trim_at, log.head + TRIM_INTERVAL)

    def test_durable_log_is_not_trimmed(self) -> None:
        """A durable log is trimmed by `chatd.realm.retention` only."""
        log = ConsumedLog(TrimRecorder(ephemeral=False), "#5", "#a")
        log.subscribe(FakeSubscriber())
        self.assertGreater(log.trim_at, 10**12)


class RoomTrimming(AckRealmCase):
    """Rooms in memory."""

    def test_ephemeral_room_retains_some_thousand_entries(self) -> None:
        """Old entries are trimmed whether or not the members have acknowledged them."""
        self.create_room(self.ann)
        room = self.realm.rooms.loaded("#room")
        assert room is not None
        for _ in range(0, 6_000, 500):
            for _ in range(500):
                self.realm.append(
                    self.realm.new_note(self.log("#room"), "Ann", self.ann.account, "text", "x")
                )
            self.realm.flush()
        count = len(self.entries("#room"))
        self.assertGreaterEqual(count, 4_096)
        self.assertLessEqual(count, 4_096 + MIN_RETAINED + TRIM_INTERVAL)
