"""The exit statuses of the client."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.exit_status import FAILED, SUCCESS, WRONG_USAGE

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "client.md"


class ExitStatusTests(SynchronousTestCase):
    """The constants, which scripts rely on."""

    def test_statuses_are_those_of_the_document(self) -> None:
        """docs/client.md has one row for each."""
        self.assertEqual((SUCCESS, FAILED, WRONG_USAGE), (0, 1, 2))
        table = DOCUMENT.read_text().partition("Exit status:")[2].partition("\n## ")[0]
        meanings = dict(re.findall(r"^\| (\d+) \| (.*) \|$", table, re.MULTILINE))
        self.assertEqual(meanings.keys(), {"0", "1", "2"})
        self.assertIn("succeeded", meanings[str(SUCCESS)])
        self.assertIn("refused", meanings[str(FAILED)])
        self.assertIn("command line", meanings[str(WRONG_USAGE)])
