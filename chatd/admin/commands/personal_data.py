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


class EraseAccount(DaemonCommand):
    """``erase``: delete an account with what it has written."""

    name = "erase"
    longdesc = (
        "Delete an account, and erase the texts that it has written to rooms and to the mailboxes "
        "of others. If that is interrupted, the same command goes on with it."
    )
    synopsis = "NAME [--yes] [--json]"
    arguments = {"name": None}
    optFlags = [["yes", "y", "Do not ask for confirmation."]]

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        name = self["name"]
        self.confirm(f"Delete the account {name} and erase everything that it has written?")
        answer = daemon.ask(c.EraseAccount(name))
        while answer["more"]:
            answer = daemon.ask(c.EraseAccount(name, resume=True))
        output.answer(answer, f"Erased: {answer['name']}, and texts: {answer['erased']}")
