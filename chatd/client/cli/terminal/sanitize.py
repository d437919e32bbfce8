"""What came from the network, made fit for a screen: no control character gets through."""

from __future__ import annotations

import unicodedata

# Two control characters that people write; every other one is shown by what it is.
_TAB = 8


def printable(text: str) -> str:
    """`text` with its line breaks, and every other control character replaced by something visible.

    C0 controls and DEL are shown in caret notation (``^[`` is escape), tabs as blanks; other
    control and format characters, which could reorder what is read, as U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("".join(map(_visible, line.expandtabs(_TAB))) for line in lines)


def one_line(text: str) -> str:
    r"""`printable`, and each line break shown as the two characters ``\n``."""
    return printable(text).replace("\n", r"\n")


def block(text: str) -> str:
    """`printable`, with the lines after the first indented: none of them can pass for the client's
    own."""
    return printable(text).replace("\n", "\n  ")


def _visible(char: str) -> str:
    if char < " " or char == "\x7f":
        return "^" + chr(ord(char) ^ 0x40)
    return "\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
