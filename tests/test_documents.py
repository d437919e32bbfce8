"""The documents say what the code does: examples, versions, the two commands.

`python -m tests.test_documents` writes the examples into docs/protocol.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import __version__
from chatd.codecs.classic import Broken, Malformed
from chatd.options import Options, variable
from tests.codecs.classic_examples import EXAMPLES, Example

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = ROOT / "docs" / "protocol.md"
_BEGIN, _END = "<!-- examples -->\n", "<!-- end of examples -->"


def shown(data: bytes) -> str:
    """A frame as the document shows it: header in hexadecimal, data as text."""
    length = data[2:42]
    zeros = len(length) - len(length.lstrip(b"\0"))
    size = f"00*{zeros} {length[zeros:].hex(' ')}".strip() if zeros else "ff*40"
    text = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data[42:])
    return f"{data[0]:02x} {data[1]:02x} {size}" + (f"  {text}" if text else "")


def block(example: Example) -> str:
    """One example: title, bytes, and for what is wrong, what the server says."""
    lines = [f"**{example.title}** ({example.sender})", "", f"    {shown(example.data)}"]
    if isinstance(example.message, Malformed | Broken):
        end = ", and the connection is closed" if isinstance(example.message, Broken) else ""
        lines += ["", f"RESPONSE: `{example.message.reason}`{end}"]
    return "\n".join(lines) + "\n"


def examples() -> str:
    """All of them."""
    return "\n" + "\n".join(block(example) for example in EXAMPLES) + "\n"


class Documents(SynchronousTestCase):
    """What is written down."""

    def test_examples(self) -> None:
        """docs/protocol.md shows the table that the codec is tested with."""
        text = PROTOCOL.read_text()
        self.assertIn(_BEGIN + examples() + _END, text, "run: python -m tests.test_documents")

    def test_changelog(self) -> None:
        """The newest heading is this version."""
        heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
        assert heading is not None
        self.assertEqual(heading[1], __version__)

    def test_two_commands(self) -> None:
        """README's Run and Test each have one block with one line."""
        text = (ROOT / "README.md").read_text()
        for name in ("Run", "Test"):
            section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
            blocks = re.findall(r"^```\n(.*?)^```$", section, re.M | re.S)
            self.assertEqual([len(found.splitlines()) for found in blocks], [1], name)

    def test_options(self) -> None:
        """Every option stands in docs/operations.md, with its environment variable."""
        text = (ROOT / "docs" / "operations.md").read_text()
        for name in Options({}).defaults:
            self.assertIn(f"`--{name}`", text)
            self.assertIn(f"`{variable(name)}`", text)


if __name__ == "__main__":
    before, rest = PROTOCOL.read_text().split(_BEGIN)
    PROTOCOL.write_text(before + _BEGIN + examples() + _END + rest.split(_END)[1])
