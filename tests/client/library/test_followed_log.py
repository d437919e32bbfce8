"""Followed logs: what is received, handled and acknowledged, and what is known of rooms."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.followed_log import FollowedLog, FollowedLogs
from chatd.codecs import v1_messages as c

ROOM = c.RoomInfo("#Den", 5, "old", False, "bob", 3, "member")


def mailbox(head: int = 0, upto: int = 0, read: int = 0, since: int = 1) -> c.LogState:
    """The state of Ann's mailbox."""
    return c.LogState("@ann", since, head, upto, read)


def den(head: int = 7, upto: int = 7, room: c.RoomInfo = ROOM) -> c.LogState:
    """The state of a room."""
    return c.LogState("#den", 5, head, upto, 0, room)


def entry(seq: int, kind: str = "text", body: str = "", sender: str = "bob") -> c.Pushed:
    """An entry of the room."""
    return c.Pushed("#den", seq, seq, 0, sender, kind, body)


class FollowedLogTests(SynchronousTestCase):
    """One log."""

    def test_new_log_begins_after_what_is_acknowledged(self) -> None:
        """The entries after `upto` are about to be pushed."""
        log = FollowedLog(mailbox(head=9, upto=4, read=2))
        self.assertEqual((log.received, log.handled, log.acknowledged), (4, 4, 4))
        self.assertEqual((log.head, log.read), (9, 2))
        self.assertEqual(log.position, c.Position("@ann", 1, 4))

    def test_repr_shows_how_far_the_log_is_handled(self) -> None:
        """The room's details, which may be long, are left out."""
        self.assertEqual(
            repr(FollowedLog(den(head=9, upto=4))),
            "FollowedLog(name='#den', since=5, head=9, received=4, handled=4, acknowledged=4,"
            " read=0)",
        )

    def test_entry_is_received_once(self) -> None:
        """One that was received before is reported as such."""
        log = FollowedLog(den())
        new = [log.receive(entry(seq)) for seq in (8, 8, 7, 9)]
        self.assertEqual(new, [True, False, False, True])
        self.assertEqual((log.received, log.head, log.handled), (9, 9, 7))

    def test_resume_keeps_what_was_received(self) -> None:
        """Only what is acknowledged may be less than before: the server may have lost it."""
        log = FollowedLog(mailbox(head=9, upto=4, read=6))
        log.received = log.handled = log.acknowledged = 8
        log.resume(mailbox(head=12, upto=5, read=3))
        self.assertEqual((log.received, log.handled, log.acknowledged), (8, 8, 5))
        self.assertEqual((log.head, log.read), (12, 6))

    def test_history_of_a_room_follows_its_entries(self) -> None:
        """It becomes ``joined`` when the public room is made private, and otherwise stays."""
        log = FollowedLog(den())
        shown = []
        for seq, kind, body in (
            (8, "history", "all"),
            (9, "access", "private"),
            (10, "access", "public"),
            (11, "history", "all"),
            (12, "access", "private"),
            (13, "history", "all"),
            (14, "access", "private"),
        ):
            log.update_room(entry(seq, kind, body, "bob"), "ann")
            assert log.room is not None
            shown.append(log.room.history)
        self.assertEqual(shown, ["all", "joined", "joined", "all", "joined", "all", "all"])

    def test_settings_of_a_room_follow_its_entries(self) -> None:
        """The last value of each setting is shown, also of one that the client does not know."""
        log = FollowedLog(den())
        for seq, body in ((8, "slow 30"), (9, "colour red"), (10, "slow 0")):
            log.update_room(entry(seq, "setting", body, "bob"), "ann")
        assert log.room is not None
        self.assertEqual(log.room.settings, [c.Setting("colour", "red"), c.Setting("slow", "0")])

    def test_room_follows_its_entries(self) -> None:
        """Members, topic, access and roles; own joining is counted already."""
        for kind, body, sender, expected in (
            ("join", "", "bob", ("old", False, "bob", 4, "member")),
            ("join", "", "Ann", ("old", False, "bob", 3, "member")),
            ("leave", "", "bob", ("old", False, "bob", 2, "member")),
            ("kick", "carl", "bob", ("old", False, "bob", 2, "member")),
            ("topic", "new", "bob", ("new", False, "bob", 3, "member")),
            ("access", "private", "bob", ("old", True, "bob", 3, "member")),
            ("access", "public", "bob", ("old", False, "bob", 3, "member")),
            ("role", "Ann moderator", "bob", ("old", False, "bob", 3, "moderator")),
            ("role", "Ann owner", "bob", ("old", False, "Ann", 3, "owner")),
            ("role", "carl owner", "bob", ("old", False, "carl", 3, "member")),
            ("text", "hi", "bob", ("old", False, "bob", 3, "member")),
        ):
            log = FollowedLog(den())
            log.update_room(entry(8, kind, body, sender), "ann")
            assert log.room is not None
            room = log.room
            self.assertEqual(
                (room.topic, room.private, room.owner, room.members, room.role), expected, kind
            )

    def test_entries_before_the_description_do_not_change_it(self) -> None:
        """The description at a login is the latest, whatever waits to be pushed."""
        log = FollowedLog(den(head=9, upto=7))
        for seq, members in ((8, 3), (9, 3), (10, 4)):
            log.update_room(entry(seq, "join"), "ann")
            assert log.room is not None
            self.assertEqual(log.room.members, members)
        log.resume(den(head=12))
        log.update_room(entry(11, "join"), "ann")
        self.assertEqual(log.room, ROOM)

    def test_owner_who_passes_ownership_on_becomes_moderator(self) -> None:
        """The server has one entry for both changes."""
        log = FollowedLog(den(room=c.RoomInfo("#Den", 5, "", False, "Ann", 0, "owner")))
        log.update_room(entry(8, "role", "bob owner", "Ann"), "ann")
        assert log.room is not None
        self.assertEqual((log.room.owner, log.room.role), ("bob", "moderator"))
        log.update_room(entry(9, "leave"), "ann")
        self.assertEqual(log.room.members, 0, "never below 0")

    def test_mailbox_has_no_room(self) -> None:
        """Entries change nothing."""
        log = FollowedLog(mailbox())
        log.update_room(entry(1, "topic", "x"), "ann")
        self.assertIsNone(log.room)


