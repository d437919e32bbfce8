"""Sessions of clients that fetch their mail and cannot acknowledge: pushing, fetching, and what
waits again, also after a restart."""

from __future__ import annotations

from chatd.core.entries import Cursor
from chatd.realm.peer import SessionOptions
from chatd.realm.positions import VERY_SOON
from tests.doubles.realm import AutoAckRecorder
from tests.realm.case import RealmCase


class FetchingCase(RealmCase):
    """Bob sends to Ann, who has two waiting messages and logs in."""

    def setUp(self) -> None:
        super().setUp()
        self.harness.login("bob")
        self.harness.send("bob", "ann", "old 1", "old 2")
        self.ann = self.harness.login("Ann")
        self.session = self.harness.sessions["Ann"]

    @property
    def live(self) -> bool:
        """Whether Ann's session is pushed what is committed."""
        return self.session.subscriptions["@ann"].live

    def waiting(self) -> list[str]:
        """The texts that a new session of Ann is shown when it fetches the waiting mail."""
        recorder = self.harness.login("Ann")
        self.harness.fetch("Ann")
        return recorder.texts


class FetchingWithGaps(FetchingCase):
    """Waiting mail between which other mail has arrived, on one page."""

    def test_waiting_mail_with_gaps_is_acknowledged_when_it_has_arrived(self) -> None:
        """Between the messages that wait is one that had arrived before they were fetched."""
        self.harness.send("bob", "ann", "new")
        self.harness.logout("Ann")
        self.harness.send("bob", "ann", "newer")
        self.ann = self.harness.login("Ann")
        self.harness.fetch("Ann")
        self.assertEqual(self.ann.texts, ["old 1", "old 2", "newer"])
        self.harness.logout("Ann")
        self.assertEqual(self.waiting(), [])


class Fetching(FetchingCase):
    """Mail that arrived without a session waits until it is fetched."""

    limits = {"page": 2}

    def test_new_messages_are_pushed_before_the_waiting_mail_is_fetched(self) -> None:
        """Waiting mail is shown only when it is fetched."""
        self.harness.send("bob", "ann", "new")
        self.assertEqual((self.ann.texts, self.live), (["new"], True))

    def test_waiting_mail_is_shown_in_order_and_once(self) -> None:
        """Another fetch shows nothing."""
        for _ in range(2):
            self.harness.fetch("Ann")
        self.assertEqual((self.ann.texts, self.live), (["old 1", "old 2"], True))

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
        self.assertTrue(self.live)

    def test_fetching_without_waiting_mail_changes_nothing(self) -> None:
        """The session is live again without asking the store."""
        self.harness.fetch("Ann")
        self.store.eager = False
        self.session.fetch_mail()
        self.successResultOf(self.begin(self.session.catch_up()))
        self.assertEqual((self.live, self.session.behind), (True, False))

    def test_trimmed_mail_is_passed_over(self) -> None:
        """The session does not wait for entries that have been trimmed."""
        self.harness.send("bob", "ann", "new")
        self.result(self.store.trim(self.log("@ann"), 2))
        self.harness.fetch("Ann")
        self.assertEqual((self.ann.texts, self.live), (["new"], True))
        self.assertEqual(self.session.taken, Cursor(3))


class SlowConnections(FetchingCase):
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
        self.assertEqual((self.ann.texts, self.live), (["1", "2"], True))

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


class Ending(FetchingCase):
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

    def test_entries_that_did_not_arrive_wait_again(self) -> None:
        """Only what has arrived is acknowledged."""
        self.ann.lost = 1
        self.harness.logout("Ann")
        self.assertEqual(self.waiting(), ["2"])

    def test_entries_in_the_connections_buffer_wait_again(self) -> None:
        """They have not been written."""
        self.ann.capacity = 1
        self.harness.send("bob", "ann", "3", "4", "5")
        self.harness.logout("Ann")
        self.assertEqual(self.waiting(), ["4", "5"])

    def test_session_that_ends_without_an_answer_of_the_kernel(self) -> None:
        """What has not been acknowledged waits, although it was written."""
        self.ann.arrive()
        self.harness.send("bob", "ann", "3")
        self.harness.sessions.pop("Ann").end()
        self.assertEqual(self.waiting(), ["3"])

    def test_session_ends_once(self) -> None:
        """A later call changes nothing."""
        session = self.harness.sessions["Ann"]
        self.harness.logout("Ann")
        recorder = self.harness.login("Ann")
        session.end()
        self.harness.send("bob", "ann", "3")
        self.assertEqual(recorder.texts, ["3"])
        self.assertTrue(self.realm.sessions.online("Ann"))

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
        self.assertTrue(self.harness.sessions["ann"].subscriptions["@ann"].live)


