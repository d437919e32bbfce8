"""Events are printed, and change what the client knows."""

from __future__ import annotations

from chatd.client.cli.output import wording
from chatd.client.library.events import Connected, Disconnected, Overflow, Retrying
from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase
from tests.doubles.client import SINCE, pushed, state

ENDS = f"{wording.date(SINCE)} {wording.time_of_day(SINCE)}"
"""the time `SINCE` as users read it"""


class EventTests(ChatTestCase):
    """A person in the lobby."""

    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def test_each_kind_of_entry_has_a_sentence(self) -> None:
        """An entry about a known message quotes it; an unknown kind is not shown."""
        for entry, line in (
            (pushed("@alice", "bob", "psst", seq=1, id=10), "bob: psst"),
            (
                pushed("@alice", "bob", "psst!", "edit", seq=2, about=10),
                '* bob edited "psst": psst!',
            ),
            (
                pushed("@alice", "bob", "X", "reaction", seq=3, about=99),
                "* bob reacted X to an earlier message",
            ),
            (
                pushed("@alice", "bob", "#Garden", "invite", seq=4),
                "* bob invites you to #Garden: /join #Garden",
            ),
            (pushed("@alice", "bob", "?", "from the future", seq=5), None),
            (pushed("#lobby", "carl", "", "join", seq=1), "* carl joined #lobby"),
            (pushed("#lobby", "carl", "hi\nyou", seq=2, id=20), "#lobby <carl> hi\nyou"),
            (
                pushed("#lobby", "bob", "+1", "reaction", seq=3, about=20),
                '* bob reacted +1 to carl\'s "hi you" in #lobby',
            ),
            (
                pushed("#lobby", "bob", "", "reaction", seq=4, about=20),
                '* bob removed a reaction to carl\'s "hi you" in #lobby',
            ),
            (
                pushed("#lobby", "bob", "Frost", "topic", seq=5),
                "* bob set the topic of #lobby: Frost",
            ),
            (pushed("#lobby", "bob", "", "topic", seq=6), "* bob removed the topic of #lobby"),
            (pushed("#lobby", "bob", "private", "access", seq=7), "* bob made #lobby private"),
            (
                pushed("#lobby", "bob", "all", "history", seq=7),
                "* bob lets members of #lobby read all messages",
            ),
            (
                pushed("#lobby", "bob", "joined", "history", seq=7),
                "* bob lets members of #lobby read the messages since they joined",
            ),
            (
                pushed("#lobby", "server", "", "restore", seq=7),
                "* server restored #lobby, which was deleted",
            ),
            (
                pushed("#lobby", "bob", "slow 30", "setting", seq=7),
                "* bob set slow mode in #lobby: one message in 30 s",
            ),
            (
                pushed("#lobby", "bob", "slow 0", "setting", seq=7),
                "* bob ended slow mode in #lobby",
            ),
            (
                pushed("#lobby", "bob", "read-only on", "setting", seq=7),
                "* bob made #lobby read-only",
            ),
            (
                pushed("#lobby", "bob", "read-only off", "setting", seq=7),
                "* bob lets all members send to #lobby again",
            ),
            (
                pushed("#lobby", "bob", "invite moderators", "setting", seq=7),
                "* bob lets only moderators invite to #lobby",
            ),
            (
                pushed("#lobby", "bob", "invite members", "setting", seq=7),
                "* bob lets all members invite to #lobby",
            ),
            (
                pushed("#lobby", "bob", "unlisted on", "setting", seq=7),
                "* bob took #lobby out of the list of rooms",
            ),
            (
                pushed("#lobby", "bob", "unlisted off", "setting", seq=7),
                "* bob put #lobby into the list of rooms",
            ),
            (
                pushed("#lobby", "bob", "pace 7", "setting", seq=7),
                "* bob set pace of #lobby to 7",
            ),
            (
                pushed("#lobby", "bob", "sp* 0 too loud", "ban", seq=7),
                "* bob banned sp* from #lobby: too loud",
            ),
            (
                pushed("#lobby", "bob", f"carl {SINCE - 59_999} 7", "silence", seq=7),
                f"* bob silenced carl in #lobby until {ENDS}: 7",
            ),
            (
                pushed("#lobby", "bob", "carl 0", "silence", seq=7),
                "* bob silenced carl in #lobby",
            ),
            (pushed("#lobby", "bob", "sp*", "unban"), "* bob ended the ban of sp* from #lobby"),
            (
                pushed("#lobby", "bob", "carl", "unsilence"),
                "* bob lets carl send to #lobby again",
            ),
            (
                pushed("#lobby", "bob", "carl moderator", "role", seq=8),
                "* bob changed the role of carl in #lobby to moderator",
            ),
            (pushed("#lobby", "bob", "carl", "kick", seq=9), "* bob kicked carl from #lobby"),
            (pushed("#lobby", "bob", "", "leave", seq=10), "* bob left #lobby"),
        ):
            self.client.tell(entry)
            self.assertEqual(self.printed(), [line] if line else [], entry)

    def test_notice_of_a_deletion_shows_the_message_without_its_text(self) -> None:
        """It names sender and time, with the date of a message from an earlier day. A reaction that
        is removed later does not show the text either."""
        for entry, line in (
            (pushed("#lobby", "carl", "secret", seq=1, id=20), "#lobby <carl> secret"),
            (pushed("#lobby", "alice", "mine", seq=2, id=21), "#lobby <alice> mine"),
            (
                pushed("#lobby", "carl", "", "delete", seq=3, about=20),
                "* carl deleted their message of 00:00 in #lobby",
            ),
            (
                pushed("#lobby", "bob", "", "delete", seq=86_400, about=20),
                "* bob deleted carl's message of 2026-01-01 00:00 in #lobby",
            ),
            (
                pushed("#lobby", "bob", "", "delete", seq=86_401, about=21),
                "* bob deleted your message of 2026-01-01 00:00 in #lobby",
            ),
            (
                pushed("#lobby", "carl", "", "delete", seq=86_402, about=99),
                "* carl deleted an earlier message in #lobby",
            ),
            (
                pushed("#lobby", "bob", "", "reaction", seq=86_403, about=20),
                "* bob removed a reaction to carl's message of 2026-01-01 00:00 in #lobby",
            ),
        ):
            self.client.tell(entry)
            self.assertEqual(self.printed(), [line], entry)

    def test_messages_of_other_sessions_are_shown_and_can_be_edited(self) -> None:
        """Private ones are pushed as `Sent`, those in rooms as `Pushed`."""
        self.client.tell(c.Sent("@bob", 7, 70, SINCE, "text", "from my phone"))
        self.assertEqual(self.printed(), ["-> bob: from my phone"])
        self.client.answers[c.Who] = c.People(0, [c.Person("bob", "on")])
        self.type("/to bob", "/edit from my desk")
        self.assertEqual(self.requests()[-1], c.Edit(0, "@bob", 7, "from my desk"))
        self.client.tell(pushed("#lobby", "alice", "me too"))
        self.assertEqual(self.printed()[-1], "#lobby <alice> me too")

    def test_room_messages_of_blocked_accounts_are_hidden(self) -> None:
        """Joining and leaving are shown; typing is not."""
        self.client.answers[c.GetBlocked] = c.Names(0, ["Carl"])
        self.client.tell(Connected())
        self.printed()
        self.client.tell(
            pushed("#lobby", "carl", "spam"), pushed("#lobby", "carl", "", "leave", seq=2)
        )
        self.assertEqual(self.printed(), ["* carl left #lobby"])
        self.type("/unblock carl")
        self.client.tell(pushed("#lobby", "carl", "sorry", seq=3))
        self.assertEqual(self.printed()[-1], "#lobby <carl> sorry")
        self.type("/block carl")
        self.client.tell(pushed("#lobby", "carl", "spam", seq=4), c.Typing("#lobby", "carl", True))
        self.assertEqual(self.printed()[1:], [])
        self.assertEqual(self.screen.prompt, "#lobby> ")

    def test_each_event_has_a_sentence(self) -> None:
        """Repeated disconnections are printed once, and so are repeated refusals for now."""
        for event, lines in (
            (c.Presence(c.Person("bob", "away", "lunch")), ["* bob is away: lunch"]),
            (c.Presence(c.Person("bob", "off", "", SINCE)), None),
            (c.Joined(state("#garden")), []),
            (
                Disconnected("Timed out.", 1.0),
                ["* the connection is lost (Timed out); reconnecting"],
            ),
            (Disconnected("The connection was lost.", 2.0), []),
            (Connected(), ["* reconnected"]),
            (
                Disconnected("The connection was lost.", 1.0),
                ["* the connection is lost; reconnecting"],
            ),
            (Connected(), ["* reconnected"]),
            (
                Retrying("busy", "Try again later.", 1.0),
                ["* messages are not stored for now (Try again later); retrying"],
            ),
            (Retrying("busy", "Try again later.", 2.0), []),
            (
                Overflow(typing=7),
                ["* some notifications were dropped, because too many arrived"],
            ),
            (
                c.Goodbye("stopping", "The server stops."),
                ["* message from the server: The server stops."],
            ),
        ):
            self.client.tell(event)
            shown = self.printed()
            if lines is not None:
                self.assertEqual(shown, lines)

    def test_receipts_are_summarized_after_a_delay(self) -> None:
        """Receipts of edits are not shown."""
        self.type("/msg bob one", "/msg bob two")
        self.client.tell(
            c.Receipt("@bob", "delivered", [1, 2]), c.Receipt("@bob", "delivered", [3])
        )
        self.client.tell(c.Receipt("@bob", "read", [1]), c.Receipt("@alice", "read", [5]))
        self.assertEqual(self.printed(), [])
        self.clock.advance(3)
        self.assertEqual(self.printed(), ["(read by bob)", "(delivered to bob)"])

    def test_shown_entries_are_marked_as_read_after_a_delay(self) -> None:
        """Each log has one request."""
        self.client.tell(
            pushed("@alice", "bob", "one", seq=1), pushed("@alice", "bob", "two", seq=2)
        )
        self.client.tell(pushed("#lobby", "bob", "x", seq=1))
        self.assertEqual(self.requests(), [])
        self.clock.advance(1)
        self.assertEqual(self.requests(), [c.MarkRead(0, "@alice", 2), c.MarkRead(0, "#lobby", 1)])