class FollowedLogsTests(SynchronousTestCase):
    """All logs of a client."""

    def test_positions_of_an_earlier_client(self) -> None:
        """They are sent at the first login, and used if the log is the same."""
        positions = [c.Position("@ann", 1, 4), c.Position("#den", 4, 99)]
        logs = FollowedLogs(positions)
        self.assertEqual(logs.received, positions)
        self.assertEqual(logs.logged_in([mailbox(head=9, upto=9), den()]), [])
        self.assertEqual(logs.handled, [c.Position("@ann", 1, 4), c.Position("#den", 5, 7)])
        logs = FollowedLogs(positions)
        logs.logged_in([mailbox(head=9, upto=9, since=2)])
        self.assertEqual(logs.received, [c.Position("@ann", 2, 9)])

    def test_next_login_resumes_the_same_logs(self) -> None:
        """A later log of the same name begins anew; rooms not named were left."""
        logs = FollowedLogs([])
        logs.logged_in([mailbox(), den()])
        log = logs.by_name["@ann"]
        log.received = log.handled = 3
        self.assertEqual(logs.logged_in([mailbox(head=5)]), [ROOM])
        self.assertIs(logs.get("@ann"), log)
        self.assertEqual(logs.received, [c.Position("@ann", 1, 3)])
        self.assertIsNone(logs.get("#den"))
        self.assertEqual(logs.logged_in([mailbox(since=2)]), [])
        self.assertEqual(logs.received, [c.Position("@ann", 2, 0)])

    def test_all_logs_begin_anew_when_the_server_was_restored(self) -> None:
        """One of them ends before what was received: the others may have other entries, too."""
        logs = FollowedLogs([])
        logs.logged_in([mailbox(head=9, upto=3), den(head=7, upto=2)])
        for log in logs.by_name.values():
            log.received = log.handled = log.acknowledged = log.head
        self.assertFalse(logs.restored([mailbox(head=9), den(head=7)]))
        states = [mailbox(head=8, upto=4), den(head=11, upto=1)]
        self.assertTrue(logs.restored(states))
        logs.logged_in(states)
        self.assertEqual(logs.received, [c.Position("@ann", 1, 4), c.Position("#den", 5, 1)])
        self.assertTrue(logs.by_name["#den"].receive(entry(2)))
        self.assertEqual(logs.by_name["#den"].acknowledged, 1)

    def test_given_positions_are_discarded_when_the_server_was_restored(self) -> None:
        """All of them, as if they were of logs that are followed."""
        logs = FollowedLogs([c.Position("@ann", 1, 9), c.Position("#den", 5, 4)])
        states = [mailbox(head=8, upto=2), den(head=7, upto=3)]
        self.assertTrue(logs.restored(states))
        logs.logged_in(states)
        self.assertEqual(logs.received, [c.Position("@ann", 1, 2), c.Position("#den", 5, 3)])
        self.assertFalse(logs.restored(states))

    def test_following_again_does_not_reset_a_log(self) -> None:
        """The names of rooms ignore case, also when they are unfollowed."""
        logs = FollowedLogs([])
        logs.follow(den())
        logs.by_name["#den"].received = 9
        logs.follow(den())
        self.assertEqual(logs.received, [c.Position("#den", 5, 9)])
        self.assertEqual(logs.rooms, {"#den": ROOM})
        logs.unfollow("#DEN")
        logs.unfollow("#DEN")
        self.assertEqual(logs.rooms, {})

    def test_read_marker_only_advances(self) -> None:
        """In logs that are followed."""
        logs = FollowedLogs([])
        logs.follow(mailbox(read=3))
        for name, seq in (("@ann", 5), ("@ann", 4), ("@bob", 9)):
            logs.mark_read(name, seq)
        self.assertEqual(logs.by_name["@ann"].read, 5)
