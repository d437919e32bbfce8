"""The documents say what the code does: generated sections, versions, commands, options."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import __version__
from chatd.codecs import admin
from chatd.codecs.v1 import server_decoder
from chatd.codecs.v1_messages import Send
from chatd.config.options import _FLAGS, Options, variable
from tests.docs import generated

ROOT = Path(__file__).resolve().parents[2]


class Documents(SynchronousTestCase):
    """The documents agree with the code."""

    def test_generated_sections_are_current(self) -> None:
        """The protocol documents show all messages, all refusals and the tested examples."""
        for path, sections in generated.DOCUMENTS.items():
            text = path.read_text()
            filled = generated.fill(text, sections)
            self.assertTrue(filled == text, f"{path.name}: run python -m tests.docs.generated")

    def test_annotated_frame_is_a_valid_message(self) -> None:
        """The frame that docs/protocols/v1.md explains byte by byte is the message it shows."""
        text = (ROOT / "docs" / "protocols" / "v1.md").read_text()
        text = text.split("\n## MessagePack\n")[0]
        rows = re.findall(r"^ {4,7}((?:[0-9a-f]{2} )+) ", text, re.M)
        data = bytes.fromhex("".join(rows))
        self.assertEqual(server_decoder(len(data)).feed(data), [Send(9, "Bobert", "Hi 🌱", "k-1")])

    def test_changelog_begins_with_this_version(self) -> None:
        """The newest heading of CHANGELOG.md is the version of the package."""
        heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
        assert heading is not None
        self.assertEqual(heading[1], __version__)

    def test_readme_has_one_command_to_run_and_one_to_test(self) -> None:
        """The sections Run and Test of README.md have one block with one line each."""
        text = (ROOT / "README.md").read_text()
        for name in ("Run", "Test"):
            section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
            blocks = re.findall(r"^```\n(.*?)^```$", section, re.M | re.S)
            self.assertEqual([len(block.splitlines()) for block in blocks], [1], name)

    def test_every_option_is_documented(self) -> None:
        """docs/operations.md names every option with its environment variable."""
        text = (ROOT / "docs" / "operations.md").read_text()
        for name in Options({}).defaults:
            self.assertIn(f"`--{name}`", text)
            switch, _ = _FLAGS.get(name, (name, ""))
            self.assertIn(f"`{variable(switch)}`", text)

    def test_every_admin_request_is_documented(self) -> None:
        """docs/operations.md names every request of the admin socket with all of its fields."""
        text = (ROOT / "docs" / "operations.md").read_text().partition("### The admin socket")[2]
        for kind in admin.Request.__subclasses__():
            name = str(kind.__struct_config__.tag)
            row = re.search(rf"^\| `{name}` \| (.*?) \| ", text.replace("| |", "|  |"), re.M)
            assert row is not None, name
            fields = [word.strip("`") for word in re.findall(r"`[a-z]+`", row[1])]
            self.assertEqual(fields, list(kind.__struct_fields__), name)
