"""Sessions: what a peer must provide, answers, positions, catching up, acknowledging, echoes."""

from __future__ import annotations

from chatd.core.entries import Cursor
from chatd.core.errors import NothingToAcknowledge, TooManyGaps, UnknownLog
from chatd.realm.positions import SOON
from tests.doubles.realm import AckRecorder, Text
from tests.doubles.steps import count_steps
from tests.realm.case import AckRealmCase, RealmCase


def seqs(peer: AckRecorder, log: str = "@ann") -> list[int]:
    """The seqs of the entries of a log that a peer was shown."""
    return [seq for seq, *_ in peer.logs.get(log, ())]


class Answers(RealmCase):
    """The answers to a session."""

    def test_each_session_is_answered_for_what_it_sent(self) -> None:
        """Each message is answered once, in order."""
        first, first_peer = self.harness.login_ack("bob", {})
        second, second_peer = self.harness.login_ack("bob", {})
        self.send(first, "ann", "1")
        self.send(second, "ann", "2")
        self.send(first, "ann", "3")
        self.assertEqual([append.body for append in first_peer.answers], ["1", "3"])
        self.assertEqual([append.body for append in second_peer.answers], ["2"])
        self.assertEqual(first_peer.echoes, ["2"])
        self.assertEqual(first.answers, [])

    def test_session_that_has_ended_is_still_answered(self) -> None:
        """The peer decides whether the client can still be notified."""
        session, peer = self.harness.login_ack("bob", {})
        self.store.eager = False
        sending = self.begin(self.realm.deliver(session, Text("bob", "ann", "x")))
        self.successResultOf(sending)
        session.end()
        self.harness.settle()
        self.assertEqual([append.body for append in peer.answers], ["x"])


class Beginning(AckRealmCase):
    """Where a new session begins to read each log."""

    def setUp(self) -> None:
        """Five messages wait for Ann; she has acknowledged the first, the second and the fourth."""
        super().setUp()
        self.send(self.bob, "ann", *"abcde")
        self.ann.acknowledge("@ann", 1, 2)
        self.ann.acknowledge("@ann", 4, 4)

    def shown(self, positions: dict[str, int]) -> list[int]:
        """The seqs that a session with these positions is shown."""
        session, peer = self.login("Ann", positions)
        self.run_now(session.catch_up())
        self.assertFalse(session.behind)
        return seqs(peer)

    def test_session_without_positions_is_shown_what_no_session_acknowledged(self) -> None:
        """Gaps in the cursor are shown; entries beyond them are not repeated."""
        self.assertEqual(self.shown({}), [3, 5])

    def test_session_with_a_position_is_shown_all_entries_after_it(self) -> None:
        """What other devices have acknowledged makes no difference."""
        self.assertEqual(self.shown({"@ann": 1}), [2, 3, 4, 5])
        self.assertEqual(self.shown({"@ann": 5}), [])

    def test_acknowledged_entries_at_the_end_are_passed_over(self) -> None:
        """The session is live without reading them."""
        self.ann.acknowledge("@ann", 5, 5)
        self.assertEqual(self.shown({}), [3])

    def test_long_acknowledged_range_is_passed_over_at_once(self) -> None:
        """The work does not depend on the length of the range."""
        mailbox = self.ann.mailbox
        mailbox.head, mailbox.state.cursor = 200_000, Cursor(0, ((2, 199_999),))
        session, peer = self.login("Ann")
        self.assertLess(count_steps(lambda: self.run_now(session.catch_up())), 1_000)
        self.assertEqual((seqs(peer), session.behind), ([1], False))

    def test_position_beyond_the_last_entry_is_ignored(self) -> None:
        """A client cannot have entries that do not exist."""
        self.assertEqual(self.shown({"@ann": 6}), [3, 5])

    def test_position_in_a_log_that_is_not_followed_is_ignored(self) -> None:
        """A client may have a position in a room that the account has left."""
        self.assertEqual(self.shown({"#gone": 1, "@bob": 0}), [3, 5])

    def test_nothing_is_pushed_before_begin(self) -> None:
        """A session is shown nothing until the protocol has answered the login."""
        peer = AckRecorder()
        session = self.harness.run(
            self.realm.sessions.open("Ann", self.harness.account("Ann"), peer)
        )
        self.send(self.bob, "ann", "f")
        self.assertFalse(session.behind)
        self.run_now(session.catch_up())
        self.assertEqual(seqs(peer), [])
        session.begin({"@ann": 5})
        self.assertTrue(session.behind)
        self.run_now(session.catch_up())
        self.assertEqual(seqs(peer), [6])


