"""The commands about the data of one person."""

from __future__ import annotations

import json

from chatd.admin.command_line import REFUSED, WRONG_USAGE
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


class EraseAccount(CommandCase):
    """``erase``."""

    def test_account_is_erased_after_a_confirmation(self) -> None:
        """The audit log has the beginning."""
        question = "Delete the account ann and erase everything that it has written? (yes/no) "
        completed = self.command("erase", "ann", typed="no\n", terminal=True)
        self.assertEqual((completed.status, completed.stdout), (REFUSED, question))
        self.assertIn("--yes", self.failed(WRONG_USAGE, "erase", "ann"))
        self.assertEqual(self.output("erase", "ann", "--yes"), "Erased: Ann, and texts: 0\n")
        self.assertIn("no account", self.failed(REFUSED, "erase", "ann", "--yes"))
        self.assertEqual(
            self.json("erase", "bob", "-y"), [{"name": "bob", "erased": 0, "more": False}]
        )
        commands = [(item["command"], item["refused"]) for item in self.json("audit")]
        self.assertEqual(commands, [("erase", ""), ("erase", "unknown-account"), ("erase", "")])
