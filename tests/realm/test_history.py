"""History: pages of a log, forwards and backwards, and single entries."""

from __future__ import annotations

import msgspec

from chatd.core.errors import BadRequest, UnknownEntry, UnknownLog
from chatd.realm.membership import MembershipRecord
from chatd.realm.room import RoomRecord
from chatd.stores import PAGE_BYTES
from tests.realm.case import AckRealmCase


class Pages(AckRealmCase):
    """Reading a log page by page."""

    def page(
        self, after: int = 0, before: int = 0, limit: int = 10, log: str = "@ann"
    ) -> tuple[list[int], bool]:
        """The seqs of a page of a log that Ann reads, and whether there are more."""
        entries, more = self.harness.run(
            self.realm.history.page(self.ann, log, after, before, limit)
        )
        return [entry.seq for entry in entries], more

    def test_pages_forwards_have_the_entries_after_a_seq(self) -> None:
        """The last page says that there are no more."""
        self.send(self.bob, "ann", *"abcde")
        self.assertEqual(self.page(after=0, limit=3), ([1, 2, 3], True))
        self.assertEqual(self.page(after=3, limit=3), ([4, 5], False))
        self.assertEqual(self.page(after=3, limit=2), ([4, 5], False))
        self.assertEqual(self.page(after=5), ([], False))
        self.assertEqual(self.page(after=99), ([], False))

    def test_pages_backwards_have_the_last_entries_before_a_seq(self) -> None:
        """A page backwards has its entries in the order in which they were sent."""
        self.send(self.bob, "ann", *"abcde")
        self.assertEqual(self.page(before=6, limit=3), ([3, 4, 5], True))
        self.assertEqual(self.page(before=3, limit=3), ([1, 2], False))
        self.assertEqual(self.page(before=3, limit=2), ([1, 2], False))
        self.assertEqual(self.page(before=1), ([], False))
        self.assertEqual(self.page(before=99, limit=2), ([4, 5], True))

    def test_long_page_backwards_is_read_in_several_reads(self) -> None:
        """No entry is missing or repeated where two reads meet."""
        self.send(self.bob, "ann", *["x"] * 100)
        self.assertEqual(self.page(before=100, limit=70), (list(range(30, 100)), True))

    def test_page_has_at_least_one_entry(self) -> None:
        """A limit of zero or less counts as one."""
        self.send(self.bob, "ann", *"abc")
        for limit in (0, -1):
            self.assertEqual(self.page(limit=limit), ([1], True))
            self.assertEqual(self.page(before=4, limit=limit), ([3], True))

    def test_page_of_long_texts_is_short(self) -> None:
        """A page has no more text than about `PAGE_BYTES`, in both directions."""
        size = 60_000
        self.send(self.bob, "ann", *["x" * size] * 10)
        count = PAGE_BYTES // size
        self.assertEqual(self.page(), (list(range(1, count + 1)), True))
        self.assertEqual(self.page(before=11), (list(range(11 - count, 11)), True))

    def test_trimmed_entries_are_not_in_a_page(self) -> None:
        """A page backwards ends at the first entry that is left."""
        self.send(self.bob, "ann", *"abcde")
        self.result(self.store.trim(self.log("@ann"), 2))
        self.assertEqual(self.page(limit=2), ([3, 4], True))
        self.assertEqual(self.page(before=5, limit=2), ([3, 4], False))
        self.assertEqual(self.page(before=3), ([], False))

    def test_log_that_is_not_followed_is_refused(self) -> None:
        """Other mailboxes and rooms without membership cannot be read."""
        for log in ("@bob", "#lobby", "@nemo", ""):
            self.refuse(UnknownLog, self.realm.history.page(self.ann, log, 0, 0, 10))

    def test_members_read_the_history_before_they_joined(self) -> None:
        """All of a room's history is open to its members."""
        self.create_room(self.bob)
        self.send(self.bob, "#room", "before")
        self.run_now(self.realm.rooms.join(self.ann, "#room"))
        self.assertEqual(self.page(log="#room"), ([1, 2, 3], False))


