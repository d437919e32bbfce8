"""The documents say what the code does: examples, versions, the two commands.

`python -m tests.docs.test_documents` writes what comes from the code into docs/protocol.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import __version__
from chatd.codecs import admin
from chatd.codecs.classic import Broken, Malformed
from chatd.codecs.v1 import server_decoder
from chatd.codecs.v1_messages import Send
from chatd.config.options import Options, variable
from tests.codecs.classic_examples import EXAMPLES, Example
from tests.docs.v1_document import GENERATED

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = ROOT / "docs" / "protocol.md"


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


def generated(text: str) -> str:
    """docs/protocol.md, whose text this is, with all that comes from the code as the code has it
    now."""
    parts = [("<!-- examples -->\n", "<!-- end of examples -->", examples())]
    parts += [
        (f"<!-- version 1: {name} -->\n", "<!-- end -->", f"\n{make()}\n")
        for name, make in GENERATED.items()
    ]
    for begin, end, part in parts:
        before, rest = text.split(begin)
        text = before + begin + part + end + rest.split(end, 1)[1]
    return text


class Documents(SynchronousTestCase):
    """What is written down."""

    def test_protocol(self) -> None:
        """docs/protocol.md shows the tables that the codecs are tested with, all messages, all
        refusals."""
        text = PROTOCOL.read_text()
        self.assertTrue(generated(text) == text, "run: python -m tests.docs.test_documents")

    def test_first_frame(self) -> None:
        """The frame that docs/protocol.md takes apart is one."""
        text = PROTOCOL.read_text().split("\n## Version 1\n")[1].split("\n### MessagePack\n")[0]
        rows = re.findall(r"^ {4,7}((?:[0-9a-f]{2} )+) ", text, re.M)
        data = bytes.fromhex("".join(rows))
        self.assertEqual(server_decoder(len(data)).feed(data), [Send(9, "Bobert", "Hi 🌱", "k-1")])

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
            self.assertIn(f"`{variable(name.replace('forbid', 'allow'))}`", text)

    def test_admin_requests(self) -> None:
        """Every request of the admin socket stands in docs/operations.md with all of its fields."""
        text = (ROOT / "docs" / "operations.md").read_text().partition("### The admin socket")[2]
        for kind in admin.Request.__subclasses__():
            name = str(kind.__struct_config__.tag)
            row = re.search(rf"^\| `{name}` \| (.*?) \| ", text.replace("| |", "|  |"), re.M)
            assert row is not None, name
            fields = [word.strip("`") for word in re.findall(r"`[a-z]+`", row[1])]
            self.assertEqual(fields, list(kind.__struct_fields__), name)


if __name__ == "__main__":
    PROTOCOL.write_text(generated(PROTOCOL.read_text()))
