"""Commands against misuse, and to all: suspend, unsuspend, announce."""

from __future__ import annotations

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import Output, moment
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
        end = "until you end that (unsuspend)" if until is None else f"until {moment(until)}"
        output.answer(
            answer,
            f"{answer['name']} is suspended {end}; sessions that were ended: {answer['sessions']}",
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
