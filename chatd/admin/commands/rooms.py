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
    longdesc = (
        "Delete a room and its history. The # of its name may be left out. It can be restored for "
        "a time (restore-room), unless it is deleted with --now."
    )
    synopsis = "ROOM [--now] [--yes] [--json]"
    arguments = {"room": None}
    optFlags = [
        ["yes", "y", "Do not ask for confirmation."],
        ["now", None, "Remove it at once, and what is left of deleted rooms of its name."],
    ]

    def postOptions(self) -> None:
        """Complete the name: shells take a # for a comment."""
        self["room"] = complete_room_name(self["room"])

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        for_ever = " for ever" if self["now"] else ""
        self.confirm(f"Delete the room {self['room']} and its history{for_ever}?")
        answer = daemon.ask(c.DeleteRoom(self["room"], bool(self["now"])))
        output.answer(answer, f"Deleted: {answer['room']}")


class ListDeletedRooms(DaemonCommand):
    """``deleted-rooms``: a table of rooms that can be restored."""

    name = "deleted-rooms"
    longdesc = "List deleted rooms that can be restored, in the order of their deletion."
    synopsis = "[--json]"

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        def row(room: Item) -> Sequence[object]:
            return (
                room["room"],
                room["id"],
                moment(room["deleted"]),
                room["by"],
                moment(room["until"]),
                room["owner"] or "-",
                room["members"],
            )

        rooms = daemon.items(c.ListDeletedRooms(limit=1000))
        output.table(rooms, ("ROOM", "ID", "DELETED", "BY", "UNTIL", "OWNER", "MEMBERS"), row)


class RestoreRoom(DaemonCommand):
    """``restore-room``: restore a deleted room."""

    name = "restore-room"
    longdesc = (
        "Restore a deleted room with its history and its last members. The # of a room may be left "
        "out. Without --id, it is the one of this name that was deleted last."
    )
    synopsis = "ROOM [--id ID] [--as ROOM] [--owner NAME] [--json]"
    arguments = {"room": None}
    optParameters = [
        ["id", None, "", "Restore the room with this id, as deleted-rooms shows it."],
        ["as", None, None, "Give it this name, if another room has got its name meanwhile."],
        ["owner", None, None, "Make this account its owner, and a member if it was none."],
    ]

    def postOptions(self) -> None:
        """Complete the names of rooms, and check the number."""
        self["room"] = complete_room_name(self["room"])
        self["as"] = complete_room_name(self["as"]) if self["as"] else ""
        if not re.fullmatch("[0-9]{0,19}", self["id"]):
            raise usage.UsageError(f"--id: a number is expected, not {self['id']!r}")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        request = c.RestoreRoom(self["room"], self["id"], self["as"], self["owner"] or "")
        answer = daemon.ask(request)
        members = "1 member" if answer["members"] == 1 else f"{answer['members']} members"
        output.answer(answer, f"Restored: {answer['room']}, with {members}")


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

    def parseArgs(self, *words: str) -> None:
        """The text may be several words without quotes."""
        super().parseArgs(*words[:1], *filter(None, [" ".join(words[1:])]))

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
            if not self["seq"]:
                raise usage.UsageError("SEQ is missing")
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
