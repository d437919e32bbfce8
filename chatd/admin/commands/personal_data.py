"""The commands about the data of one person."""

from __future__ import annotations

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import Output
from chatd.codecs import admin as c


class ExportAccount(DaemonCommand):
    """``export``: everything that is stored of an account, as JSON Lines."""

    name = "export"
    longdesc = (
        "Write everything that is stored of an account to standard output, one JSON object per "
        "line. Every room and mailbox is read, which may take long on a large server."
    )
    synopsis = "NAME [--json]"
    arguments = {"name": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        for item in daemon.items(c.ExportAccount(self["name"])):
            output.item(item)
