"""The command that deletes many accounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.python import usage

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import Item, Output, moment
from chatd.codecs import admin as c


class DeleteAccounts(DaemonCommand):
    """``delete-accounts``: delete old or idle accounts, or list what would be deleted."""

    name = "delete-accounts"
    longdesc = (
        "Delete the accounts whose names match PATTERN, and that were created, or last seen, "
        "longer ago than TIME (a number and a unit: s m h d w). With both options, both must hold."
    )
    synopsis = "PATTERN [--older TIME] [--idle TIME] [--dry-run] [--yes] [--json]"
    arguments = {"pattern": None}
    optParameters = [
        ["older", None, None, "Only accounts that were created longer ago."],
        ["idle", None, None, "Only accounts that have not been online for so long."],
    ]
    optFlags = [
        ["dry-run", None, "Delete nothing: list the accounts."],
        ["yes", "y", "Do not ask for confirmation."],
    ]

    def postOptions(self) -> None:
        """Check the times."""
        self["older"], self["idle"] = self.span("older"), self.span("idle")
        if self["older"] is None and self["idle"] is None:
            raise usage.UsageError("--older TIME or --idle TIME is missing")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        def row(account: Item) -> Sequence[object]:
            refused = account["refused"]
            result = f"refused: {refused}" if refused else "" if self["dry-run"] else "deleted"
            return account["name"], moment(account["created"]), moment(account["seen"]), result

        if not self["dry-run"] and not self["yes"]:
            count = sum(1 for _ in self._items(daemon, dry_run=True))
            if not count:
                output.note("No account matches; nothing is deleted.")
                return
            accounts = "1 account that matches" if count == 1 else f"{count} accounts that match"
            self.confirm(f"Delete {accounts} {self['pattern']}?")
        items = self._items(daemon, bool(self["dry-run"]))
        output.table(items, ("NAME", "CREATED", "LAST SEEN", "RESULT"), row)

    def _items(self, daemon: Daemon, dry_run: bool) -> Iterator[Item]:
        return daemon.items(
            c.DeleteAccounts(self["pattern"], self["older"], self["idle"], dry_run, limit=100)
        )