class SinceJoining(AckRealmCase):
    """A room whose history is ``joined``: bob owns it, and Ann joins later. Entry 1 is his joining,
    2 and 3 are texts, 4 and 5 Ann's invitation to a private room and her joining."""

    def set_history(self, history: str) -> None:
        """Let bob set what members can read."""
        self.run_now(self.realm.rooms.set_history(self.bob, "#room", history))

    def page(self, after: int = 0, before: int = 0, limit: int = 10) -> tuple[list[int], bool]:
        """The seqs of a page that Ann reads, and whether there are more."""
        entries, more = self.harness.run(
            self.realm.history.page(self.ann, "#room", after, before, limit)
        )
        return [entry.seq for entry in entries], more

    def join(self, private: bool = False) -> None:
        """Bob writes two texts, and Ann joins the room."""
        self.create_room(self.bob, private=private)
        self.send(self.bob, "#room", "one", "two")
        if private:
            self.run_now(self.realm.rooms.invite(self.bob, "#room", "Ann"))
        else:
            self.set_history("joined")
        self.run_now(self.realm.rooms.join(self.ann, "#room"))

    def test_pages_begin_where_the_member_joined(self) -> None:
        """In both directions; the owner reads everything."""
        self.join()
        self.assertEqual(self.page(), ([5], False))
        self.assertEqual(self.page(after=2), ([5], False))
        self.assertEqual(self.page(before=9), ([5], False))
        self.assertEqual(self.page(before=5), ([], False))
        entries, _ = self.harness.run(self.realm.history.page(self.bob, "#room", 0, 0, 10))
        self.assertEqual(len(entries), 5)

    def test_private_room_shows_what_is_sent_after_joining(self) -> None:
        """Without being set; a room that is made private as well."""
        self.join(private=True)
        self.assertEqual(self.page(), ([4], False))
        self.set_history("all")
        self.assertEqual(self.page(), ([1, 2, 3, 4, 5], False))
        self.run_now(self.realm.rooms.set_private(self.bob, "#room", False))
        self.assertEqual(self.page(after=5), ([6], False))
        self.run_now(self.realm.rooms.set_private(self.bob, "#room", True))
        self.run_now(self.realm.rooms.set_private(self.bob, "#room", False))
        self.assertEqual(self.page(), ([4, 5, 6, 7, 8], False))

    def test_positions_from_before_joining_show_nothing_from_then(self) -> None:
        """A client that was a member before may give one."""
        self.join()
        session, peer = self.login("Ann", {"#room": 0})
        self.run_now(session.catch_up())
        self.assertEqual([row[0] for row in peer.logs["#room"]], [5])

    def test_what_is_committed_while_an_account_joins_is_from_before(self) -> None:
        """Entry 3 is the text, 4 that Ann has joined; after a restart, too."""
        self.create_room(self.bob)
        self.set_history("joined")
        self.store.eager = False
        joining = self.begin(self.realm.rooms.join(self.ann, "#room"))
        self.send(self.bob, "#room", "meanwhile")
        while not joining.called:
            self.store.release()
        self.store.eager = True
        self.realm.flush()
        self.assertEqual(self.page(), ([4], False))
        self.harness = self.harness.restart()
        self.realm = self.harness.realm
        self.ann, _ = self.login("Ann")
        self.assertEqual(self.page(), ([4], False))

    def test_single_entries_from_before_joining_are_unknown(self) -> None:
        """They cannot be reacted to either, unless the account wrote them."""
        self.create_room(self.bob, self.ann)
        self.send(self.bob, "#room", "bob")
        self.send(self.ann, "#room", "ann")
        self.run_now(self.realm.rooms.leave(self.ann, "#room"))
        self.set_history("joined")
        self.run_now(self.realm.rooms.join(self.ann, "#room"))
        self.refuse(UnknownEntry, self.realm.history.entry(self.ann, "#room", 3))
        self.refuse(UnknownEntry, self.realm.edits.react(self.ann, "#room", 3, "+", None))
        self.assertEqual(
            self.harness.run(self.realm.history.entry(self.ann, "#room", 4)).body, "ann"
        )

    def test_private_room_that_is_set_private_again_keeps_its_setting(self) -> None:
        """Only a public room becomes private."""
        self.join(private=True)
        self.set_history("all")
        self.run_now(self.realm.rooms.set_private(self.bob, "#room", True))
        self.assertEqual(self.page(), ([1, 2, 3, 4, 5, 6], False))

    def test_setting_and_joining_are_stored(self) -> None:
        """After a restart members read what they could read before."""
        self.join()
        self.harness = self.harness.restart()
        self.realm = self.harness.realm
        self.ann, _ = self.login("Ann")
        self.assertEqual(self.page(), ([5], False))

    def test_room_of_an_older_version_shows_everything_unless_it_is_private(self) -> None:
        """Its record has no such field; nor has the membership of a member of then."""
        for private, shown in ((False, "all"), (True, "joined")):
            row = msgspec.msgpack.encode([1, 2, "", private, 3, "bob", {}])
            self.assertEqual(msgspec.msgpack.decode(row, type=RoomRecord).shown_history, shown)
        row = msgspec.msgpack.encode(["#room", 1])
        self.assertEqual(msgspec.msgpack.decode(row, type=MembershipRecord).joined, 0)

    def test_other_settings_are_refused(self) -> None:
        """At creation, too."""
        self.create_room(self.bob)
        rooms = self.realm.rooms
        self.refuse(BadRequest, rooms.set_history(self.bob, "#room", ""))
        self.refuse(BadRequest, rooms.create(self.bob, "#other", "", False, "some"))


class SingleEntries(AckRealmCase):
    """Looking up the entry that a request is about."""

    def test_entry_of_the_own_mailbox(self) -> None:
        """An account can look up entries of its mailbox by any sender."""
        self.send(self.bob, "ann", "1", "2")
        entry = self.harness.run(self.realm.history.entry(self.ann, "@ann", 2))
        self.assertEqual((entry.seq, entry.sender, entry.body), (2, "bob", "2"))

    def test_own_entry_of_another_mailbox(self) -> None:
        """An author can look up what it sent, and no other entry of that mailbox."""
        self.send(self.bob, "ann", "1")
        self.send(self.ann, "ann", "2")
        entry = self.harness.run(self.realm.history.entry(self.bob, "@ann", 1))
        self.assertEqual(entry.body, "1")
        self.refuse(UnknownEntry, self.realm.history.entry(self.bob, "@ann", 2))

    def test_seq_without_an_entry_is_refused(self) -> None:
        """Seqs before the first entry, after the last one, and of trimmed entries are refused."""
        self.send(self.bob, "ann", *"abc")
        self.result(self.store.trim(self.log("@ann"), 1))
        for seq in (-1, 0, 1, 4):
            self.refuse(UnknownEntry, self.realm.history.entry(self.ann, "@ann", seq))

    def test_entry_of_a_room_is_for_its_members(self) -> None:
        """After leaving, not even the author can look up its entry."""
        self.create_room(self.bob, self.ann)
        self.send(self.ann, "#room", "x")
        self.assertEqual(self.harness.run(self.realm.history.entry(self.ann, "#room", 3)).body, "x")
        self.run_now(self.realm.rooms.leave(self.ann, "#room"))
        self.refuse(UnknownEntry, self.realm.history.entry(self.ann, "#room", 3))
