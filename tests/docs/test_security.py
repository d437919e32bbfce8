"""The table of docs/security.md names tests and options that exist."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.config.options import Options
from tests.docs.pages import table
from tests.docs.test_readers import methods_of


class SecurityTests(SynchronousTestCase):
    """Each row is one attack."""

    def test_rows_have_a_test_and_existing_options(self) -> None:
        """A row says what holds, and names the test that would fail otherwise."""
        options = {f"--{name.rstrip('=')}" for name in Options({}).longOpt}
        for attack, holds, _, option, test in table("docs/security.md", "Attacks and bounds"):
            self.assertTrue(attack and holds)
            for name in re.findall(r"`([^`]+)`", option):
                self.assertIn(name, options, attack)
            names = re.findall(r"`([\w.]+)`", test)
            self.assertTrue(names, attack)
            for name in names:
                module, kind, method = name.rsplit(".", 2)
                self.assertIn(f"{kind}.{method}", methods_of(f"tests.{module}"), attack)