class Exclusive(FetchingCase):
    """One session of clients that fetch, beside sessions of other kinds."""

    def test_mail_on_its_way_to_the_exclusive_session_is_not_fetched_again(self) -> None:
        """A fetch without a session passes over it until the session has ended."""
        self.harness.send("bob", "ann", "new")
        account = self.harness.account("Ann")
        fetch = self.harness.run(self.realm.sessions.open_mail_fetch("Ann", account))
        page = self.harness.run(fetch.page())
        self.assertEqual([entry.body for entry in page], ["old 1", "old 2"])
        self.assertFalse(fetch.waits)
        self.session.end()
        self.assertTrue(fetch.waits)
        fetch.close()

    def test_other_protocols_are_pushed_waiting_mail_at_once(self) -> None:
        """A session whose options do not fetch begins where the account has acknowledged."""
        recorder = self.harness.login("Ann", SessionOptions(rooms=False))
        self.harness.catch_up("Ann")
        self.assertEqual(recorder.texts, ["old 1", "old 2"])

    def test_session_that_follows_no_rooms(self) -> None:
        """It is shown its mailbox only, also after its account has joined a room."""
        other, _ = self.harness.login_ack("Ann")
        self.run_now(self.realm.rooms.create(other, "#room", "", False))
        self.assertEqual(set(other.subscriptions), {"@ann", "#room"})
        self.assertEqual(set(self.session.subscriptions), {"@ann"})
        self.send(other, "#room", "x")
        self.assertEqual(self.ann.texts, [])


class Restarts(FetchingCase):
    """What waits for Ann after the daemon was killed and a new one has started on its store."""

    def restart(self) -> None:
        """Kill the daemon and start another one."""
        self.harness = self.harness.restart()
        self.realm = self.harness.realm

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything be committed."""
        self.harness.runner.clock.advance(seconds)
        self.harness.settle()

    def test_entries_that_arrived_before_the_last_save_do_not_wait(self) -> None:
        """They are saved within 50 milliseconds of their acknowledgement."""
        self.harness.send("bob", "ann", "new", "newer")
        self.ann.arrive()
        self.advance(VERY_SOON)
        self.restart()
        self.assertEqual(self.waiting(), ["old 1", "old 2"])

    def test_entries_that_arrived_just_before_a_kill_wait_again(self) -> None:
        """The client is shown twice what arrived in the last 50 milliseconds, and misses
        nothing."""
        self.harness.send("bob", "ann", "saved")
        self.ann.arrive()
        self.advance(VERY_SOON)
        self.harness.send("bob", "ann", "not saved")
        self.ann.arrive()
        self.restart()
        self.assertEqual(self.waiting(), ["old 1", "old 2", "not saved"])

    def test_acknowledgement_is_saved_with_a_commit_that_happens_anyway(self) -> None:
        """A save that is due within 10 milliseconds is taken along."""
        self.harness.send("bob", "ann", "new")
        self.ann.arrive()
        self.advance(VERY_SOON - 0.005)
        self.harness.send("bob", "bob", "x")
        self.restart()
        self.assertEqual(self.waiting(), ["old 1", "old 2"])

    def test_entries_without_a_session_wait(self) -> None:
        """Messages that are sent after Ann has logged out wait, however often it restarts."""
        self.harness.logout("Ann")
        self.harness.send("bob", "ann", "new")
        for _ in range(2):
            self.restart()
        self.assertEqual(self.waiting(), ["old 1", "old 2", "new"])

    def test_nothing_of_a_session_is_left_after_a_restart(self) -> None:
        """The account is offline, and can log in."""
        self.restart()
        self.assertFalse(self.realm.sessions.online("ann"))
        self.assertEqual(self.waiting(), ["old 1", "old 2"])

    def test_entries_not_written_wait(self) -> None:
        """A recipient that reads slowly gets the rest after the restart, once."""
        self.ann.capacity = 1
        self.harness.send("bob", "ann", "1", "2", "3")
        self.harness.send("bob", "ann", "4")
        self.assertEqual(self.ann.texts, ["1", "2", "3"])
        self.ann.arrive()
        self.advance(VERY_SOON)
        self.restart()
        self.assertEqual(self.waiting(), ["old 1", "old 2", "2", "3", "4"])

    def test_restarts_without_sessions_change_nothing(self) -> None:
        """What was read stays read, and what waits is fetched once."""
        self.harness.fetch("Ann")
        self.harness.logout("Ann")
        self.harness.save()
        self.restart()
        self.harness.login("bob")
        self.harness.send("bob", "ann", "between")
        for _ in range(3):
            self.restart()
        recorder = self.harness.login("Ann")
        self.harness.fetch("Ann")
        self.assertEqual(recorder.texts, ["between"])
        self.harness.logout("Ann")
        self.harness.save()
        self.restart()
        self.assertEqual(self.waiting(), [])

    def test_sender_is_answered_while_positions_are_not_saved(self) -> None:
        """Acknowledgements that wait to be saved delay no sender."""
        self.harness.send("bob", "ann", "1")
        self.ann.arrive()
        self.store.writable = False
        self.advance(VERY_SOON)
        self.harness.send("bob", "ann", "2")
        bob = self.harness.sessions["bob"].peer
        assert isinstance(bob, AutoAckRecorder)
        self.assertEqual([append.body for append in bob.answers][2:], ["1", "2"])
