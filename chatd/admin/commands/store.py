"""Commands about the daemon and its store as a whole: statistics, backup and log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.python import usage

from chatd.admin.commands.command import DaemonCommand
from chatd.admin.connection import Daemon
from chatd.admin.output import Output, moment
from chatd.codecs import admin as c
from chatd.config.option_types import log_level


class ShowStatistics(DaemonCommand):
    """``stats``: version, start and counts."""

    name = "stats"
    longdesc = "Show the version, the start time and statistics of the daemon."
    synopsis = "[--json]"

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.GetStatistics())
        values = {
            "version": answer["version"],
            "started": moment(answer["started"]),
            "accounts": answer["accounts"],
            "rooms": answer["rooms"],
            **answer["counts"],
            **_of_store(answer["store"]),
            **{f"waiting: {name}": length for name, length in answer["queues"].items()},
            **{f"refused: {code}": count for code, count in sorted(answer["refusals"].items())},
            **{f"bound met: {name}": count for name, count in sorted(answer["quotas_met"].items())},
        }
        width = max(map(len, values))
        output.answer(answer, *(f"{name.ljust(width)}  {value}" for name, value in values.items()))


def _of_store(store: Mapping[str, Any]) -> dict[str, object]:
    """What the store has done, as it is shown."""
    mean = 1000 * store["commit_seconds"] / max(1, store["batches"])
    return {
        "entries since the start": store["entries"],
        "characters of these": store["characters"],
        "commits": store["batches"],
        "mean time of a commit": f"{mean:.1f} ms",
        "longest commit": f"{1000 * store['longest_commit']:.1f} ms",
    }


class Backup(DaemonCommand):
    """``backup``: write a copy of the store."""

    name = "backup"
    longdesc = "Write a consistent copy of the store to a new file while the daemon runs."
    synopsis = "PATH [--json]"
    arguments = {"path": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        # The daemon runs in another directory.
        answer = daemon.ask(c.Backup(str(Path(self["path"]).absolute())))
        output.answer(answer, f"Written: {answer['path']}")


class SetLogLevel(DaemonCommand):
    """``log-level``: log more or less."""

    name = "log-level"
    longdesc = (
        "Log lines of this level and above from now on: debug, info, warn, error or critical. "
        "Without a level, show the present one."
    )
    synopsis = "[LEVEL] [--json]"
    arguments = {"level": ""}

    def postOptions(self) -> None:
        """Check the level."""
        try:
            self["level"] = self["level"] and log_level(self["level"])
        except ValueError as error:
            raise usage.UsageError(str(error)) from None

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `DaemonCommand.run`."""
        answer = daemon.ask(c.SetLogLevel(self["level"]))
        output.answer(answer, f"Log level: {answer['level']}")
