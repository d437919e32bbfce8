"""The commands about rooms and reports."""

from __future__ import annotations

import re

from chatd.admin.command_line import REFUSED, WRONG_USAGE
from tests.doubles.admin import CommandCase


class Rooms(CommandCase):
    """``rooms`` and ``delete-room``."""

    def setUp(self) -> None:
        super().setUp()
        session, _ = self.harness.login_ack("Ann", {})
        self.harness.run(self.harness.realm.rooms.create(session, "#Garden", "roses\x07", True))

    def test_rooms_are_listed_with_access_and_topic(self) -> None:
        """Private rooms are listed too; topics cannot control the terminal."""
        heading, *rows = self.output("rooms").splitlines()
        self.assertEqual(
            heading.split(), ["ROOM", "ACCESS", "CREATED", "OWNER", "MEMBERS", "TOPIC"]
        )
        self.assertEqual(
            [re.split(r"\s\s+", row) for row in rows],
            [
                ["#Garden", "private", "1970-01-01 00:00", "Ann", "1", "roses\\x07"],
                ["#lobby", "public", "1970-01-01 00:00", "-", "0"],
            ],
        )
        (room,) = self.json("rooms", "#l*")
        self.assertEqual((room["room"], room["owner"]), ("#lobby", ""))

    def test_room_is_deleted_after_confirmation(self) -> None:
        """The # of the room may be omitted."""
        self.assertIn("--yes", self.failed(WRONG_USAGE, "delete-room", "garden"))
        completed = self.command("delete-room", "garden", typed="no\n", terminal=True)
        self.assertEqual(completed.stdout, "Delete the room #garden and its history? (yes/no) ")
        self.assertEqual(self.output("delete-room", "garden", "--yes"), "Deleted: #Garden\n")
        error = self.failed(REFUSED, "delete-room", "#lobby", "-y")
        self.assertEqual(error, "chatd.admin: #lobby cannot be deleted.\n")
        self.assertEqual(self.output("deleted-rooms").split()[:7][0], "ROOM")
        (deleted,) = self.json("deleted-rooms")
        self.assertEqual(
            (deleted["room"], deleted["by"], deleted["owner"], deleted["members"]),
            ("#Garden", "server", "Ann", 1),
        )
        self.assertEqual(deleted["until"] - deleted["deleted"], 86_400_000)
        self.assertEqual(
            self.output("restore-room", "garden", "--as", "park", "--id", deleted["id"]),
            "Restored: #park, with 1 member\n",
        )
        self.assertEqual(self.output("delete-room", "park", "--yes"), "Deleted: #park\n")
        (answer,) = self.json("restore-room", "PARK", "--owner", "bob")
        self.assertEqual(answer, {"room": "#park", "members": 2})
        completed = self.command("delete-room", "park", "--now", typed="y\n", terminal=True)
        self.assertEqual(
            completed.stdout,
            "Delete the room #park and its history for ever? (yes/no) Deleted: #park\n",
        )
        self.assertEqual(self.json("deleted-rooms"), [])
        error = self.failed(REFUSED, "restore-room", "park")
        self.assertEqual(error, "chatd.admin: There is no deleted room #park.\n")
        self.assertIn("--id", self.failed(WRONG_USAGE, "restore-room", "park", "--id", "x"))
        error = self.failed(REFUSED, "delete-room", "garden", "--yes")
        self.assertEqual(error, "chatd.admin: There is no room #garden.\n")

    def test_roles_and_topics_are_set(self) -> None:
        """The topic - removes it, other words need no quotes; nor does a room need its #."""
        session, _ = self.harness.login_ack("bob", {})
        rooms = self.harness.realm.rooms
        self.harness.run(rooms.join(session, "#lobby"))
        self.assertEqual(
            self.output("room-role", "lobby", "BOB", "moderator"),
            "bob is now moderator of #lobby\n",
        )
        (answer,) = self.json("room-role", "#lobby", "bob", "member")
        self.assertEqual(answer, {"room": "#lobby", "name": "bob", "role": "member"})
        error = self.failed(REFUSED, "room-role", "lobby", "bob", "owner")
        self.assertEqual(error, "chatd.admin: #lobby has moderators and members only.\n")
        self.assertEqual(
            self.output("room-topic", "garden", "roses", "and"), "Topic set: #Garden\n"
        )
        self.assertEqual(self.json("rooms", "#G*")[0]["topic"], "roses and")
        self.assertEqual(self.output("room-topic", "garden", "-"), "Topic removed: #Garden\n")
        self.assertEqual(self.json("rooms", "#G*")[0]["topic"], "")
        self.assertIn("TEXT is missing", self.failed(WRONG_USAGE, "room-topic", "garden"))


class Reports(CommandCase):
    """``reports``."""

    def test_reports_are_listed_from_a_number_on(self) -> None:
        """Each report has a heading and indented lines."""
        self.assertEqual(self.output("reports"), "")
        for body in ("bob: rude\x1b[2J\nagain", "bob: ruder"):
            self.harness.realm.append(
                self.harness.realm.new_note("@server", "Ann", 0, "report", body)
            )
        self.harness.realm.flush()
        self.harness.settle()
        self.assertEqual(
            self.output("reports"),
            "1  1970-01-01 00:00  Ann reports\n    bob: rude\\x1b[2J\n    again\n"
            "2  1970-01-01 00:00  Ann reports\n    bob: ruder\n",
        )
        (report,) = self.json("reports", "--after", "1")
        self.assertEqual((report["seq"], report["body"]), (2, "bob: ruder"))
        self.assertEqual(self.output("reports", "--after=2"), "")

    def test_report_is_closed_with_a_note(self) -> None:
        """Closed reports are shown with --all."""
        for body in ("bob: rude", "bob: ruder"):
            self.harness.realm.append(
                self.harness.realm.new_note("@server", "Ann", 0, "report", body)
            )
        self.harness.realm.flush()
        self.harness.settle()
        self.assertEqual(
            self.output("reports", "close", "1", "talked", "to bob"), "Closed: report 1\n"
        )
        self.assertEqual([report["seq"] for report in self.json("reports")], [2])
        self.harness.now = 60_000
        self.output("reports", "close", "2")
        self.assertEqual(self.output("reports"), "")
        self.assertEqual(
            self.output("reports", "--all").splitlines()[-1], "    closed 1970-01-01 00:01"
        )
        self.assertEqual(self.json("reports", "--all")[0]["note"], "talked to bob")
        self.assertIn("closed already", self.failed(REFUSED, "reports", "close", "2"))
        for words in (["close"], ["close", "x"], ["close", "0"], ["open", "1"]):
            self.failed(WRONG_USAGE, "reports", *words)

    def test_quoted_message_is_explained(self) -> None:
        """One sentence on standard error, for any number of quoted messages."""
        for body in ("bob: rude\n@ann 1: psst", "bob: again\n#garden 12: hey"):
            self.harness.realm.append(
                self.harness.realm.new_note("@server", "Ann", 0, "report", body)
            )
        self.harness.realm.flush()
        self.harness.settle()
        self.assertEqual(
            self.command("reports").stderr,
            'A line "@NAME N: TEXT" or "#ROOM N: TEXT" quotes the reported message: entry N of the'
            " mailbox of NAME, or of #ROOM.\n",
        )
