"""Commands about accounts: list, sessions, password, certificates, delete."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.python import usage

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon, RequestRefused
from chatd.admin.output import Item, Output, end, moment
from chatd.codecs import admin as c


class ListAccounts(DaemonCommand):
    """``users``: a table of accounts."""

    name = "users"
    longdesc = "List accounts."
    synopsis = "[PATTERN] [--suspended] [--json]"
    arguments = {"pattern": "*"}
    optFlags = [["suspended", None, "Only suspended accounts, with the reasons."]]

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        def row(account: Item) -> Sequence[object]:
            return (
                account["name"],
                _login(account),
                moment(account["created"]),
                "now" if account["sessions"] else moment(account["seen"]),
                account["sessions"],
            )

        def suspended_row(account: Item) -> Sequence[object]:
            suspension = account["suspended"]
            since, until = moment(suspension["since"]), end(suspension["until"])
            return account["name"], since, until, suspension["reason"]

        suspended = bool(self["suspended"])
        request = c.ListAccounts(self["pattern"], limit=1000, suspended=suspended)
        if suspended:
            headings: Sequence[str] = ("NAME", "SUSPENDED", "ENDS", "REASON")
            output.table(daemon.items(request), headings, suspended_row)
        else:
            headings = ("NAME", "LOGIN", "CREATED", "LAST SEEN", "SESSIONS")
            output.table(daemon.items(request), headings, row)


def _login(account: Item) -> str:
    if account["suspended"] is not None:
        return "suspended"
    return "open" if account["open"] else "password"


class ListSessions(DaemonCommand):
    """``sessions``: a table of sessions."""

    name = "sessions"
    longdesc = "List the sessions of an account, or of all accounts."
    synopsis = "[NAME] [--json]"
    arguments = {"name": ""}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        def row(session: Item) -> Sequence[object]:
            return session["name"], moment(session["since"]), session["about"]

        sessions = daemon.items(c.ListSessions(self["name"], limit=1000))
        output.table(sessions, ("NAME", "SINCE", "CONNECTION"), row)


class EndSessions(DaemonCommand):
    """``end-sessions``: disconnect an account."""

    name = "end-sessions"
    longdesc = "End all sessions of an account, with an optional reason. It can log in again."
    synopsis = "NAME [REASON] [--json]"
    arguments = {"name": None, "reason": ""}

    def parseArgs(self, *words: str) -> None:
        """The reason may be several words without quotes."""
        super().parseArgs(*words[:1], *filter(None, [" ".join(words[1:])]))

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.EndSessions(self["name"], self["reason"]))
        output.answer(answer, f"Sessions of {self['name']} that were ended: {answer['sessions']}")


class SetPassword(DaemonCommand):
    """``reset-password``: set a password, or remove it."""

    name = "reset-password"
    longdesc = "Set the password of an account, or make it open, and end its sessions."
    synopsis = "NAME [--password-file FILE | --open] [--json]"
    arguments = {"name": None}
    optParameters = [
        [
            "password-file",
            None,
            None,
            "Take the first line of FILE as the password; - is standard input.",
        ]
    ]
    optFlags = [["open", None, "Remove the password: anyone can log in to an open account."]]

    def postOptions(self) -> None:
        """Check that at most one source of the password is given."""
        if self["open"] and self["password-file"] is not None:
            raise usage.UsageError("--open and --password-file exclude each other")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        password = None if self["open"] else self._password()
        answer = daemon.ask(c.SetPassword(self["name"], password))
        change = "is open: anyone can log in to it" if self["open"] else "has a new password"
        output.answer(answer, f"{answer['name']} {change}; its sessions were ended")

    def _password(self) -> str:
        path = self["password-file"]
        if path is None and sys.stdin.isatty():
            password = getpass.getpass(f"New password for {self['name']}: ")
            if getpass.getpass("Again: ") != password:
                raise RequestRefused("the passwords differ; nothing was changed")
        elif path in (None, "-"):
            try:
                password = sys.stdin.readline().rstrip("\r\n")
                password.encode()  # Wrong bytes may have become surrogates.
            except UnicodeError:
                raise usage.UsageError("the password is not valid text") from None
        else:
            try:
                with Path(path).open(encoding="utf-8") as file:
                    password = file.readline().rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                reason = (getattr(error, "strerror", None) or str(error)).lower()
                raise usage.UsageError(f"cannot read the password file {path}: {reason}") from None
        if not password:
            raise usage.UsageError("the password is empty; for an account without one, give --open")
        return password


class SetCertificates(DaemonCommand):
    """``certificate``: choose the certificates that log in to an account."""

    name = "certificate"
    longdesc = "Set the TLS certificates that log in to an account, by their fingerprints."
    synopsis = "NAME SHA256[,SHA256...]|none [--json]"
    arguments = {"name": None, "fingerprints": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        words = self["fingerprints"]
        fingerprints = [] if words == "none" else words.split(",")
        answer = daemon.ask(c.SetCertificates(self["name"], fingerprints))
        ability = "can log in" if fingerprints else "can no longer log in"
        output.answer(answer, f"{answer['name']} {ability} by certificate")


class DeleteAccount(DaemonCommand):
    """``delete``: delete an account."""

    name = "delete"
    longdesc = "Delete an account and its mailbox."
    synopsis = "NAME [--yes] [--json]"
    arguments = {"name": None}
    optFlags = [["yes", "y", "Do not ask for confirmation."]]

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        self.confirm(f"Delete the account {self['name']} and its mailbox?")
        answer = daemon.ask(c.DeleteAccount(self["name"]))
        output.answer(answer, f"Deleted: {answer['name']}")
