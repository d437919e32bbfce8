"""``python -m chatd.admin``: the command line, and the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing

from twisted.python import usage

import chatd
import chatd.admin.certificates
from chatd.admin.certificates import Alone
from chatd.admin.commands import COMMANDS, Command
from chatd.admin.connection import Daemon, NoDaemon, RequestRefused
from chatd.admin.output import Output
from chatd.config.options import Options as DaemonOptions

REFUSED, WRONG_USAGE, NO_DAEMON, INTERRUPTED = 1, 2, 3, 130
"""exit statuses; 0: it was done"""


class Options(usage.Options):
    """Where the daemon is, and a command."""

    longdesc = """
Administer a running chatd, as the user that runs it. Where its socket is, if --admin does not say it, is
found as the daemon finds it: by CHATD_ADMIN, CHATD_STORE, CHATD_CONFIG, or chatd.db.admin in this folder.
COMMAND --help shows the options of a command.
Exit status: 0 done; 1 refused; 2 the command line is wrong; 3 no daemon is there.""".rstrip()
    optParameters = [
        ["admin", None, None, "The daemon's admin socket."],
        ["config", "c", None, "The daemon's configuration file."],
    ]
    subCommands = [(name, None, options, about) for name, options, about in COMMANDS]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def getSynopsis(self) -> str:
        """The first line of the help, also of a command's."""
        return "Usage: python -m chatd.admin [--admin PATH]" + (
            " COMMAND [its options]" if self.subCommand is None else ""
        )

    def opt_version(self) -> None:
        """Show the version and leave."""
        print(f"chatd {chatd.__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """There has to be a command."""
        if self.subCommand is None:
            raise usage.UsageError(
                "a command is missing: " + ", ".join(name for name, _, _ in COMMANDS)
            )

    def socket_path(self) -> str:
        """Where the daemon's socket is. Raises `usage.UsageError`."""
        options = DaemonOptions()
        options.parseOptions(
            [
                word
                for name in ("admin", "config")
                if self[name] is not None
                for word in (f"--{name}", self[name])
            ]
        )
        if options["admin"] is None:
            raise usage.UsageError(
                "the daemon has no admin socket by these options; give --admin PATH"
            )
        return str(options["admin"])


def main(arguments: Sequence[str]) -> int:
    """Carry out a command; the exit status."""
    options = Options()
    try:
        options.parseOptions(arguments)  # type: ignore[no-untyped-call]
        command: Command = options.subOptions
        output = Output(bool(command["json"]))
        if isinstance(command, Alone):
            command.run_alone(output)
        else:
            with closing(Daemon(options.socket_path())) as daemon:
                command.run(daemon, output)
    except usage.UsageError as error:
        return _complain(f"{error} (see: python -m chatd.admin --help)", WRONG_USAGE)
    except RequestRefused as refusal:
        return _complain(str(refusal), REFUSED)
    except NoDaemon as trouble:
        return _complain(str(trouble), NO_DAEMON)
    except UnicodeEncodeError:
        return _complain("a word of the command line is no text", WRONG_USAGE)
    except BrokenPipeError:
        # Whoever read the output has enough; the interpreter must not fail at its rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (KeyboardInterrupt, EOFError):
        return _complain("interrupted", INTERRUPTED)
    return 0


def _complain(sentence: str, status: int) -> int:
    print(f"chatd.admin: {sentence}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
