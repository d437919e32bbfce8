"""The commands for the moderation of rooms: bans and silenced members."""

from __future__ import annotations

from chatd.client.cli.output import wording
from chatd.codecs import v1_messages as c
from tests.doubles.chat import CommandTestCase, RequestCase
from tests.doubles.client import SINCE

CASES: list[RequestCase] = [
    ("/ban bob", [c.Ban(0, "#lobby", "bob", 0, "")]),
    ("/ban spam* for 2h too  loud", [c.Ban(0, "#lobby", "spam*", 7200, "too  loud")]),
    ("/ban bob for 7d", [c.Ban(0, "#lobby", "bob", 604_800, "")]),
    ("/ban bob for 2w", [c.Ban(0, "#lobby", "bob", 1_209_600, "")]),
    ("/ban bob for shouting", [c.Ban(0, "#lobby", "bob", 0, "for shouting")]),
    ("/ban #garden bob for 2h #spam", [c.Ban(0, "#garden", "bob", 7200, "#spam")]),
    ("/unban spam*", [c.Unban(0, "#lobby", "spam*")]),
    ("/unban bob #garden", [c.Unban(0, "#garden", "bob")]),
    ("/bans", [c.FindBans(0, "#lobby")]),
    ("/bans #garden", [c.FindBans(0, "#garden")]),
    ("/silence bob for 90s", [c.Silence(0, "#lobby", "bob", 90, "")]),
    ("/silence bob off topic", [c.Silence(0, "#lobby", "bob", 0, "off topic")]),
    ("/silence #garden bob for 90s", [c.Silence(0, "#garden", "bob", 90, "")]),
    ("/unsilence bob", [c.Unsilence(0, "#lobby", "bob")]),
    ("/silenced", [c.FindSilenced(0, "#lobby")]),
]


class ModerationTests(CommandTestCase):
    """A person in the lobby."""

    def test_commands_send_their_requests(self) -> None:
        """A time is a number and a unit after ``for``; the rest is the reason."""
        self.check_requests(CASES)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """Nothing is requested."""
        self.check_usage(
            "/ban",
            "/ban #lobby",
            "/ban #lobby #garden",
            "/ban bob for 10",
            "/ban bob for",
            "/unban",
            "/bans bob",
            "/silence",
            "/silence #lobby",
            "/unsilence",
        )

    def test_lists_are_printed_page_by_page(self) -> None:
        """Each restriction with its end, rounded up to the minute, the moderator and the reason."""
        ends = f"{wording.date(SINCE)} {wording.time_of_day(SINCE)}"
        self.client.answers[c.FindBans] = [
            c.Restrictions(0, [c.Restriction("bob", "Ann", 5, SINCE - 59_999, "")], True),
            c.Restrictions(0, [c.Restriction("spam*", "Ann", 5, 0, "too loud")]),
        ]
        self.assertEqual(
            self.type("/bans"), [f"bob until {ends}, by Ann", "spam*, by Ann: too loud"]
        )
        self.assertEqual(self.requests(), [c.FindBans(0, "#lobby"), c.FindBans(0, "#lobby", "bob")])

    def test_empty_lists_are_a_note(self) -> None:
        """A script gets no line."""
        self.assertEqual(
            self.type("/bans", "/silenced"), ["(Nothing is banned.)", "(No member is silenced.)"]
        )
