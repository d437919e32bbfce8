"""The generated part of docs/protocols/classic.md: the examples that the codec is tested with."""

from __future__ import annotations

from chatd.codecs.classic import Broken, Malformed
from tests.codecs.classic_examples import EXAMPLES, Example


def hexadecimal(data: bytes) -> str:
    """A frame as the document shows it: the header in hexadecimal, the data as text."""
    length = data[2:42]
    zeros = len(length) - len(length.lstrip(b"\0"))
    size = f"00*{zeros} {length[zeros:].hex(' ')}".strip() if zeros else "ff*40"
    text = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data[42:])
    return f"{data[0]:02x} {data[1]:02x} {size}" + (f"  {text}" if text else "")


def section(example: Example) -> str:
    """One example: title, bytes and, for an invalid frame, the reply of the server."""
    lines = [f"**{example.title}** ({example.sender})", "", f"    {hexadecimal(example.data)}"]
    if isinstance(example.message, Malformed | Broken):
        end = ", and the connection is closed" if isinstance(example.message, Broken) else ""
        lines += ["", f"RESPONSE: `{example.message.reason}`{end}"]
    return "\n".join(lines) + "\n"


def examples() -> str:
    """All examples."""
    return "\n".join(section(example) for example in EXAMPLES)


GENERATED = {"examples": examples}
"""the text between ``<!-- generated: NAME -->`` and ``<!-- end -->``, by name"""
