"""The realm: sending, and the ids and times of entries."""

from __future__ import annotations

from chatd.core.errors import (
    NotAMember,
    NotTheSender,
    Refused,
    TextTooLong,
    UnknownAccount,
)
from chatd.core.names import mailbox_log
from chatd.realm import changes
from chatd.realm.accounts import Account
from chatd.stores import CreateLog
from tests.doubles.realm import Text
from tests.realm.case import RealmCase


class Sending(RealmCase):
    """Bursts of messages."""

    def setUp(self) -> None:
        """Log bob in."""
        super().setUp()
        self.bob = self.harness.login("bob")

    def answered(self) -> list[str]:
        """The texts for which bob's peer was answered."""
        return [append.body for append in self.bob.answers]

    def send_burst(self, *messages: Text) -> tuple[int, type[Refused] | None]:
        """Bob's burst: how many messages were taken, and how the next one was refused."""
        appends, refusal = self.realm.send(self.harness.sessions["bob"], messages)
        self.realm.flush()
        return len(appends), None if refusal is None else type(refusal)

    def test_burst_is_sent_up_to_the_first_refused_message(self) -> None:
        """The messages before it are sent, and the refusal is returned."""
        good = Text("bob", "ann", "good")
        for bad, kind in (
            (Text("ann", "ann", "forged"), NotTheSender),
            (Text("bob", "ann", "x" * 65_537), TextTooLong),
        ):
            self.assertEqual(self.send_burst(good, good, bad, good), (2, kind))
            self.assertEqual(self.send_burst(bad, good), (0, kind))
        self.assertEqual(self.answered(), ["good"] * 4)

    def test_burst_is_sent_up_to_a_recipient_that_is_not_cached(self) -> None:
        """The burst ends there, because `deliver` has to look the account up."""
        good = Text("bob", "ann", "good")
        self.assertEqual(self.send_burst(Text("bob", "cyd", "x"), good), (0, None))
        self.assertEqual(self.send_burst(good, Text("bob", "cyd", "x")), (1, None))
        self.assertEqual(self.send_burst(), (0, None))

    def test_deliver_looks_up_the_recipient(self) -> None:
        """An account that is not cached is found; an unknown one is refused."""
        bob = self.harness.sessions["bob"]
        # As another daemon would.
        dee = Account(0, id=self.realm.new_id())
        self.store.write([changes.create("Dee", dee), CreateLog(mailbox_log(dee.id))])
        message = Text("bob", "dee", "x")
        self.assertEqual(self.send_burst(message), (0, None))
        append = self.harness.run(self.realm.deliver(bob, message))
        self.assertEqual((append.log, append.log_name), (mailbox_log(dee.id), "@dee"))
        self.assertEqual(append.body, "x")
        with self.assertRaises(UnknownAccount):
            self.harness.run(self.realm.deliver(bob, Text("bob", "cyd", "x")))
        with self.assertRaises(NotTheSender):
            self.harness.run(self.realm.deliver(bob, Text("ann", "dee", "x")))

    def test_sender_is_spelled_as_first_written(self) -> None:
        """However a client spells its own name, recipients see the name of its account."""
        recorder = self.harness.login("Ann")
        self.send_burst(Text("bob", "Ann", "1"), Text("BOB", "ANN", "2"))
        for appends in (recorder.received, self.bob.answers):
            self.assertEqual([append.body for append in appends], ["1", "2"])
            self.assertEqual([append.sender for append in appends], ["bob", "bob"])

    def test_message_to_a_room_is_for_members(self) -> None:
        """A session that follows no rooms has none to send to."""
        session, _ = self.harness.login_ack("bob", {})
        self.run_now(self.realm.rooms.create(session, "#room", "", False))
        appends, refusal = self.realm.send(session, [Text("bob", "#ROOM", "x")])
        self.assertIsNone(refusal)
        self.assertEqual(
            [(append.log, append.log_name) for append in appends], [(self.log("#room"), "#room")]
        )
        _, refusal = self.realm.send(session, [Text("bob", "#other", "x")])
        self.assertIsInstance(refusal, NotAMember)
        self.assertEqual(self.send_burst(Text("bob", "#room", "x")), (0, None))

    def test_ids_increase(self) -> None:
        """Ids of a daemon that is started a millisecond later are greater."""
        first = self.realm.new_id()
        self.assertEqual(self.realm.new_id(), first + 1)
        self.harness.now += 1
        self.assertGreater(self.harness.restart().realm.new_id(), first + 100_000)

    def test_ids_and_times_increase_although_the_clock_was_set_back(self) -> None:
        """They continue those of the store."""
        id, time = 1 << 60, 1_000_000
        self.patch(self.store, "newest", (id, time))
        realm = self.harness.restart().realm
        self.assertGreater(realm.new_id(), id)
        self.assertGreaterEqual(realm.entry_time(), time)

    def test_times_of_entries_never_decrease(self) -> None:
        """While the clock is set back, entries have the latest time that was given."""
        for now in (5, 3, 4, 9):
            self.harness.now = now
            self.send_burst(Text("bob", "ann", "x"))
        self.assertEqual([append.time for append in self.bob.answers], [5, 5, 5, 9])
