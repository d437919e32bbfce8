"""docs/architecture.md agrees with the source: the table of packages, and the files it names."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.test_layers import ALLOWED

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("", "chatd", "chatd/stores/sqlite")
"""the folders to which the document's paths are relative"""


class ArchitectureTests(SynchronousTestCase):
    """The page for readers of the source."""

    def setUp(self) -> None:
        self.text = (ROOT / "docs" / "architecture.md").read_text()

    def test_package_table_is_the_one_of_the_layers(self) -> None:
        """Each package has a row with the packages that it may import."""
        section = self.text.split("\n## Packages\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| ", section, re.M)
        table = {package: set(re.findall(r"`(\w+)`", allowed)) for package, allowed in rows}
        self.assertEqual(table, ALLOWED)

    def test_every_named_file_exists(self) -> None:
        """Code spans and the figure that look like a path name an existing file or folder."""
        paths = re.findall(r"`([\w./]+(?:\.(?:py|md|sql)|/))`", self.text)
        figure = self.text.split("```")[1]
        paths += re.findall(r"[\w/]+\.py", figure)
        self.assertGreater(len(paths), 50)
        for path in paths:
            self.assertTrue(any((ROOT / folder / path).exists() for folder in _FOLDERS), path)
