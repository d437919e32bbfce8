"""Entries that this account has written to other mailboxes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.message_cache import CachedMessage
from chatd.client.cli.outbox import KeyedRequest
from chatd.client.cli.own_entries import accepted_here, sent_elsewhere
from chatd.codecs import v1_messages as c

ANSWER = c.Accepted(0, "@bob", 7, 70, 700)
MESSAGE = CachedMessage("@bob", 3, 30, 300, "alice", "hi")


class OwnEntriesTests(SynchronousTestCase):
    """Entries of the account alice in Bob's mailbox."""

    def test_entry_of_another_session_has_the_account_as_sender(self) -> None:
        """The other fields are those of the event."""
        self.assertEqual(
            sent_elsewhere(c.Sent("@bob", 7, 70, 700, "edit", "ho", 30), "alice"),
            c.Pushed("@bob", 7, 70, 700, "alice", "edit", "ho", 30),
        )

    def test_accepted_message_is_an_entry_about_no_other(self) -> None:
        """Its log, seq, id and time are those of the answer."""
        self.assertEqual(
            accepted_here(c.Send(0, "Bob", "hi"), ANSWER, None, "alice"),
            c.Pushed("@bob", 7, 70, 700, "alice", "text", "hi", 0),
        )

    def test_accepted_change_is_an_entry_about_its_message(self) -> None:
        """An edit, a deletion, a reaction, and the removal of a reaction."""
        cases: list[tuple[KeyedRequest, str, str]] = [
            (c.Edit(0, "@bob", 3, "ho"), "edit", "ho"),
            (c.Retract(0, "@bob", 3), "delete", ""),
            (c.React(0, "@bob", 3, "+1"), "reaction", "+1"),
            (c.React(0, "@bob", 3, ""), "reaction", ""),
        ]
        for request, kind, body in cases:
            self.assertEqual(
                accepted_here(request, ANSWER, MESSAGE, "alice"),
                c.Pushed("@bob", 7, 70, 700, "alice", kind, body, 30),
            )

    def test_change_of_an_unknown_message_has_no_id(self) -> None:
        """A program can change messages that this client has not shown."""
        entry = accepted_here(c.Retract(0, "@bob", 3), ANSWER, None, "alice")
        self.assertEqual(entry.about, 0)
