"""The state of standard input and output: what they are, and how they are restored at the end."""

from __future__ import annotations

import os
import signal
import stat
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chatd.client.cli.exit_status import FAILED, SUCCESS

INPUT, OUTPUT, ERRORS = 0, 1, 2

# Signals that end a process by default, and that a user or another process may send. The client
# handles the others: SIGINT, SIGTERM and SIGHUP.
_DEADLY = (
    signal.SIGQUIT,
    signal.SIGABRT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGXCPU,
)


def open_closed_streams() -> bool:
    """Open input and error output if the caller has closed them: there is nothing to read, and
    errors are dropped. Returns whether the output is open."""
    for fd, mode in ((INPUT, os.O_RDONLY), (ERRORS, os.O_WRONLY)):
        if not _is_open(fd):
            null = os.open(os.devnull, mode)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)
    if sys.stderr is None:
        sys.stderr = open(ERRORS, "w", closefd=False)  # noqa: SIM115
    return _is_open(OUTPUT)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def at_terminal() -> bool:
    """Whether input and output are a terminal that can move its cursor."""
    return os.isatty(INPUT) and os.isatty(OUTPUT) and os.environ.get("TERM") != "dumb"


def size() -> tuple[int, int]:
    """The terminal's columns and lines; 80 and 24 if the terminal does not report them."""
    with suppress(OSError):
        columns, lines = os.get_terminal_size(OUTPUT)
        if columns > 1 and lines > 1:
            return columns, lines
    return 80, 24


@contextmanager
def printing() -> Iterator[None]:
    """Flush what is printed by `print`, such as a help page.

    Raises `SystemExit` if it cannot be written: with the status `FAILED` and a sentence, or with
    `SUCCESS` if the reader of the output has closed it.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        # The interpreter flushes once more when it exits, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), OUTPUT)
        if not isinstance(error, BrokenPipeError):
            write_error(f"The output cannot be written: {error.strerror}.")
            sys.exit(FAILED)
        sys.exit(SUCCESS)


@contextmanager
def restored_blocking() -> Iterator[None]:
    """Restore the blocking mode of the three streams at the end; other processes may share them."""
    blocking = {fd: os.get_blocking(fd) for fd in (INPUT, OUTPUT, ERRORS)}
    try:
        yield
    finally:
        for fd, before in blocking.items():
            with suppress(OSError):
                os.set_blocking(fd, before)


def set_raw() -> None:
    """Put the terminal into raw mode, for the first time or after the process was stopped."""
    tty.setraw(INPUT)


@contextmanager
def raw(reset: str) -> Iterator[None]:
    """Put the terminal into raw mode: each key is read when it is pressed, without echo.

    At the end, however it is reached, `reset` is written to the terminal and its settings are
    restored; also before a signal ends or stops the process, if the process can handle it.
    """
    settings = termios.tcgetattr(INPUT)

    def restore() -> None:
        with suppress(OSError, termios.error):
            os.set_blocking(OUTPUT, True)
            os.write(OUTPUT, reset.encode("ascii"))
            termios.tcsetattr(INPUT, termios.TCSADRAIN, settings)

    def die(number: int, frame: object) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def stop(number: int, frame: object) -> None:
        restore()
        os.kill(os.getpid(), signal.SIGSTOP)

    handlers = {
        number: signal.signal(number, stop if number == signal.SIGTSTP else die)
        for number in (*_DEADLY, signal.SIGTSTP)
        if signal.getsignal(number) == signal.SIG_DFL
    }
    try:
        set_raw()
        yield
    finally:
        restore()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def write_error(line: str) -> None:
    """Write a line to the error output."""
    with suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def output_has_reader() -> bool:
    """Whether the output is a pipe or a socket, whose reader may close it."""
    mode = os.fstat(OUTPUT).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def errors_go_to_output() -> bool:
    """Whether output and error output are one file or terminal, where the order of lines shows."""
    return os.path.sameopenfile(OUTPUT, ERRORS)
