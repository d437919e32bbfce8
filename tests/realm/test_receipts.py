"""Receipts: the notices that messages have been delivered or read, and the read marker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatd.core.errors import UnknownEntry, UnknownLog
from tests.realm.case import AckRealmCase

DELIVERED, READ = "delivered", "read"


class CountedDict(dict[int, int]):
    """A dict that counts the items which are looked at."""

    steps = 0

    def __iter__(self) -> Iterator[int]:
        for key in super().__iter__():
            self.steps += 1
            yield key

    def pop(self, *arguments: Any) -> Any:
        """See `dict.pop`."""
        self.steps += 1
        return super().pop(*arguments)


class Delivered(AckRealmCase):
    """The receipt that a message has reached its recipient."""

    def test_sender_is_notified_when_the_recipient_acknowledges(self) -> None:
        """The sender is notified once for each message, however often it is acknowledged."""
        self.send(self.bob, "ann", "1", "2", "3")
        self.assertEqual(self.bob_peer.receipts, [])
        self.ann.acknowledge("@ann", 0, 2)
        self.assertEqual(self.bob_peer.receipts, [("@ann", DELIVERED, 1), ("@ann", DELIVERED, 2)])
        self.ann.acknowledge("@ann", 1, 3)
        self.assertEqual(self.bob_peer.receipts[2:], [("@ann", DELIVERED, 3)])

    def test_acknowledging_again_looks_for_no_receipts(self) -> None:
        """An acknowledgement costs what is new in it, however many receipts are due."""
        unconfirmed = self.ann.mailbox.unconfirmed = CountedDict()
        self.send(self.bob, "ann", *map(str, range(20)))
        self.ann.acknowledge("@ann", 1, 10)
        unconfirmed.steps = 0
        for last in range(1, 11):
            self.ann.acknowledge("@ann", 1, last)
        self.ann.acknowledge("@ann", 1, 11)
        self.assertLess(unconfirmed.steps, 5)
        self.assertEqual(len(self.bob_peer.receipts), 11)

    def test_first_acknowledging_device_counts(self) -> None:
        """Another device of the recipient gives no second receipt."""
        other, _ = self.login("Ann")
        self.send(self.bob, "ann", "1")
        self.ann.acknowledge("@ann", 0, 1)
        other.acknowledge("@ann", 0, 1)
        self.assertEqual(self.bob_peer.receipts, [("@ann", DELIVERED, 1)])

    def test_all_sessions_of_the_sender_that_want_receipts_are_notified(self) -> None:
        """Sessions that did not send the message are notified as well."""
        _, second_peer = self.login("bob")
        without_receipts, third_peer = self.login("bob")
        without_receipts.wants_receipts = False
        self.send(self.bob, "ann", "1")
        self.ann.acknowledge("@ann", 0, 1)
        self.assertEqual(second_peer.receipts, [("@ann", DELIVERED, 1)])
        self.assertEqual(third_peer.receipts, [])

    def test_each_sender_is_notified_of_its_own_messages(self) -> None:
        """One acknowledgement may concern the messages of several senders."""
        self.harness.register("cyd")
        cyd, cyd_peer = self.login("cyd")
        self.send(self.bob, "ann", "1")
        self.send(cyd, "ann", "2")
        self.send(self.bob, "ann", "3")
        self.ann.acknowledge("@ann", 0, 3)
        self.assertEqual(self.bob_peer.receipts, [("@ann", DELIVERED, 1), ("@ann", DELIVERED, 3)])
        self.assertEqual(cyd_peer.receipts, [("@ann", DELIVERED, 2)])

    def test_arrival_at_a_client_that_cannot_acknowledge_counts(self) -> None:
        """The sender is notified when the message has arrived."""
        self.ann.end()
        recorder = self.harness.login("Ann")
        self.send(self.bob, "ann", "1")
        self.assertEqual(self.bob_peer.receipts, [])
        recorder.arrive()
        self.assertEqual(self.bob_peer.receipts, [("@ann", DELIVERED, 1)])

    def test_waiting_mail_is_delivered_when_it_is_acknowledged(self) -> None:
        """A recipient that was offline gives the receipt at its next session."""
        self.ann.end()
        self.send(self.bob, "ann", "1")
        ann, _ = self.login("Ann")
        self.run_now(ann.catch_up())
        self.assertEqual(self.bob_peer.receipts, [])
        ann.acknowledge("@ann", 0, 1)
        self.assertEqual(self.bob_peer.receipts, [("@ann", DELIVERED, 1)])

    def test_edits_give_no_receipt(self) -> None:
        """Only texts give receipts."""
        self.send(self.bob, "ann", "1")
        self.run_now(self.realm.edits.edit(self.bob, "@ann", 1, "one", None))
        self.ann.acknowledge("@ann", 0, 2)
        self.assertEqual(self.bob_peer.receipts, [("@ann", DELIVERED, 1)])

    def test_messages_in_rooms_give_no_receipt(self) -> None:
        """A room would have as many receipts as members."""
        self.create_room(self.ann, self.bob)
        self.send(self.bob, "#room", "x")
        self.ann.acknowledge("#room", 0, 3)
        self.assertEqual(self.bob_peer.receipts, [])


class ReadMarkers(AckRealmCase):
    """The receipt that a message has been read, and the marker that gives it."""

    def setUp(self) -> None:
        """Bob sends three messages to Ann."""
        super().setUp()
        self.send(self.bob, "ann", "1", "2", "3")

    def mark(self, seq: int, log: str = "@ann") -> None:
        """Ann sets her read marker."""
        self.run_now(self.realm.receipts.mark_read(self.ann, log, seq))

    def test_sender_is_notified_of_all_messages_up_to_the_marker(self) -> None:
        """Messages after the former marker give one receipt each."""
        self.mark(2)
        self.assertEqual(self.bob_peer.receipts, [("@ann", READ, 1), ("@ann", READ, 2)])
        self.mark(3)
        self.assertEqual(self.bob_peer.receipts[2:], [("@ann", READ, 3)])

    def test_marker_only_moves_forwards(self) -> None:
        """Setting it back, or again, changes nothing and gives no receipt."""
        self.mark(2)
        self.bob_peer.receipts.clear()
        for seq in (2, 1, 0, -1):
            self.mark(seq)
        self.assertEqual(self.ann.mailbox.state.read, 2)
        self.assertEqual(self.bob_peer.receipts, [])

    def test_marker_beyond_the_last_entry_is_refused(self) -> None:
        """The marker stays where it was."""
        self.refuse(UnknownEntry, self.realm.receipts.mark_read(self.ann, "@ann", 4))
        self.assertEqual(self.ann.mailbox.state.read, 0)

    def test_marker_in_a_log_that_is_not_followed_is_refused(self) -> None:
        """Other mailboxes and rooms without membership have no marker."""
        for log in ("@bob", "#lobby", ""):
            self.refuse(UnknownLog, self.realm.receipts.mark_read(self.ann, log, 1))

    def test_edits_give_no_receipt(self) -> None:
        """Only texts give receipts."""
        self.run_now(self.realm.edits.edit(self.bob, "@ann", 1, "one", None))
        self.mark(4)
        self.assertEqual([seq for _, _, seq in self.bob_peer.receipts], [1, 2, 3])

    def test_other_devices_of_the_reader_are_notified_of_the_marker(self) -> None:
        """The device that set the marker is not notified."""
        _, other_peer = self.login("Ann")
        self.mark(3)
        self.assertEqual((self.ann_peer.receipts, other_peer.receipts), ([], [("@ann", READ, 3)]))

    def test_marker_in_a_room_notifies_the_readers_own_devices_only(self) -> None:
        """It is stored with the account's position in the room, and does not change what has been
        acknowledged."""
        _, other_peer = self.login("Ann")
        self.create_room(self.ann, self.bob)
        self.send(self.bob, "#room", "x")
        state = self.ann.mailbox.memberships["#room"].state
        before = state.cursor
        self.mark(3, "#room")
        self.assertEqual((state.read, state.cursor), (3, before))
        self.assertEqual(other_peer.receipts, [("#room", READ, 3)])
        self.assertEqual(self.bob_peer.receipts, [])

    def test_one_marker_gives_receipts_for_the_latest_thousand(self) -> None:
        """A marker that passes over years of mail does not read all of it."""
        self.send(self.bob, "ann", *["x"] * 1_000)
        self.mark(1_003)
        self.assertEqual([seq for _, _, seq in self.bob_peer.receipts], list(range(4, 1_004)))

    def test_trimmed_entries_give_no_receipt(self) -> None:
        """The senders of trimmed entries are not notified."""
        self.result(self.store.trim(self.log("@ann"), 2))
        self.mark(3)
        self.assertEqual(self.bob_peer.receipts, [("@ann", READ, 3)])

    def test_marker_is_stored(self) -> None:
        """The marker is saved within a second."""
        self.mark(2)
        self.harness.runner.clock.advance(1)
        self.harness.settle()
        harness = self.harness.restart()
        session, _ = harness.login_ack("Ann", {})
        self.assertEqual(session.mailbox.state.read, 2)


class States(AckRealmCase):
    """What a sender can ask about its messages."""

    def states(self, *seqs: int) -> list[tuple[int, bool, bool]]:
        """What bob is answered about entries of Ann's mailbox."""
        states: list[tuple[int, bool, bool]] = self.harness.run(
            self.realm.receipts.states(self.bob, "@ann", seqs)
        )
        return states

    def test_message_that_was_read_counts_as_delivered(self) -> None:
        """Both are answered for each message."""
        self.send(self.bob, "ann", "1", "2", "3", "4")
        self.ann.acknowledge("@ann", 3, 3)
        self.run_now(self.realm.receipts.mark_read(self.ann, "@ann", 1))
        self.assertEqual(
            self.states(1, 2, 3, 4),
            [(1, True, True), (2, False, False), (3, True, False), (4, False, False)],
        )

    def test_answers_come_in_the_order_asked_and_once_each(self) -> None:
        """Seqs without an entry are left out."""
        self.send(self.bob, "ann", "1", "2")
        self.assertEqual([seq for seq, _, _ in self.states(2, 1, 2, 0, -1, 3)], [2, 1])

    def test_only_own_messages_are_answered(self) -> None:
        """Nothing is disclosed about the messages of other senders."""
        self.harness.register("cyd")
        cyd, _ = self.login("cyd")
        self.send(cyd, "ann", "1")
        self.send(self.bob, "ann", "2")
        self.assertEqual(self.states(1, 2), [(2, False, False)])

    def test_state_of_a_recipient_that_is_offline_is_read_from_the_store(self) -> None:
        """The recipient's mailbox need not be held."""
        self.send(self.bob, "ann", "1", "2")
        self.ann.acknowledge("@ann", 1, 2)
        self.run_now(self.realm.receipts.mark_read(self.ann, "@ann", 1))
        self.ann.end()
        self.harness.save()
        self.assertIsNone(self.harness.mailbox("Ann"))
        self.assertEqual(self.states(1, 2), [(1, True, True), (2, True, False)])

    def test_trimmed_messages_are_not_answered(self) -> None:
        """The author of a trimmed message cannot be verified."""
        self.send(self.bob, "ann", "1", "2")
        self.result(self.store.trim(self.log("@ann"), 1))
        self.assertEqual(self.states(1, 2), [(2, False, False)])

    def test_rooms_have_no_receipts(self) -> None:
        """Even a room that the account follows is refused."""
        self.create_room(self.bob)
        self.refuse(UnknownLog, self.realm.receipts.states(self.bob, "#room", [1]))


class ReadOfLongTexts(AckRealmCase):
    """A read marker over more text than the store returns at once."""

    def test_all_texts_are_receipted(self) -> None:
        """All of them, once, in order."""
        self.send(self.bob, "ann", *["x" * 60_000] * 6)
        self.run_now(self.realm.receipts.mark_read(self.ann, "@ann", 6))
        self.assertEqual(
            [seq for _, what, seq in self.bob_peer.receipts if what == READ], [1, 2, 3, 4, 5, 6]
        )
