"""Commands against misuse, and to all: suspend, ban, announce."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import Item, Output, end, moment
from chatd.codecs import admin as c


class Suspend(DaemonCommand):
    """``suspend``: keep an account from being used."""

    name = "suspend"
    longdesc = (
        "Suspend an account: its sessions end, and it cannot log in meanwhile. Both show it the "
        "reason. Mail to it is stored."
    )
    synopsis = "NAME [--for TIME] [--reason TEXT] [--json]"
    arguments = {"name": None}
    optParameters = [
        ["for", None, None, "How long: a number and a unit (s m h d w); else until unsuspend."],
        ["reason", None, "", "The reason, which the account is shown."],
    ]

    def postOptions(self) -> None:
        """Check the time."""
        self["seconds"] = self.span("for")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.Suspend(self["name"], self["seconds"], self["reason"]))
        until = answer["until"]
        when = "until you end that (unsuspend)" if until is None else f"until {end(until)}"
        output.answer(
            answer,
            f"{answer['name']} is suspended {when}; sessions that were ended: {answer['sessions']}",
        )


class Unsuspend(DaemonCommand):
    """``unsuspend``: let a suspended account be used again."""

    name = "unsuspend"
    longdesc = "End the suspension of an account. Its password and its tokens log in again."
    synopsis = "NAME [--json]"
    arguments = {"name": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.Unsuspend(self["name"]))
        output.answer(answer, f"{answer['name']} is not suspended any more")


class Announce(DaemonCommand):
    """``announce``: show a text to all."""

    name = "announce"
    longdesc = "Show a text to all sessions. It is not stored."
    synopsis = "TEXT [--json]"
    arguments = {"text": None}

    def parseArgs(self, *words: str) -> None:
        """The text may be several words without quotes."""
        super().parseArgs(*filter(None, [" ".join(words)]))

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.Announce(self["text"]))
        output.answer(answer, f"Shown to sessions: {answer['sessions']}")


class BanAddress(DaemonCommand):
    """``ban``: keep the clients at an address from connecting."""

    name = "ban"
    longdesc = (
        "Ban an address, or a network such as 192.0.2.0/24: its sessions are ended and shown the "
        "reason, its other connections are closed, and new ones are refused. The admin socket "
        "works from everywhere."
    )
    synopsis = "ADDRESS [--for TIME] [--reason TEXT] [--force] [--json]"
    arguments = {"address": None}
    optParameters = [
        ["for", None, None, "How long: a number and a unit (s m h d w); else until unban."],
        ["reason", None, "", "The reason, which its sessions are shown."],
    ]
    optFlags = [["force", None, "Ban it although this machine is in it."]]

    def postOptions(self) -> None:
        """Check the time."""
        self["seconds"] = self.span("for")

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(
            c.BanAddress(self["address"], self["seconds"], self["reason"], bool(self["force"]))
        )
        until = answer["until"]
        when = "until you end that (unban)" if until is None else f"until {end(until)}"
        output.answer(
            answer,
            f"{answer['network']} is banned {when}; sessions that were ended: "
            f"{answer['sessions']}, other connections: {answer['connections']}",
        )


class UnbanAddress(DaemonCommand):
    """``unban``: let the clients at an address connect again."""

    name = "unban"
    longdesc = "End the ban of an address or a network, as `bans` shows it."
    synopsis = "ADDRESS [--json]"
    arguments = {"address": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.UnbanAddress(self["address"]))
        output.answer(answer, f"{answer['network']} is not banned any more")


class ListAddressBans(DaemonCommand):
    """``bans``: a table of banned addresses and networks."""

    name = "bans"
    longdesc = "List the addresses and networks that are banned."
    synopsis = "[--json]"

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""

        def row(ban: Item) -> Sequence[object]:
            return ban["network"], moment(ban["since"]), end(ban["until"]), ban["reason"]

        bans = daemon.ask(c.ListAddressBans())["items"]
        output.table(bans, ("NETWORK", "SINCE", "ENDS", "REASON"), row)
