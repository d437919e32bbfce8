"""The command that shows the audit log."""

from __future__ import annotations

from chatd.admin.command_line import REFUSED
from tests.doubles.admin import CommandCase


class ListAudit(CommandCase):
    """``audit``."""

    def test_entries_are_listed_from_a_number_on(self) -> None:
        """Each has arguments, and a result or the code of a refusal."""
        self.assertEqual(self.output("audit"), "")
        self.output("suspend", "ann", "--reason", "spam\x1b[2J")
        self.failed(REFUSED, "unsuspend", "bob")
        heading, first, second = self.output("audit").splitlines()
        self.assertEqual(heading.split(), ["SEQ", "TIME", "USER", "COMMAND", "ARGUMENTS", "RESULT"])
        self.assertIn("name=ann reason=spam\\x1b[2J  name=Ann until=None sessions=0", first)
        self.assertIn("refused: not-suspended", second)
        (item,) = self.json("audit", "--after", "1")
        self.assertEqual((item["seq"], item["command"]), (2, "unsuspend"))
