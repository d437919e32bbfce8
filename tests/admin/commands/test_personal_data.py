"""The commands about the data of one person."""

from __future__ import annotations

import json

from chatd.admin.command_line import REFUSED
from tests.doubles.admin import CommandCase


class ExportAccount(CommandCase):
    """``export``."""

    def test_export_is_json_lines_with_and_without_the_option(self) -> None:
        """The audit log has it once, however many pages it has."""
        lines = self.output("export", "ann").splitlines()
        self.assertEqual([json.loads(line)["type"] for line in lines], ["account", "settings"])
        self.assertEqual(self.json("export", "Ann"), [json.loads(line) for line in lines])
        self.assertEqual([item["command"] for item in self.json("audit")], ["export", "export"])
        self.assertIn("no account", self.failed(REFUSED, "export", "nobody"))