class SlowConnections(AckRealmCase):
    """A session whose connection does not take everything at once."""

    limits = {"page": 2}

    def test_session_falls_behind_and_catches_up_from_its_logs(self) -> None:
        """Nothing is pushed meanwhile; afterwards it is live again."""
        self.create_room(self.bob, self.ann)
        self.ann_peer.capacity = 0
        self.send(self.bob, "ann", "a", "b")
        self.send(self.bob, "#room", "c")
        self.assertTrue(self.ann.behind)
        self.assertEqual((seqs(self.ann_peer), seqs(self.ann_peer, "#room")), ([1], [2]))
        self.ann_peer.drain()
        self.run_now(self.ann.catch_up())
        self.assertFalse(self.ann.behind)
        self.send(self.bob, "ann", "d")
        self.assertEqual((seqs(self.ann_peer), seqs(self.ann_peer, "#room")), ([1, 2, 3], [2, 3]))

    def test_catching_up_stops_when_the_connection_is_full_again(self) -> None:
        """It is shown one page at a time."""
        self.ann_peer.capacity = 0
        self.send(self.bob, "ann", *"abcdef")
        self.ann_peer.capacity, self.ann_peer.full = 1, False
        self.run_now(self.ann.catch_up())
        self.assertTrue(self.ann.behind)
        self.assertEqual(seqs(self.ann_peer), [1, 2, 3])

    def test_trimmed_entries_are_passed_over(self) -> None:
        """The session continues with the first entry that is left."""
        self.ann_peer.capacity = 0
        self.send(self.bob, "ann", *"abcd")
        self.result(self.store.trim(self.log("@ann"), 3))
        self.ann_peer.drain()
        self.run_now(self.ann.catch_up())
        self.assertEqual(seqs(self.ann_peer), [1, 4])

    def test_concurrent_calls_of_catch_up_show_everything_once(self) -> None:
        """The second one does nothing while the first waits for the store."""
        self.ann_peer.capacity = 0
        self.send(self.bob, "ann", *"abcd")
        self.ann_peer.drain()
        self.store.eager = False
        calls = [self.begin(self.ann.catch_up()) for _ in range(2)]
        self.harness.settle()
        for call in calls:
            self.successResultOf(call)
        self.assertEqual(seqs(self.ann_peer), [1, 2, 3, 4])

    def test_entries_of_a_session_that_is_behind_are_not_consumed(self) -> None:
        """They must not be trimmed, even if another session has acknowledged them."""
        self.ann_peer.capacity = 0
        self.send(self.bob, "ann", *"abc")
        other, _ = self.login("Ann")
        self.run_now(other.catch_up())
        other.acknowledge("@ann", 0, 3)
        self.assertEqual(self.ann.mailbox.consumed, 1)
        self.ann_peer.drain()
        self.run_now(self.ann.catch_up())
        self.assertEqual(self.ann.mailbox.consumed, 3)

    def test_session_that_ends_while_it_reads_is_shown_nothing(self) -> None:
        """The page that was being read is dropped."""
        self.ann_peer.capacity = 0
        self.send(self.bob, "ann", *"abcd")
        self.ann_peer.drain()
        self.store.eager = False
        catching_up = self.begin(self.ann.catch_up())
        self.ann.end()
        self.harness.settle()
        self.successResultOf(catching_up)
        self.assertEqual(seqs(self.ann_peer), [1])


