"""The command line: its options, the daemon's socket, and the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing

from twisted.python import usage

import chatd
from chatd.admin.commands import COMMANDS
from chatd.admin.commands.command import Command, DaemonCommand, LocalCommand
from chatd.admin.connection import NoDaemon, RequestRefused, connect
from chatd.admin.output import Output, OutputFailed, output_failed
from chatd.config.options import Options as DaemonOptions
from chatd.config.python_command import python_command

REFUSED, WRONG_USAGE, NO_DAEMON, INTERRUPTED = 1, 2, 3, 130
"""exit statuses; 0: the command was carried out"""


class Options(usage.Options):
    """The options before the command, and the command."""

    longdesc = """
Administer a running chatd, as the user that runs the daemon or as root. COMMAND --help shows the
options of a command. Without --admin the daemon's socket is found as the daemon finds it: by
CHATD_ADMIN, CHATD_STORE, the configuration file (--config, CHATD_CONFIG), or chatd.db.admin in the
current directory. Exit status: 0 done; 1 refused; 2 wrong usage; 3 no daemon.""".rstrip()
    optParameters = [
        ["admin", None, None, "The daemon's admin socket."],
        ["config", "c", None, "The daemon's configuration file."],
    ]
    subCommands = [(command.name, None, command, command.longdesc) for command in COMMANDS]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def getSynopsis(self) -> str:
        """The beginning of the first line of the help, also of the help of a command."""
        return "Usage: python -m chatd.admin [--admin PATH]" + (
            " COMMAND [options]" if self.subCommand is None else ""
        )

    def opt_version(self) -> None:
        """Show the version and exit."""
        print(f"chatd {chatd.__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Check that there is a command."""
        if self.subCommand is None:
            names = ", ".join(command.name for command in COMMANDS)
            raise usage.UsageError(f"a command is missing: {names}")

    def socket_path(self) -> str:
        """The path of the daemon's admin socket. Raises `usage.UsageError`."""
        options = DaemonOptions()
        options.parseOptions(
            [f"--{name}={self[name]}" for name in ("admin", "config") if self[name] is not None]
        )
        if options["admin"] is None:
            raise usage.UsageError(
                "the daemon has no admin socket according to these options; give --admin PATH"
            )
        return str(options["admin"])


def main(arguments: Sequence[str]) -> int:
    """Carry out a command and return the exit status.

    Raises `SystemExit` after --help and --version.
    """
    if sys.stdin is None:  # It is closed: what is read from it is empty.
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stdout is None:
        return _fail("standard output is closed; nothing was done", WRONG_USAGE)
    options = Options()
    try:
        _parse(options, arguments)
        command: Command = options.subOptions
        output = Output(bool(command["json"]))
        if isinstance(command, LocalCommand):
            command.run(output)
        elif isinstance(command, DaemonCommand):
            with closing(connect(options.socket_path())) as daemon:
                command.run(daemon, output)
    except usage.UsageError as error:
        words = [python_command(), "-m chatd.admin", options.subCommand or "", "--help"]
        return _fail(f"{error} (see: {' '.join(filter(None, words))})", WRONG_USAGE)
    except RequestRefused as refusal:
        return _fail(str(refusal), REFUSED)
    except OutputFailed as error:
        _discard_output()
        return _fail(str(error), REFUSED)
    except NoDaemon as error:
        return _fail(str(error), NO_DAEMON)
    except UnicodeEncodeError:
        return _fail("an argument is not valid text", WRONG_USAGE)
    except BrokenPipeError:
        _discard_output()  # Its reader has closed it.
    except (KeyboardInterrupt, EOFError):
        return _fail("interrupted", INTERRUPTED)
    return 0


def _parse(options: Options, arguments: Sequence[str]) -> None:
    """Parse the command line. Raises `SystemExit` after a help page, and what `Output` raises."""
    try:
        try:
            options.parseOptions(arguments)  # type: ignore[no-untyped-call]
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise output_failed(error) from None


def _discard_output() -> None:
    """Write to nowhere from now on: the interpreter flushes standard output again when it exits,
    which must not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(sentence: str, status: int) -> int:
    print(f"chatd.admin: {sentence}", file=sys.stderr)
    return status
