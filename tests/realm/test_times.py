"""Ids and times while the wall clock jumps."""

from __future__ import annotations

from chatd.stores import Append
from tests.doubles.realm import Text
from tests.realm.case import RealmCase


class Times(RealmCase):
    """Of entries, accounts and rooms."""

    def setUp(self) -> None:
        super().setUp()
        self.harness.now = 10_000_000
        self.session, _ = self.harness.login_ack("Ann")

    def send_at(self, now: int) -> Append:
        """Send a message while the wall clock shows a time."""
        self.harness.now = now
        (append,), _ = self.realm.send(self.session, [Text("Ann", "bob", "x")])
        return append

    def test_times_and_ids_of_entries_never_decrease(self) -> None:
        """A clock that is set back stands still until it has caught up."""
        appends = [
            self.send_at(10_000_000 + seconds * 1000)
            for seconds in (0, 15, 0, -30, 14, 16, 3600, -3600, 3601)
        ]
        self.assertEqual(
            [append.time // 1000 - 10_000 for append in appends],
            [0, 15, 15, 15, 15, 16, 3600, 3600, 3601],
        )
        ids = [append.id for append in appends]
        self.assertEqual(ids, sorted(set(ids)))

    def test_notes_and_edits_are_no_earlier_than_messages(self) -> None:
        """All entries take their times from one place."""
        latest = self.send_at(10_015_000)
        self.run_now(self.realm.edits.edit(self.session, "@bob", 1, "y", None))
        self.harness.now = 10_000_000
        self.run_now(self.realm.edits.edit(self.session, "@bob", 1, "z", None))
        self.realm.append(self.realm.new_note(latest.log, "Ann", 0, "text", "note"))
        self.realm.flush()
        self.harness.settle()
        entries = self.result(self.store.read(latest.log, 0, 10))
        self.assertEqual([entry.time for entry in entries], [latest.time] * 4)

    def test_nothing_is_created_at_the_same_time_as_something_else(self) -> None:
        """`since` tells an account or a room from a former one of its name."""
        latest = self.send_at(10_015_000)
        self.harness.now = 10_000_000
        room = self.run_now(self.realm.rooms.create(self.session, "#room", "", False))
        account = self.run_now(self.realm.register("Cyd"))
        self.assertEqual(room.record.created, latest.time + 1)
        self.assertEqual(account.created, latest.time + 2)
        self.assertEqual(self.send_at(10_000_000).time, account.created)

    def test_ids_and_times_continue_after_a_restart_with_a_clock_that_was_set_back(self) -> None:
        """Above the newest id and the latest time of the store."""
        latest = self.send_at(10_015_000)
        self.harness.now = 1000
        self.store.newest = (latest.id, latest.time)
        realm = self.harness.restart().realm
        self.assertGreater(realm.new_id(), latest.id)
        self.assertGreaterEqual(realm.entry_time(), latest.time)

    def test_entries_after_a_restart_are_no_earlier_than_their_account(self) -> None:
        """The newest id shows when an account was created, if no entry does."""
        account = self.run_now(self.realm.register("Cyd"))
        self.store.newest = (account.id, 0)
        self.harness.now = 1000
        realm = self.harness.restart().realm
        self.assertGreaterEqual(realm.entry_time(), account.created)

    def test_account_changes_what_it_sends_after_the_clock_was_set_back(self) -> None:
        """Also after a restart, since when it was created does not matter."""
        self.harness.now = 20_000_000
        account = self.run_now(self.realm.register("Cyd"))
        for now in (1_000, 2_000):
            self.harness.now = now
            self.store.newest = (account.id, 0)
            self.harness.restart()
            realm = self.harness.realm
            session, _ = self.harness.login_ack("Cyd")
            (append,), _ = realm.send(session, [Text("Cyd", "bob", "x")])
            realm.flush()
            self.harness.run(realm.edits.edit(session, "@bob", append.seq, "y", None))
            self.harness.run(realm.edits.delete(session, "@bob", append.seq, None))
            realm.flush()
            entries = self.result(self.store.read(append.log, append.seq - 1, 10))
            self.assertEqual([entry.kind for entry in entries], ["text", "edit", "delete"])
