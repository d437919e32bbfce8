"""Commands about rooms and the reports of users."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import Item, Output, moment
from chatd.codecs import admin as c
from chatd.core.names import complete_room_name

_QUOTE = re.compile(r"^[@#]\S+ \d+: ", re.M)
"""the beginning of a line that quotes a message, by its log and seq"""


class ListRooms(DaemonCommand):
    """``rooms``: a table of rooms."""

    name = "rooms"
    longdesc = "List rooms, including private ones."
    synopsis = "[PATTERN] [--json]"
    arguments = {"pattern": "*"}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        def row(room: Item) -> Sequence[object]:
            return (
                room["room"],
                "private" if room["private"] else "public",
                moment(room["created"]),
                room["owner"] or "-",
                room["members"],
                room["topic"],
            )

        rooms = daemon.items(c.ListRooms(self["pattern"], limit=1000))
        output.table(rooms, ("ROOM", "ACCESS", "CREATED", "OWNER", "MEMBERS", "TOPIC"), row)


class DeleteRoom(DaemonCommand):
    """``delete-room``: delete a room."""

    name = "delete-room"
    longdesc = "Delete a room and its history. The # of its name may be left out."
    synopsis = "ROOM [--yes] [--json]"
    arguments = {"room": None}
    optFlags = [["yes", "y", "Do not ask for confirmation."]]

    def postOptions(self) -> None:
        """Complete the name: shells take a # for a comment."""
        self["room"] = complete_room_name(self["room"])

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        self.confirm(f"Delete the room {self['room']} and its history?")
        answer = daemon.ask(c.DeleteRoom(self["room"]))
        output.answer(answer, f"Deleted: {answer['room']}")


class SetRoomRole(DaemonCommand):
    """``room-role``: give a member of a room another role."""

    name = "room-role"
    longdesc = (
        "Give a member of a room another role: owner, deputy, moderator or member. In #lobby: "
        "moderator or member. The # of the room may be left out."
    )
    synopsis = "ROOM NAME ROLE [--json]"
    arguments = {"room": None, "name": None, "role": None}

    def postOptions(self) -> None:
        """Complete the name of the room."""
        self["room"] = complete_room_name(self["room"])

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.SetRoomRole(self["room"], self["name"], self["role"]))
        output.answer(answer, f"{answer['name']} is now {answer['role']} of {answer['room']}")


class SetRoomTopic(DaemonCommand):
    """``room-topic``: set or remove the topic of a room."""

    name = "room-topic"
    longdesc = "Set the topic of a room, or remove it (-). The # of the room may be left out."
    synopsis = "ROOM TEXT|- [--json]"
    arguments = {"room": None, "text": None}

    def postOptions(self) -> None:
        """Complete the name of the room."""
        self["room"] = complete_room_name(self["room"])
        if self["text"] == "-":
            self["text"] = ""

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.SetRoomTopic(self["room"], self["text"]))
        done = "set" if self["text"] else "removed"
        output.answer(answer, f"Topic {done}: {answer['room']}")


class ListReports(DaemonCommand):
    """``reports``: the reports of users, as paragraphs."""

    name = "reports"
    longdesc = "Show the reports of users, oldest first."
    synopsis = "[--after SEQ] [--json]"
    optParameters = [["after", None, "0", "Show only reports with a greater number than SEQ."]]

    def postOptions(self) -> None:
        """Check the number."""
        self["after"] = self.number("after")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        quoting = False

        def paragraph(report: Item) -> Sequence[str]:
            nonlocal quoting
            quoting = quoting or _QUOTE.search(report["body"]) is not None
            heading = f"{report['seq']}  {moment(report['time'])}  {report['sender']} reports"
            return heading, *report["body"].split("\n")

        reports = daemon.items(c.ListReports(self["after"], limit=1000))
        output.paragraphs(reports, paragraph)
        if quoting:
            output.note(
                'A line "@NAME N: TEXT" or "#ROOM N: TEXT" quotes the reported message: entry N of'
                " the mailbox of NAME, or of #ROOM."
            )
