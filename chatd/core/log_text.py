"""Text from clients and operators, as the log of the daemon shows it.

A line of the log is read by operators at a terminal and by programs such as fail2ban: what a peer
has written must neither begin a line of its own, nor control the terminal, nor look like another
part of the line.
"""

from __future__ import annotations

import re

from chatd.core.names import NAME_LENGTH
from chatd.core.printable import printable

LONGEST = 500
"""characters of a text of an operator that are logged"""
# One character class without alternatives is matched in linear time.
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")


def tried_name(name: str) -> str:
    """The name of an account that a client gave, which may be any text: each character that no name
    has is ``?``, and what is longer than any name is cut off."""
    return _NOT_IN_NAMES.sub("?", name[:NAME_LENGTH])


def one_line(text: str) -> str:
    """A text of an operator, with each unprintable character as an escape sequence, and the end cut
    off if it is long."""
    shown = printable(text[:LONGEST])
    return shown if len(text) <= LONGEST else f"{shown}..."
