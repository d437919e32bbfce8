"""Make text from the network safe to print: no control character reaches the terminal."""

from __future__ import annotations

import unicodedata

_TAB_WIDTH = 8


def printable(text: str) -> str:
    """`text` with its line breaks, and every other control character replaced by a visible form.

    C0 controls and DEL are shown in caret notation (``^[`` is escape), tabs as spaces; other
    control and format characters, which could reorder the text, as U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("".join(map(_visible, line.expandtabs(_TAB_WIDTH))) for line in lines)


def one_line(text: str) -> str:
    r"""`printable`, and each line break shown as the two characters ``\n``."""
    return printable(text).replace("\n", r"\n")


def block(text: str) -> str:
    """`printable`, with all lines but the first indented, so that none can imitate a line of the
    client."""
    return printable(text).replace("\n", "\n  ")


def _visible(char: str) -> str:
    if char < " " or char == "\x7f":
        return "^" + chr(ord(char) ^ 0x40)
    return "\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
