"""The commands: what each takes on the command line, what it asks of the daemon, and what it
shows."""

from __future__ import annotations

import getopt
import getpass
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from twisted.python import usage

import chatd
from chatd.admin.connection import Daemon, RequestRefused
from chatd.admin.output import Item, Output, moment
from chatd.codecs import admin as c
from chatd.config.option_types import seconds

COMMANDS: list[tuple[str, type[Command], str]] = []
"""all of them, in the order of the help: name, options, what it does"""

_NEVER = "never"
_SHOWN = 12
"""characters of an invite's hash that are shown: enough to name it by"""


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise ValueError(f"a number is expected, not {text!r}")
    return int(text)


class Command(usage.Options):
    """What all commands have in common."""

    optFlags = [["json", None, "Show JSON, an object a line."]]
    longdesc: ClassVar[str]
    takes: ClassVar[Mapping[str, str | None]] = {}
    """the words that follow, and what each is if it is left out; None: it may not be"""

    def __init_subclass__(cls, name: str, help: str) -> None:
        cls.longdesc = help
        if name:
            COMMANDS.append((name, cls, help))

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def opt_version(self) -> None:
        """Show the version and leave."""
        print(f"chatd {chatd.__version__}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse; unlike the parent's, options may also follow the words."""
        try:
            found, words = getopt.gnu_getopt(list(options or ()), self.shortOpt, self.longOpt)
        except getopt.error as error:
            raise usage.UsageError(str(error)) from None
        takes_value = {f"--{name[:-1]}" for name in self.longOpt if name.endswith("=")}
        first = [
            f"{option}={value}" if option in takes_value else option for option, value in found
        ]
        super().parseOptions([*first, "--", *words])  # type: ignore[no-untyped-call]

    def parseArgs(self, *words: str) -> None:
        """Give the words their names."""
        if len(words) > len(self.takes):
            raise usage.UsageError(f"{words[len(self.takes)]!r} is too much")
        for at, (name, default) in enumerate(self.takes.items()):
            word = words[at] if at < len(words) else default
            if not word and default is None:
                raise usage.UsageError(f"{name.upper()} is missing")
            self[name] = word

    def run(self, daemon: Daemon, output: Output) -> None:
        """Do it. Raises `RequestRefused`, `NoDaemon`."""
        raise NotImplementedError

    def confirm(self, question: str) -> None:
        """Ask before something that cannot be undone. Raises `RequestRefused` unless the answer is
        yes."""
        if self["yes"]:
            return
        if not sys.stdin.isatty():
            raise usage.UsageError("this cannot be undone: give --yes")
        if input(f"{question} (yes/no) ").strip().lower() not in ("y", "yes"):
            raise RequestRefused("nothing was done")


class Users(Command, name="users", help="List accounts."):
    """Accounts."""

    synopsis = "[PATTERN] [--json]"
    takes = {"pattern": "*"}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        items = daemon.items(c.ListAccounts(self["pattern"], limit=1000))

        def row(user: Item) -> Sequence[object]:
            return (
                user["name"],
                "open" if user["open"] else "password",
                moment(user["created"]),
                "now" if user["sessions"] else moment(user["seen"]),
                user["sessions"],
            )

        output.table(items, ("NAME", "LOGIN", "MADE", "SEEN", "SESSIONS"), row)


class Sessions(Command, name="sessions", help="List who is logged in."):
    """Sessions."""

    synopsis = "[NAME] [--json]"
    takes = {"name": ""}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        items = daemon.items(c.ListSessions(self["name"], limit=1000))

        def row(session: Item) -> Sequence[object]:
            return session["name"], moment(session["since"]), session["about"]

        output.table(items, ("NAME", "SINCE", "ABOUT"), row)


class EndSessions(
    Command, name="end-sessions", help="End all sessions of an account; it may log in again."
):
    """End sessions."""

    synopsis = "NAME [SENTENCE] [--json]"
    takes = {"name": None, "sentence": ""}

    def parseArgs(self, *words: str) -> None:
        """An account, and what it is told, which need not be quoted."""
        super().parseArgs(*words[:1], *filter(None, [" ".join(words[1:])]))

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        answer = daemon.ask(c.EndSessions(self["name"], self["sentence"]))
        output.answer(answer, f"Sessions of {self['name']} ended: {answer['sessions']}")


class ResetPassword(Command, name="reset-password", help="Give an account another password."):
    """Reset a password."""

    synopsis = "NAME [--password-file FILE | --open] [--json]"
    takes = {"name": None}
    optParameters = [
        [
            "password-file",
            None,
            None,
            "The first line of FILE is the password; -: of the standard input.",
        ]
    ]
    optFlags = [["open", None, "Let the account have no password: anyone can use it."]]

    def postOptions(self) -> None:
        """Only one of the ways."""
        if self["open"] and self["password-file"] is not None:
            raise usage.UsageError(
                "an account is open or has a password: --open or --password-file, not both"
            )

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        password = None if self["open"] else self._password()
        answer = daemon.ask(c.SetPassword(self["name"], password))
        name = answer["name"]
        now = "can be used by anyone" if self["open"] else "has a new password"
        output.answer(answer, f"{name} {now}; its sessions have ended")

    def _password(self) -> str:
        path = self["password-file"]
        if path is None and sys.stdin.isatty():
            password = getpass.getpass(f"New password for {self['name']}: ")
            if getpass.getpass("Again: ") != password:
                raise RequestRefused("the passwords differ; nothing was done")
        elif path in (None, "-"):
            password = sys.stdin.readline().rstrip("\r\n")
        else:
            try:
                with Path(path).open(encoding="utf-8") as file:
                    password = file.readline().rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise usage.UsageError(
                    f"the password file {path} cannot be read: {error}"
                ) from None
        if not password:
            raise usage.UsageError("the password is empty; --open is for an account without one")
        return password


class Delete(Command, name="delete", help="Delete an account with its inbox."):
    """Delete an account."""

    synopsis = "NAME [--yes] [--json]"
    takes = {"name": None}
    optFlags = [["yes", "y", "Do not ask."]]

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        self.confirm(f"Delete the account {self['name']} with its inbox?")
        answer = daemon.ask(c.DeleteAccount(self["name"]))
        output.answer(answer, f"Deleted: {answer['name']}")


class Rooms(Command, name="rooms", help="List rooms, private ones as well."):
    """Rooms."""

    synopsis = "[PATTERN] [--json]"
    takes = {"pattern": "*"}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        items = daemon.items(c.ListRooms(self["pattern"], limit=1000))

        def row(room: Item) -> Sequence[object]:
            return (
                room["room"],
                "private" if room["private"] else "public",
                moment(room["created"]),
                room["owner"] or "-",
                room["members"],
                room["topic"],
            )

        output.table(items, ("ROOM", "ACCESS", "MADE", "OWNER", "MEMBERS", "TOPIC"), row)


class DeleteRoom(Command, name="delete-room", help="Delete a room with its history."):
    """Delete a room."""

    synopsis = "ROOM [--yes] [--json]"
    takes = {"room": None}
    optFlags = [["yes", "y", "Do not ask."]]

    def postOptions(self) -> None:
        """A room's # may be left out, since shells take it for a comment."""
        self["room"] = "#" + self["room"].removeprefix("#")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        self.confirm(f"Delete the room {self['room']} with its history?")
        answer = daemon.ask(c.DeleteRoom(self["room"]))
        output.answer(answer, f"Deleted: {answer['room']}")


class Reports(Command, name="reports", help="Show what users have reported, oldest first."):
    """Reports."""

    synopsis = "[--after SEQ] [--json]"
    optParameters = [
        ["after", None, 0, "Show only what came after the report of this number.", _count]
    ]

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        items = daemon.items(c.ListReports(self["after"], limit=1000))

        def paragraph(report: Item) -> Sequence[str]:
            heading = f"{report['seq']}  {moment(report['time'])}  {report['sender']} reports"
            return heading, *report["body"].split("\n")

        output.paragraphs(items, paragraph)


class Invite(
    Command, name="invite", help="Make an invite token, with which an account can be made."
):
    """Invite."""

    synopsis = "[--uses N] [--expires TIME] [--note TEXT] [--json]"
    optParameters = [
        ["uses", None, 1, "How many accounts can be made with it.", _count],
        [
            "expires",
            None,
            "7d",
            f"After how long it is worth nothing any more (s m h d w), or {_NEVER}.",
        ],
        ["note", None, "", "What to remember about it."],
    ]

    def postOptions(self) -> None:
        """Check the time."""
        try:
            self["seconds"] = None if self["expires"] == _NEVER else seconds(self["expires"])
        except ValueError as error:
            raise usage.UsageError(f"--expires: {error}, or {_NEVER}") from None

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        answer = daemon.ask(c.CreateInviteToken(self["uses"], self["seconds"], self["note"]))
        output.answer(answer, answer["token"])
        uses = "one account" if self["uses"] == 1 else f"{self['uses']} accounts"
        until = "without end" if answer["expires"] is None else f"until {moment(answer['expires'])}"
        output.aside(
            f"Good for {uses}, {until}. It is shown only now: give it to whoever shall make an account, "
            "which takes it together with the name and the password. "
            f"To take it back: python -m chatd.admin revoke {answer['key'][:_SHOWN]}"
        )


class Invites(Command, name="invites", help="List invites; their tokens are not known any more."):
    """Invites."""

    synopsis = "[--json]"

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""

        def row(invite: Item) -> Sequence[object]:
            return (
                invite["key"][:_SHOWN],
                moment(invite["created"]),
                _NEVER if invite["expires"] is None else moment(invite["expires"]),
                invite["uses"],
                invite["note"],
            )

        items = daemon.ask(c.ListInviteTokens())["items"]
        output.table(items, ("INVITE", "MADE", "EXPIRES", "USES LEFT", "NOTE"), row)


class Revoke(Command, name="revoke", help="Take back an invite."):
    """Revoke."""

    synopsis = "TOKEN | BEGINNING-OF-INVITE [--json]"
    takes = {"invite": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        answer = daemon.ask(c.RevokeInviteToken(self["invite"]))
        output.answer(answer, f"Revoked: {answer['key'][:_SHOWN]}")


class Stats(Command, name="stats", help="Show some numbers about the daemon."):
    """Statistics."""

    synopsis = "[--json]"

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        answer = daemon.ask(c.GetStatistics())
        lines = {
            "version": answer["version"],
            "started": moment(answer["started"]),
            "accounts": answer["accounts"],
            "rooms": answer["rooms"],
            **answer["counts"],
        }
        width = max(map(len, lines))
        output.answer(answer, *(f"{name.ljust(width)}  {value}" for name, value in lines.items()))


class Backup(
    Command, name="backup", help="Write a copy of the store, as of one moment, while it is in use."
):
    """Back up."""

    synopsis = "PATH [--json]"
    takes = {"path": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        # The daemon's folder is another.
        answer = daemon.ask(c.Backup(str(Path(self["path"]).absolute())))
        output.answer(answer, f"Written: {answer['path']}")
