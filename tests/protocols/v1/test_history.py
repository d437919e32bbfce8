"""Version 1: reading a log again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.doubles.v1_clients import MainPortServer


class History(SynchronousTestCase):
    """Bob's mailbox has ten messages of Ann."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.ann = self.server.log_in("Ann")
        self.bob = self.server.log_in("bob")
        for number in range(10):
            self.ann.request(c.Send(0, "bob", str(number)))

    def page(self, after: int, before: int, limit: int) -> tuple[str, bool]:
        """The bodies of a page of Bob's mailbox, and whether there are more."""
        page = self.bob.request(c.History(0, "@bob", after, before, limit))
        return "".join(entry.body for entry in page.entries), page.more

    def test_pages_forwards_and_backwards(self) -> None:
        """Entries are in the order of the log; `more` is about the direction of reading."""
        self.assertEqual(self.page(0, 0, 4), ("0123", True))
        self.assertEqual(self.page(4, 0, 100), ("456789", False))
        self.assertEqual(self.page(4, 0, 0), ("4", True), "0 counts as 1")
        self.assertEqual(self.page(0, 11, 4), ("6789", True))
        self.assertEqual(self.page(0, 7, 100), ("012345", False))

    def test_items_have_all_fields_of_their_entries(self) -> None:
        """They are the same as in `Pushed`."""
        self.bob.request(c.React(0, "@bob", 10, "+1"))
        self.ann.request(c.Edit(0, "@bob", 10, "nine"))
        pushed = self.bob.receive_events(c.Pushed)[-1]
        item = self.bob.request(c.History(0, "@bob", 10)).entries[-1]
        self.assertEqual(
            (item.seq, item.id, item.time, item.sender, item.kind, item.body, item.about),
            (
                pushed.seq,
                pushed.id,
                pushed.time,
                pushed.sender,
                pushed.kind,
                pushed.body,
                pushed.about,
            ),
        )
        self.assertEqual((item.kind, item.body), ("edit", "nine"))

    def test_mailbox_of_another_account_is_refused(self) -> None:
        """It is as unknown as one that does not exist."""
        self.assertEqual(self.ann.refusal_code(c.History(0, "@bob")), "unknown-log")

    def test_pages_of_long_texts_have_fewer_entries(self) -> None:
        """A page read backwards has the latest ones."""
        for _ in range(9):
            self.ann.request(c.Send(0, "bob", "x" * 65_000))
        page = self.bob.request(c.History(0, "@bob", 0, 99, 100))
        self.assertEqual(
            ([entry.seq for entry in page.entries], page.more), ([16, 17, 18, 19], True)
        )


class Clearing(SynchronousTestCase):
    """Bob's mailbox is full of Ann's messages."""

    def setUp(self) -> None:
        self.server = MainPortServer(mailbox_bytes=2_000)
        self.ann = self.server.log_in("Ann")
        self.bob = self.server.log_in("bob")
        for number in range(10):
            self.ann.request(c.Send(0, "bob", "x" * 50, str(number)))
        self.assertEqual(self.ann.refusal_code(c.Send(0, "bob", "full", "a")), "mailbox-full")

    def seqs(self) -> list[int]:
        """The seqs of the entries in the mailbox."""
        return [entry.seq for entry in self.bob.request(c.History(0, "@bob")).entries]

    def test_owner_makes_room(self) -> None:
        """Of what is acknowledged, as much as the owner wants."""
        self.bob.request(c.Ack(1, "@bob", 8))
        self.bob.request(c.ClearMailbox(0, 3))
        self.assertEqual(self.seqs(), [4, 5, 6, 7, 8, 9, 10])
        self.assertEqual(self.ann.request(c.Send(0, "bob", "room", "b")).seq, 11)
        self.bob.request(c.ClearMailbox(0, 2**53 - 1))
        self.assertEqual(self.seqs(), [9, 10, 11], "those that wait stay")

    def test_entries_that_wait_are_not_removed(self) -> None:
        """Nor those that another session has still to be sent."""
        self.bob.request(c.ClearMailbox(0, 10))
        self.assertEqual(len(self.seqs()), 10)
        self.bob.request(c.Ack(1, "@bob", 10))
        (since,) = {s.created for s in self.server.realm.sessions.all() if s.name == "bob"}
        slow = self.server.connect()
        slow.transport.capacity = 0
        slow.send(c.LogIn(1, "bob", None, [c.Position("@bob", since, 4)]))
        self.server.clock.advance(0)
        self.bob.request(c.ClearMailbox(0, 10))
        self.assertEqual(self.seqs(), [5, 6, 7, 8, 9, 10])
