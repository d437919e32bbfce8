"""Text for terminals and log files."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with each unprintable character as an escape sequence, safe for a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def in_one_line(text: str) -> str:
    """The text with white space as single blanks, and no unprintable characters."""
    return printable(" ".join(text.split()))
