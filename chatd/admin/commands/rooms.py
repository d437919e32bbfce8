"""Commands about rooms and the reports of users."""

from __future__ import annotations

import re
from collections.abc import Sequence

from twisted.python import usage

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
    """``reports``: the reports of users, as paragraphs; ``reports close`` closes one."""

    name = "reports"
    longdesc = (
        "Show the open reports of users, oldest first; or close one, with a note for operators."
    )
    synopsis = "[--all] [--after SEQ] [--json] | close SEQ [NOTE] [--json]"
    arguments = {"action": "", "seq": "", "note": ""}
    optFlags = [["all", None, "Show closed reports as well."]]
    optParameters = [["after", None, "0", "Show only reports with a greater number than SEQ."]]

    def parseArgs(self, *words: str) -> None:
        """The note may be several words without quotes."""
        super().parseArgs(*words[:2], *filter(None, [" ".join(words[2:])]))

    def postOptions(self) -> None:
        """Check the action and the numbers."""
        if self["action"] not in ("", "close"):
            raise usage.UsageError(f"unexpected argument: {self['action']!r}")
        if self["action"]:
            if not re.fullmatch("[1-9][0-9]{0,14}", self["seq"]):
                raise usage.UsageError(f"SEQ is the number of a report, not {self['seq']!r}")
            self["seq"] = int(self["seq"])
        self["after"] = self.number("after")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        if self["action"]:
            answer = daemon.ask(c.CloseReport(self["seq"], self["note"]))
            output.answer(answer, f"Closed: report {answer['seq']}")
        else:
            self._list(daemon, output)

    def _list(self, daemon: Daemon, output: Output) -> None:
        quoting = False

        def paragraph(report: Item) -> Sequence[str]:
            nonlocal quoting
            quoting = quoting or _QUOTE.search(report["body"]) is not None
            heading = f"{report['seq']}  {moment(report['time'])}  {report['sender']} reports"
            closed = report["closed"]
            end = f"closed {moment(closed)}  {report['note']}".rstrip() if closed else ""
            return heading, *report["body"].split("\n"), *filter(None, [end])

        request = c.ListReports(self["after"], limit=1000, open=not self["all"])
        reports = daemon.items(request)
        output.paragraphs(reports, paragraph)
        if quoting:
            output.note(
                'A line "@NAME N: TEXT" or "#ROOM N: TEXT" quotes the reported message: entry N of'
                " the mailbox of NAME, or of #ROOM."
            )
