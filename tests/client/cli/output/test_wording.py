"""The sentences for answers, receipts and times."""

from __future__ import annotations

from datetime import timedelta, timezone

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.output import style as styling
from chatd.client.cli.output import wording
from chatd.codecs import v1_messages as c
from tests.doubles.client import SINCE


class WordingTests(SynchronousTestCase):
    """Sentences."""

    def text(self, line: styling.StyledLine | None) -> str:
        """The text of a line, without styles."""
        assert line is not None
        return "".join(span.text for span in line)

    def test_presence_of_an_account(self) -> None:
        """Each status has a sentence."""
        for person, text in (
            (c.Person("bob", "on"), "bob is online"),
            (c.Person("bob", "away"), "bob is away"),
            (c.Person("bob", "away", "lunch"), "bob is away: lunch"),
            (c.Person("bob", "off"), "bob is offline"),
            (c.Person("bob", "unknown"), "There is no account called bob."),
        ):
            self.assertEqual(self.text(wording.person(person)), text)
        self.assertRegex(
            self.text(wording.person(c.Person("bob", "off", "", SINCE))), r"last seen 20\d\d-"
        )

    def test_quotation_is_one_short_line(self) -> None:
        """Long texts are cut."""
        self.assertEqual(wording.quoted(" a\n\tb "), '"a b"')
        self.assertEqual(len(wording.quoted("x" * 1000)), 42)
        self.assertTrue(wording.quoted("x" * 1000).endswith('..."'))

    def test_announcement_names_the_operator(self) -> None:
        """It is not an entry of any log."""
        self.assertEqual(
            self.text(wording.event(c.Announcement(5, "Noon."), MessageCache())),
            "* announcement by the operator: Noon.",
        )

    def test_receipts_name_the_recipient(self) -> None:
        """If there are several messages, the sentence contains their number."""
        cache = MessageCache()
        self.assertEqual(
            self.text(wording.receipt("@bob", "delivered", 1, cache)), "(delivered to bob)"
        )
        self.assertEqual(
            self.text(wording.receipt("@bob", "read", 3, cache)), "(3 messages read by bob)"
        )
        state = c.ReceiptState(1, True, False)
        self.assertEqual(wording.receipt_state(state, "hi"), 'delivered: "hi"')

    def test_time_of_day_depends_on_the_zone(self) -> None:
        """Half-hour zones exist."""
        self.assertEqual(
            wording.time_of_day(SINCE, timezone(timedelta(hours=5, minutes=30))), "05:30"
        )
