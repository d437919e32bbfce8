"""The command that deletes many accounts."""

from __future__ import annotations

from chatd.admin.command_line import REFUSED, WRONG_USAGE
from tests.doubles.admin import CommandCase


class DeleteAccounts(CommandCase):
    """``delete-accounts``."""

    def setUp(self) -> None:
        super().setUp()
        self.harness.register(*(f"c{number:03}" for number in range(150)))
        self.harness.now = 3_600_000

    def test_each_deleted_account_is_reported(self) -> None:
        """The accounts of all pages; the audit log has their names."""
        self.assertEqual(len(self.json("delete-accounts", "c*", "--idle", "1h", "--dry-run")), 150)
        self.assertEqual(len(self.json("users")), 152)
        items = self.json("delete-accounts", "c*", "--older", "1h", "--yes")
        self.assertEqual([item["refused"] for item in items], [""] * 150)
        self.assertEqual(len(self.json("users")), 2)
        self.assertEqual(
            self.output("delete-accounts", "b*", "--older", "1h", "-y").splitlines()[1].split(),
            ["bob", "-", "-", "deleted"],
        )
        commands = self.json("audit")
        self.assertEqual([item["command"] for item in commands], ["delete-accounts"] * 3)
        self.assertIn("c000 c001", commands[0]["result"]["names"])

    def test_terminal_is_asked_with_the_number(self) -> None:
        """Without one, --yes is required; so is a time."""
        words = ("delete-accounts", "c*", "--idle", "1h")
        completed = self.command(*words, typed="no\n", terminal=True)
        self.assertEqual(completed.status, REFUSED)
        self.assertEqual(completed.stdout, "Delete 150 accounts that match c*? (yes/no) ")
        completed = self.command("delete-accounts", "c001", "--idle", "1h", terminal=True)
        self.assertIn("Delete 1 account that matches c001?", completed.stdout)
        completed = self.command("delete-accounts", "C*", "--idle", "1h", terminal=True)
        self.assertEqual((completed.status, completed.stdout), (0, ""))
        self.assertEqual(completed.stderr, "No account matches; nothing is deleted.\n")
        self.assertIn("--yes", self.failed(WRONG_USAGE, *words))
        self.assertIn("missing", self.failed(WRONG_USAGE, "delete-accounts", "c*", "--yes"))
        self.assertEqual(len(self.json("users")), 152)
        self.output(*words, typed="yes\n", terminal=True)
        self.assertEqual(len(self.json("users")), 2)
