"""Key bindings of the line editor: the usual ones of a shell."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from chatd.client.cli.terminal.line_editor import LineEditor

ENTER, INTERRUPT, END, CLEAR, COMPLETE = "enter", "interrupt", "end", "clear", "complete"
"""actions that `TerminalScreen` carries out; all others edit the line"""
PASTE_START, PASTE_END = b"\x1b[200~", b"\x1b[201~"
"""what a terminal sends before and after a pasted text"""

# Names in brackets are those of insults (insults.FUNCTION_KEYS).
_CONTROL: dict[bytes, str] = {
    b"\r": ENTER,
    b"\n": ENTER,
    b"\t": COMPLETE,
    b"\x01": "home",
    b"\x02": "left",
    b"\x03": INTERRUPT,
    b"\x04": END,
    b"\x05": "end of line",
    b"\x06": "right",
    b"\x08": "backspace",
    b"\x0b": "kill to end",
    b"\x0c": CLEAR,
    b"\x0e": "newer",
    b"\x10": "older",
    b"\x15": "kill to start",
    b"\x17": "kill word",
    b"\x19": "yank",
    b"\x7f": "backspace",
    b"[HOME]": "home",
    b"[END]": "end of line",
    b"[LEFT_ARROW]": "left",
    b"[RIGHT_ARROW]": "right",
    b"[UP_ARROW]": "older",
    b"[DOWN_ARROW]": "newer",
    b"[DELETE]": "delete",
}
ALT = b"[ALT]"

_ALT: dict[bytes, str] = {
    b"b": "word left",
    b"f": "word right",
    b"d": "kill next word",
    b"\x7f": "kill word",
}
# Sequences that insults does not parse: keys in application mode, and with Ctrl or Alt.
_SEQUENCES: dict[bytes, str] = {
    b"\x1b[OA": "older",
    b"\x1b[OB": "newer",
    b"\x1b[OC": "right",
    b"\x1b[OD": "left",
    b"\x1b[OH": "home",
    b"\x1b[OF": "end of line",
    b"\x1b[7~": "home",
    b"\x1b[8~": "end of line",
    b"\x1b[1;5C": "word right",
    b"\x1b[1;5D": "word left",
    b"\x1b[1;3C": "word right",
    b"\x1b[1;3D": "word left",
}

EDITS: MappingProxyType[str, Callable[[LineEditor], None]] = MappingProxyType(
    {
        "home": LineEditor.home,
        "end of line": LineEditor.end,
        "left": LineEditor.left,
        "right": LineEditor.right,
        "word left": LineEditor.word_left,
        "word right": LineEditor.word_right,
        "older": LineEditor.older,
        "newer": LineEditor.newer,
        "backspace": LineEditor.backspace,
        "delete": LineEditor.delete,
        END: LineEditor.delete,
        "kill word": LineEditor.kill_word,
        "kill next word": LineEditor.kill_next_word,
        "kill to start": LineEditor.kill_to_start,
        "kill to end": LineEditor.kill_to_end,
        "yank": LineEditor.yank,
    }
)


def key_action(key: bytes, modifier: bytes | None) -> str | None:
    """The action bound to a key that insults reports; None for a character or an unbound key."""
    if modifier == ALT and key in _ALT:
        return _ALT[key]
    return _CONTROL.get(key)


def sequence_action(data: bytes) -> str | None:
    """The action bound to an escape sequence that insults does not parse, or None."""
    return _SEQUENCES.get(data)
