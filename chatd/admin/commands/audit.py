"""The command that shows what operators have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import Item, Output, moment
from chatd.codecs import admin as c


class ListAudit(DaemonCommand):
    """``audit``: a table of operators' commands."""

    name = "audit"
    longdesc = "Show what operators have done, oldest first: when, who, what, and the result."
    synopsis = "[--after SEQ] [--json]"
    optParameters = [["after", None, "0", "Show only entries with a greater number than SEQ."]]

    def postOptions(self) -> None:
        """Check the number."""
        self["after"] = self.number("after")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        def row(entry: Item) -> Sequence[object]:
            refused = entry["refused"]
            result = f"refused: {refused}" if refused else _shown(entry["result"])
            return (
                entry["seq"],
                moment(entry["time"]),
                entry["user"],
                entry["command"],
                _shown(entry["arguments"]),
                result,
            )

        entries = daemon.items(c.ListAudit(self["after"], limit=1000))
        output.table(entries, ("SEQ", "TIME", "USER", "COMMAND", "ARGUMENTS", "RESULT"), row)


def _shown(values: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
