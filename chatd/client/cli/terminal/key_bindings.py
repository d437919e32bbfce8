"""What the keys do to the line being typed, as in every shell."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from chatd.client.cli.terminal.line_editor import Line

ENTER, INTERRUPT, END, CLEAR, COMPLETE = "enter", "interrupt", "end", "clear", "complete"
"""the keys that do more than edit"""
PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"
"""what a terminal sends around a pasted text"""

# Names in brackets are insults' own (insults.FUNCTION_KEYS).
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
    b"\x15": "kill to begin",
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
# What insults does not know: keys in application mode, and with Ctrl or Alt.
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

EDITS: MappingProxyType[str, Callable[[Line], None]] = MappingProxyType(
    {
        "home": Line.home,
        "end of line": Line.end,
        "left": Line.left,
        "right": Line.right,
        "word left": Line.word_left,
        "word right": Line.word_right,
        "older": Line.older,
        "newer": Line.newer,
        "backspace": Line.backspace,
        "delete": Line.delete,
        END: Line.delete,
        "kill word": Line.kill_word,
        "kill next word": Line.kill_next_word,
        "kill to begin": Line.kill_begin,
        "kill to end": Line.kill_end,
        "yank": Line.yank,
    }
)


def named(key: bytes, modifier: bytes | None) -> str | None:
    """The name of the key that insults reports, or None if it is a character or means nothing."""
    if modifier == ALT and key in _ALT:
        return _ALT[key]
    return _CONTROL.get(key)


def sequence(data: bytes) -> str | None:
    """The name of the key that sends this escape sequence, or None."""
    return _SEQUENCES.get(data)
