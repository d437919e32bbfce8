"""Times and dates in the output for people."""

from __future__ import annotations

from datetime import UTC

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.output.plain import PlainOutput
from chatd.codecs import v1_messages as c
from tests.doubles.client import SINCE
from tests.doubles.screen import FakeScreen

DAY = 24 * 60 * 60 * 1000
"""milliseconds"""


class TimeTests(SynchronousTestCase):
    """The clock shows 1 January 2026, 00:00 UTC."""

    def setUp(self) -> None:
        self.screen = FakeScreen(True)
        self.now = SINCE
        self.cache = MessageCache()
        self.cache.account = "alice"
        self.output = PlainOutput(
            self.screen, self.cache, Clock(), lambda: self.now, times=True, zone=UTC
        )

    def at(self, time: int) -> c.Pushed:
        """An entry of this time."""
        return c.Pushed("#lobby", 1, 1, time, "bob", "text", "hi")

    def test_entries_have_their_own_time_and_new_dates_a_line(self) -> None:
        """The time of the entry, not of its arrival."""
        minutes = 60_000
        for time in (SINCE + 5 * minutes, SINCE - minutes, SINCE + 6 * minutes, SINCE + DAY):
            self.output.entry(self.at(time))
        self.assertEqual(
            self.screen.lines,
            [
                "00:05 #lobby <bob> hi",
                "--- Wednesday, 31 December 2025 ---",
                "23:59 #lobby <bob> hi",
                "--- Thursday, 1 January 2026 ---",
                "00:06 #lobby <bob> hi",
                "--- Friday, 2 January 2026 ---",
                "00:00 #lobby <bob> hi",
            ],
        )

    def test_events_have_the_current_time(self) -> None:
        """They have no time of their own."""
        self.now += 3_600_000
        self.output.event(c.Presence(c.Person("bob", "on")))
        self.assertEqual(self.screen.lines, ["01:00 * bob is online"])

    def test_time_out_of_range_is_shown_as_dashes(self) -> None:
        """A server may send any number."""
        self.output.entry(self.at(2**52))
        self.assertEqual(self.screen.lines[-1], "--:-- #lobby <bob> hi")
