"""Sessions of peers that cannot acknowledge: pushing, fetching mail, and what waits again."""

from __future__ import annotations

from chatd.core.entries import Cursor
from tests.realm.case import RealmCase


class AutoAckSessionCase(RealmCase):
    """Bob sends to Ann, who has two waiting messages and logs in."""

    def setUp(self) -> None:
        super().setUp()
        self.harness.login("bob")
        self.harness.send("bob", "ann", "old 1", "old 2")
        self.ann = self.harness.login("Ann")
        self.session = self.harness.sessions["Ann"]

    def waiting(self) -> list[str]:
        """The texts that a new session of Ann is shown when it fetches the waiting mail."""
        recorder = self.harness.login("Ann")
        self.harness.fetch("Ann")
        return recorder.texts


class Fetching(AutoAckSessionCase):
    """Mail that arrived without a session waits until it is fetched."""

    limits = {"page": 2}

    def test_new_messages_are_pushed_before_the_waiting_mail_is_fetched(self) -> None:
        """Waiting mail is shown only when it is fetched."""
        self.harness.send("bob", "ann", "new")
        self.assertEqual((self.ann.texts, self.session.live), (["new"], True))

    def test_waiting_mail_is_shown_in_order_and_once(self) -> None:
        """Another fetch shows nothing."""
        for _ in range(2):
            self.harness.fetch("Ann")
        self.assertEqual((self.ann.texts, self.session.live), (["old 1", "old 2"], True))

    def test_messages_that_arrive_during_a_fetch_come_after_the_waiting_mail(self) -> None:
        """Each message is shown once."""
        self.ann.capacity = 1
        self.session.fetch_mail()
        self.harness.catch_up("Ann")
        self.harness.send("bob", "ann", "new 1", "new 2", "new 3")
        self.assertEqual(self.ann.texts, ["old 1", "old 2"])
        self.ann.drain()
        self.harness.catch_up("Ann")
        self.assertEqual(self.ann.texts, ["old 1", "old 2", "new 1", "new 2", "new 3"])
        self.assertTrue(self.session.live)

    def test_fetching_without_waiting_mail_changes_nothing(self) -> None:
        """The session stays live."""
        self.harness.fetch("Ann")
        self.session.fetch_mail()
        self.assertEqual((self.session.live, self.session.behind), (True, False))

    def test_trimmed_mail_is_passed_over(self) -> None:
        """The session does not wait for entries that have been trimmed."""
        self.harness.send("bob", "ann", "new")
        self.result(self.store.trim("@ann", 2))
        self.harness.fetch("Ann")
        self.assertEqual((self.ann.texts, self.session.live), (["new"], True))
        self.assertEqual(self.session.handed, Cursor(3))


class SlowConnections(AutoAckSessionCase):
    """A session whose connection does not take everything at once."""

    def test_session_falls_behind_and_catches_up(self) -> None:
        """Nothing is pushed meanwhile, and nothing is shown twice."""
        self.ann.capacity = 0
        self.harness.send("bob", "ann", "1")
        self.harness.send("bob", "ann", "2")
        self.assertEqual((self.ann.texts, self.session.behind), (["1"], True))
        self.harness.catch_up("Ann")
        self.assertEqual(self.ann.texts, ["1"])
        self.ann.drain()
        self.harness.catch_up("Ann")
        self.assertEqual((self.ann.texts, self.session.live), (["1", "2"], True))

    def test_concurrent_calls_of_catch_up_show_everything_once(self) -> None:
        """The second one does nothing while the first waits for the store."""
        self.ann.capacity = 0
        self.harness.send("bob", "ann", "1", "2")
        self.harness.send("bob", "ann", "3")
        self.ann.drain()
        self.store.eager = False
        calls = [self.begin(self.session.catch_up()) for _ in range(2)]
        self.harness.settle()
        for call in calls:
            self.successResultOf(call)
        self.assertEqual(self.ann.texts, ["1", "2", "3"])


class Ending(AutoAckSessionCase):
    """What waits again when a session has ended."""

    def setUp(self) -> None:
        """All mail has been fetched, and two more messages were pushed."""
        super().setUp()
        self.harness.fetch("Ann")
        self.harness.send("bob", "ann", "1", "2")

    def test_everything_that_arrived_is_read(self) -> None:
        """Nothing waits for the next session."""
        self.harness.logout("Ann")
        self.assertEqual(self.waiting(), [])

    def test_entries_that_may_not_have_arrived_wait_again(self) -> None:
        """The peer reports which entries may not have arrived."""
        self.ann.lost = 1
        self.harness.logout("Ann")
        self.assertEqual(self.waiting(), ["2"])

    def test_protocol_can_say_what_was_lost(self) -> None:
        """The seqs that the protocol gives are used in place of what the peer reports."""
        self.ann.lost = 2
        self.harness.sessions.pop("Ann").end([3])
        self.assertEqual(self.waiting(), ["1"])

    def test_session_ends_once(self) -> None:
        """A later call changes nothing."""
        session = self.harness.sessions["Ann"]
        self.harness.logout("Ann")
        session.end([1, 2, 3, 4])
        self.assertEqual(self.waiting(), [])

    def test_ended_session_is_shown_nothing(self) -> None:
        """Messages that are sent later wait for the next session."""
        self.harness.logout("Ann")
        self.harness.send("bob", "ann", "3")
        self.assertEqual(self.ann.texts[2:], ["1", "2"])
        self.assertEqual(self.waiting(), ["3"])

    def test_acknowledgements_of_other_sessions_count(self) -> None:
        """An entry that another device has acknowledged does not wait."""
        self.harness.logout("Ann")
        self.harness.send("bob", "ann", "3", "4")
        other, _ = self.harness.login_ack("Ann", {})
        other.acknowledge("@ann", 5, 5)
        self.assertEqual(self.waiting(), ["4"])


class Gaps(RealmCase):
    """The bound on the gaps in a cursor."""

    limits = {"gaps": 2}

    def setUp(self) -> None:
        super().setUp()
        self.harness.login("bob")

    def test_cursor_with_too_many_gaps_stops_live_delivery(self) -> None:
        """An account that never fetches its waiting mail gets new mail live in a few sessions, and
        then none until it fetches."""
        for number in range(3):
            self.harness.send("bob", "ann", f"missed {number}")
            recorder = self.harness.login("ann")
            self.harness.send("bob", "ann", f"new {number}")
            self.assertEqual(recorder.texts, [f"new {number}"] if number < 2 else [])
            if number < 2:
                self.harness.logout("ann")
        self.harness.catch_up("ann")
        self.assertEqual(recorder.texts, [])
        self.harness.fetch("ann")
        self.assertEqual(recorder.texts, ["missed 0", "missed 1", "missed 2", "new 2"])
        self.harness.send("bob", "ann", "at once")
        self.assertEqual(recorder.texts[4:], ["at once"])
        self.harness.logout("ann")
        self.assertEqual(self.harness.login("ann").texts, [])
        self.harness.fetch("ann")
        self.assertTrue(self.harness.sessions["ann"].live)
