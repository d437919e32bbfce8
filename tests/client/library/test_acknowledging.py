"""Acknowledgements, gathered."""

from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.acknowledging import ACK_DELAY, Acknowledger
from chatd.client.library.connection import Connection
from chatd.client.library.followed_log import FollowedLogs
from chatd.codecs import v1_messages as c


class FakeConnection:
    """A connection that records the messages that are sent."""

    def __init__(self) -> None:
        self.sent: list[c.Message] = []

    def send(self, message: c.Message) -> None:
        """Record a message."""
        self.sent.append(message)


class AcknowledgerTests(SynchronousTestCase):
    """An account with a mailbox and a room."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.logs = FollowedLogs([])
        for name in ("@ann", "#den"):
            self.logs.follow(c.LogState(name, 5, 0, 0, 0))
        self.connection = FakeConnection()
        self.acknowledger = Acknowledger(self.logs, self.clock)
        self.acknowledger.connection = cast("Connection", self.connection)

    def handle(self, name: str, seq: int) -> None:
        """Handle an entry."""
        self.logs.by_name[name].handled = seq
        self.acknowledger.schedule()

    def test_entries_are_acknowledged_together(self) -> None:
        """One message for each log, `ACK_DELAY` after the first entry."""
        self.handle("@ann", 1)
        self.clock.advance(ACK_DELAY / 2)
        self.handle("@ann", 2)
        self.handle("#den", 7)
        self.assertEqual(self.connection.sent, [])
        self.clock.advance(ACK_DELAY / 2)
        self.assertEqual(
            self.connection.sent, [c.Ack(0, "@ann", 2, since=5), c.Ack(0, "#den", 7, since=5)]
        )
        self.handle("@ann", 3)
        self.clock.advance(ACK_DELAY)
        self.assertEqual(self.connection.sent[2:], [c.Ack(0, "@ann", 3, since=5)])

    def test_flush_acknowledges_at_once(self) -> None:
        """It replaces the scheduled acknowledgement; nothing is acknowledged twice."""
        self.handle("@ann", 1)
        self.acknowledger.flush()
        self.acknowledger.flush()
        self.assertEqual(self.connection.sent, [c.Ack(0, "@ann", 1, since=5)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_connection_acknowledgements_wait(self) -> None:
        """They are sent with the next one."""
        connection, self.acknowledger.connection = self.acknowledger.connection, None
        self.handle("@ann", 1)
        self.clock.advance(ACK_DELAY)
        self.assertEqual(self.connection.sent, [])
        self.acknowledger.connection = connection
        self.acknowledger.flush()
        self.assertEqual(self.connection.sent, [c.Ack(0, "@ann", 1, since=5)])

    def test_cancel_stops_the_timer(self) -> None:
        """Nothing is sent."""
        self.handle("@ann", 1)
        self.acknowledger.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connection.sent, [])