class Acknowledging(AckRealmCase):
    """Changing the cursor."""

    limits = {"gaps": 2}

    def setUp(self) -> None:
        """Ann has nine messages."""
        super().setUp()
        self.send(self.bob, "ann", *"abcdefghi")

    def test_acknowledgements_are_joined(self) -> None:
        """Ranges ahead of the cursor are part of it when the gap is closed."""
        self.ann.acknowledge("@ann", 3, 4)
        self.assertEqual(self.ann.mailbox.state.cursor, Cursor(0, ((3, 4),)))
        self.ann.acknowledge("@ann", 1, 2)
        self.assertEqual(self.ann.mailbox.state.cursor, Cursor(4))

    def test_zero_acknowledges_from_the_oldest(self) -> None:
        """If `first` is 0, all entries up to `last` are acknowledged."""
        self.ann.acknowledge("@ann", 3, 3)
        self.ann.acknowledge("@ann", 0, 7)
        self.assertEqual(self.ann.mailbox.state.cursor, Cursor(7))

    def test_entries_that_do_not_exist_are_refused(self) -> None:
        """Ranges beyond the last entry, and ranges that end before they begin, are refused."""
        beyond = "@ann has no entry 10: its last one is 9"
        reasons = {(1, 10): beyond, (10, 10): beyond, (3, 2): "no entries of @ann are from 3 to 2"}
        for (first, last), reason in reasons.items():
            error = self.assertRaises(
                NothingToAcknowledge, self.ann.acknowledge, "@ann", first, last
            )
            self.assertEqual(str(error), reason)
        self.assertEqual(self.ann.mailbox.state.cursor, Cursor())

    def test_other_logs_are_refused(self) -> None:
        """Mailboxes of other accounts and rooms without membership cannot be acknowledged."""
        for log in ("@bob", "#lobby", "ann", ""):
            self.assertRaises(UnknownLog, self.ann.acknowledge, log, 1, 1)

    def test_too_many_gaps_are_refused(self) -> None:
        """An acknowledgement that closes a gap is still accepted."""
        self.ann.acknowledge("@ann", 3, 3)
        self.ann.acknowledge("@ann", 5, 5)
        self.assertRaises(TooManyGaps, self.ann.acknowledge, "@ann", 7, 7)
        self.assertEqual(self.ann.mailbox.state.cursor, Cursor(0, ((3, 3), (5, 5))))
        self.ann.acknowledge("@ann", 1, 2)
        self.assertEqual(self.ann.mailbox.state.cursor, Cursor(3, ((5, 5),)))

    def test_member_that_was_removed_acknowledges_no_more(self) -> None:
        """The room is refused like one that the account was never in."""
        self.create_room(self.bob, self.ann)
        self.run_now(self.realm.rooms.kick(self.bob, "#room", "Ann"))
        self.assertRaises(UnknownLog, self.ann.acknowledge, "#room", 1, 1)

    def test_rooms_have_cursors_of_their_own(self) -> None:
        """The bounds of acknowledgements in rooms are those of the mailbox."""
        self.create_room(self.bob, self.ann)
        self.send(self.bob, "#room", *"abcdef")
        for first, last in ((4, 4), (6, 6)):
            self.ann.acknowledge("#room", first, last)
        self.assertRaises(TooManyGaps, self.ann.acknowledge, "#room", 8, 8)
        self.assertRaises(NothingToAcknowledge, self.ann.acknowledge, "#room", 9, 9)
        position = self.ann.mailbox.memberships["#room"].state
        self.assertEqual(position.cursor, Cursor(1, ((4, 4), (6, 6))))

    def test_what_is_acknowledged_is_saved_within_a_second(self) -> None:
        """A new session after a restart is shown the rest."""
        self.ann.acknowledge("@ann", 0, 5)
        self.harness.runner.clock.advance(SOON)
        self.harness.settle()
        harness = self.harness.restart()
        session, peer = harness.login_ack("Ann", {})
        harness.run(session.catch_up())
        self.assertEqual(seqs(peer), [6, 7, 8, 9])


class Echoes(AckRealmCase):
    """What the other sessions of a sender are shown."""

    def test_other_sessions_of_the_sender_are_shown_what_it_sent(self) -> None:
        """The sending session is answered and gets no echo."""
        _, other_peer = self.login("bob")
        self.send(self.bob, "ann", "x")
        self.assertEqual((self.bob_peer.echoes, other_peer.echoes), ([], ["x"]))

    def test_other_session_gets_an_echo_after_the_sending_session_has_ended(self) -> None:
        """The connection is lost before the text is committed."""
        _, other_peer = self.login("Ann")
        self.store.eager = False
        self.realm.send(self.ann, [Text("Ann", "bob", "x")])
        self.ann.end()
        self.harness.settle()
        self.assertEqual(other_peer.echoes, ["x"])

    def test_entries_of_followed_logs_are_not_echoed(self) -> None:
        """Entries of rooms and of the own mailbox are pushed anyway."""
        _, other_peer = self.login("bob")
        self.create_room(self.bob)
        self.send(self.bob, "#room", "x")
        self.send(self.bob, "bob", "y")
        self.assertEqual(other_peer.echoes, [])
        self.assertEqual(other_peer.logs["#room"][-1], (2, "bob", "text", "x"))
        self.assertEqual(other_peer.logs["@bob"], [(1, "bob", "text", "y")])

    def test_resent_messages_are_not_echoed_again(self) -> None:
        """A resend that stores nothing gives no echo."""
        _, other_peer = self.login("bob")
        self.send(self.bob, "ann", "x", "x", "y", key="key")
        self.assertEqual([append.resent for append in self.bob_peer.answers], [False, True, False])
        self.assertIsNotNone(self.bob_peer.answers[2].refusal)
        self.assertEqual(other_peer.echoes, ["x"])
