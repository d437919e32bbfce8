"""Times, days, colours, and the memory of what was cache."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.message_cache import MessageCache, conversation_of
from chatd.client.cli.output import style as styling
from chatd.client.cli.output import wording
from chatd.client.cli.output.plain import PlainOutput
from chatd.client.cli.output.style import DIM, Span
from chatd.codecs import v1_messages as c
from tests.doubles.client import SINCE, pushed
from tests.doubles.screen import FakeScreen

DAY = 24 * 60 * 60 * 1000


class TimeTests(SynchronousTestCase):
    """New Year's Day 2026, midnight, in UTC."""

    def setUp(self) -> None:
        self.screen = FakeScreen(True)
        self.clock = Clock()
        self.clock.advance(SINCE / 1000)
        self.cache = MessageCache()
        self.cache.account = "alice"
        self.output = PlainOutput(self.screen, self.cache, self.clock, times=True, zone=UTC)

    def at(self, time: int) -> c.Pushed:
        """An entry of this time."""
        return c.Pushed("#lobby", 1, 1, time, "bob", "text", "hi")

    def test_times(self) -> None:
        """Of the entry, not of its coming; a line tells when the day changes."""
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

    def test_now(self) -> None:
        """Events without a time happen now."""
        self.clock.advance(3600)
        self.output.event(c.Presence(c.Person("bob", "on")))
        self.assertEqual(self.screen.lines, ["01:00 * bob is online"])

    def test_no_time(self) -> None:
        """A server may say anything."""
        self.output.entry(self.at(2**52))
        self.assertEqual(self.screen.lines[-1], "--:-- #lobby <bob> hi")

    def test_zone(self) -> None:
        """Times are those of the place where one is."""
        self.assertEqual(
            wording.time_of_day(SINCE, timezone(timedelta(hours=5, minutes=30))), "05:30"
        )


class WordingTests(SynchronousTestCase):
    """Answers, and what looks how."""

    def text(self, line: styling.StyledLine | None) -> str:
        """Without colours."""
        assert line is not None
        return "".join(span.text for span in line)

    def test_people(self) -> None:
        """How they are."""
        for person, text in (
            (c.Person("bob", "on"), "bob is online"),
            (c.Person("bob", "away"), "bob is away"),
            (c.Person("bob", "away", "lunch"), "bob is away: lunch"),
            (c.Person("bob", "off"), "bob is offline"),
            (c.Person("bob", "unknown"), "there is no account bob"),
        ):
            self.assertEqual(self.text(wording.person(person)), text)
        self.assertRegex(
            self.text(wording.person(c.Person("bob", "off", "", SINCE))), r"last seen 20\d\d-"
        )

    def test_quoted(self) -> None:
        """The begin, in one line."""
        self.assertEqual(wording.quoted(" a\n\tb "), '"a b"')
        self.assertEqual(len(wording.quoted("x" * 1000)), 42)
        self.assertTrue(wording.quoted("x" * 1000).endswith('..."'))

    def test_receipts(self) -> None:
        """Small."""
        cache = MessageCache()
        self.assertEqual(
            self.text(wording.receipt("@bob", "delivered", 1, cache)), "(delivered to bob)"
        )
        self.assertEqual(
            self.text(wording.receipt("@bob", "read", 3, cache)), "(3 messages read by bob)"
        )
        state = c.ReceiptState(1, True, False)
        self.assertEqual(wording.receipt_state(state, "hi"), 'delivered: "hi"')

    def test_styles(self) -> None:
        """Our own texts and notices are dim; a name always has the same colour, whatever its
        case."""
        cache = MessageCache()
        cache.account = "alice"
        own = wording.entry(pushed("#lobby", "alice", "hi"), cache)
        assert own is not None
        self.assertEqual({span.style for span in own}, {DIM})
        other = wording.entry(pushed("#lobby", "bob", "hi"), cache)
        assert other is not None
        self.assertIn(styling.name_span("bob"), other)
        self.assertEqual(styling.name_span("BOB").style, styling.name_span("bob").style)
        self.assertEqual(styling.styled_text("x", DIM), "\x1b[2mx\x1b[0m")
        self.assertEqual(styling.styled_text("x", Span("").style), "x")

    def test_wanted(self) -> None:
        """https://no-color.org"""
        for environment, wanted in (
            ({"TERM": "xterm"}, True),
            ({"TERM": "xterm", "NO_COLOR": ""}, True),
            ({"TERM": "xterm", "NO_COLOR": "1"}, False),
            ({"TERM": "dumb"}, False),
            ({}, False),
        ):
            self.assertEqual(styling.colours_wanted(environment), wanted)


class MessageCacheTests(SynchronousTestCase):
    """Conversations."""

    def setUp(self) -> None:
        self.cache = MessageCache()
        self.cache.account = "alice"

    def test_conversation(self) -> None:
        """What they said and what we said, in order of time, each once."""
        theirs = pushed("@alice", "Bob", "one", seq=1, id=11)
        ours = pushed("@bob", "alice", "two", seq=2, id=12)
        for entry in (ours, theirs, theirs, pushed("@alice", "carl", "x", seq=3, id=13)):
            self.cache.add(entry)
        place = conversation_of("BOB")
        self.assertEqual([said.text for said in self.cache.messages(place)], ["one", "two"])
        self.assertEqual(
            [said.text for said in self.cache.messages(place, sender="Alice")], ["two"]
        )
        self.assertEqual(self.cache.display_name("@bob"), "Bob")
        self.assertEqual(self.cache.display_name("@nobody"), "nobody")

    def test_changed(self) -> None:
        """The latest edit counts, whenever it is cache; what is deleted is gone."""
        self.cache.add(pushed("#lobby", "bob", "a", seq=1, id=11))
        for seq, text in ((3, "c"), (2, "b")):
            self.cache.add(pushed("#lobby", "bob", text, "edit", seq=seq, about=11))
        (said,) = self.cache.messages("#lobby")
        self.assertEqual((said.text, said.current_text), ("c", "c (edited)"))
        self.cache.add(pushed("#lobby", "bob", "", "delete", seq=4, about=11))
        self.assertEqual(self.cache.messages("#lobby"), [])
        self.assertEqual(said.current_text, "(deleted)")

    def test_bound(self) -> None:
        """Only the latest are remembered."""
        for seq in range(1, 1001):
            self.cache.add(pushed("#lobby", "bob", str(seq), seq=seq))
        said = self.cache.messages("#lobby")
        self.assertEqual((len(said), said[0].text), (500, "501"))
        self.assertIsNone(self.cache.get(1))
