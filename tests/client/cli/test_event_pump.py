"""The event pump: output that is behind, stopping, and waiting for known entries."""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.event_pump import DRAIN_TIMEOUT, EventPump
from chatd.client.library.client import Client
from chatd.client.library.errors import ConnectionClosed
from chatd.client.library.events import Event
from tests.doubles.client import FakeClient, pushed

ONE, TWO = pushed("#lobby", "bob", "one", seq=1), pushed("#lobby", "bob", "two", seq=2)


class EventPumpTests(SynchronousTestCase):
    """A pump that is running."""

    def setUp(self) -> None:
        self.client = FakeClient()
        self.clock = Clock()
        self.handled: list[Event] = []
        self.writing: Deferred[None] = succeed(None)
        self.pump = EventPump(
            cast(Client, self.client), self.handled.append, lambda: self.writing, self.clock
        )
        self.running = Deferred.fromCoroutine(self.pump.run())

    def test_events_are_handled_in_order(self) -> None:
        """The pump ends when the client is closed."""
        self.client.tell(ONE, TWO)
        self.assertEqual(self.handled, [ONE, TWO])
        self.successResultOf(Deferred.fromCoroutine(self.client.close()))
        self.successResultOf(self.running)

    def test_error_of_the_client_ends_the_pump(self) -> None:
        """It fails with that error."""
        self.client.tell(ONE, ConnectionClosed())
        self.failureResultOf(self.running, ConnectionClosed)
        self.assertEqual(self.handled, [ONE])

    def test_entry_is_handled_when_it_is_written(self) -> None:
        """Before that it is not acknowledged, and no other event is printed."""
        writing = self.writing = Deferred()
        self.client.tell(ONE, TWO)
        self.assertEqual(self.handled, [ONE])
        self.assertEqual(self.client.logs["#lobby"].handled, 0)
        self.writing = Deferred()
        writing.callback(None)
        self.assertEqual(self.handled, [ONE, TWO])
        self.assertEqual(self.client.logs["#lobby"].handled, 1)

    def test_stopped_pump_handles_no_event(self) -> None:
        """The entry is not marked as handled."""
        self.pump.stop()
        self.client.tell(ONE)
        self.assertEqual(self.handled, [])
        self.assertEqual(self.client.logs["#lobby"].handled, 0)

    def test_drain_waits_for_the_entries_that_exist(self) -> None:
        """The last entry of each followed log is known from the login."""
        self.client.logs["#lobby"].head = 2
        drained = Deferred.fromCoroutine(self.pump.drain())
        self.client.tell(ONE)
        self.clock.advance(0)
        self.assertNoResult(drained)
        self.client.tell(TWO)
        self.clock.advance(0)
        self.successResultOf(drained)

    def test_drain_waits_for_expected_entries(self) -> None:
        """The highest seq counts; entries of logs that are not followed do not."""
        self.pump.expect("#lobby", 2)
        self.pump.expect("#lobby", 1)
        self.pump.expect("#garden", 9)
        drained = Deferred.fromCoroutine(self.pump.drain())
        self.client.tell(ONE)
        self.clock.advance(0)
        self.assertNoResult(drained)
        self.client.tell(TWO)
        self.clock.advance(0)
        self.successResultOf(drained)

    def test_drain_without_missing_entries_returns_at_once(self) -> None:
        """No timer is left."""
        self.successResultOf(Deferred.fromCoroutine(self.pump.drain()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_drain_waits_again_after_each_event(self) -> None:
        """It ends when no event arrives for `DRAIN_TIMEOUT` seconds."""
        self.client.logs["#lobby"].head = 9
        drained = Deferred.fromCoroutine(self.pump.drain())
        for entry in (ONE, TWO):
            self.clock.advance(DRAIN_TIMEOUT - 1)
            self.client.tell(entry)
            self.clock.advance(0)
        self.clock.advance(DRAIN_TIMEOUT - 1)
        self.assertNoResult(drained)
        self.clock.advance(1)
        self.successResultOf(drained)

    def test_drain_has_no_timeout_while_the_output_is_behind(self) -> None:
        """The entries wait for the screen."""
        self.client.logs["#lobby"].head = 1
        writing = self.writing = Deferred()
        drained = Deferred.fromCoroutine(self.pump.drain())
        self.client.tell(ONE)
        self.clock.pump([DRAIN_TIMEOUT] * 3)
        self.assertNoResult(drained)
        writing.callback(None)
        self.clock.advance(0)
        self.successResultOf(drained)
