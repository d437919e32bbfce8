"""Standard input and output as the client finds them, and as it leaves them."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INPUT, OUTPUT, ERRORS = 0, 1, 2


def at_terminal() -> bool:
    """Whether a person sits at both ends, at a terminal that can move its cursor."""
    return os.isatty(INPUT) and os.isatty(OUTPUT) and os.environ.get("TERM") != "dumb"


def size() -> tuple[int, int]:
    """The terminal's columns and lines; 80 and 24 if it does not know, as some do not."""
    with suppress(OSError):
        columns, lines = os.get_terminal_size(OUTPUT)
        if columns > 1 and lines > 1:
            return columns, lines
    return 80, 24


@contextmanager
def kept() -> Iterator[None]:
    """Whatever happens within: afterwards the three blocks or not as before, as others use them as
    well."""
    blocking = {fd: os.get_blocking(fd) for fd in (INPUT, OUTPUT, ERRORS)}
    try:
        yield
    finally:
        for fd, before in blocking.items():
            with suppress(OSError):
                os.set_blocking(fd, before)


@contextmanager
def raw(farewell: str) -> Iterator[None]:
    """The terminal hands over each key when it is pressed and shows nothing itself; afterwards as
    before.

    `farewell` is sent to it at the end, whichever way that is reached.
    """
    settings = termios.tcgetattr(INPUT)
    try:
        tty.setraw(INPUT)
        yield
    finally:
        with suppress(OSError, termios.error):
            os.set_blocking(OUTPUT, True)
            os.write(OUTPUT, farewell.encode("ascii"))
            termios.tcsetattr(INPUT, termios.TCSADRAIN, settings)


def complain(line: str) -> None:
    """Write a line to the error output."""
    with suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def errors_go_to_output() -> bool:
    """Whether output and error output are one file or terminal, so that the order of lines
    shows."""
    return os.path.sameopenfile(OUTPUT, ERRORS)
