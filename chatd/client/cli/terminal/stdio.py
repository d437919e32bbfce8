"""The state of standard input and output: what they are, and how they are restored at the end."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INPUT, OUTPUT, ERRORS = 0, 1, 2


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
def restored_blocking() -> Iterator[None]:
    """Restore the blocking mode of the three streams at the end; other processes may share them."""
    blocking = {fd: os.get_blocking(fd) for fd in (INPUT, OUTPUT, ERRORS)}
    try:
        yield
    finally:
        for fd, before in blocking.items():
            with suppress(OSError):
                os.set_blocking(fd, before)


@contextmanager
def raw(reset: str) -> Iterator[None]:
    """Put the terminal into raw mode: each key is read when it is pressed, without echo.

    At the end, however it is reached, `reset` is written to the terminal and its settings are
    restored.
    """
    settings = termios.tcgetattr(INPUT)
    try:
        tty.setraw(INPUT)
        yield
    finally:
        with suppress(OSError, termios.error):
            os.set_blocking(OUTPUT, True)
            os.write(OUTPUT, reset.encode("ascii"))
            termios.tcsetattr(INPUT, termios.TCSADRAIN, settings)


def write_error(line: str) -> None:
    """Write a line to the error output."""
    with suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def errors_go_to_output() -> bool:
    """Whether output and error output are one file or terminal, where the order of lines shows."""
    return os.path.sameopenfile(OUTPUT, ERRORS)
