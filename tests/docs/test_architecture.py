"""What readers of the source begin with: docs/architecture.md names packages and files as they are,
and the docstring of each package names its modules."""

from __future__ import annotations

import ast
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

    def test_every_named_class_and_function_exists(self) -> None:
        """Code spans that look like names of the source, such as `Realm.send` or `_dependent`."""
        source = "".join(
            path.read_text()
            for folder in ("chatd", "tests")
            for path in (ROOT / folder).rglob("*.py")
        )
        words = set(re.findall(r"\w+", source.replace(Path(__file__).read_text(), "")))
        text = re.sub(r"^```.*?^```", "", self.text, flags=re.M | re.S)
        names = re.findall(r"`@?((?:[A-Z]|\w*_)[\w.]*)(?:\(\))?`", text)
        self.assertGreater(len(names), 100)
        for name in names:
            self.assertEqual([part for part in name.split(".") if part not in words], [], name)


class PackageTests(SynchronousTestCase):
    """The docstrings of the packages."""

    def test_every_module_is_named_by_its_package(self) -> None:
        """So that a reader finds it by its purpose."""
        for init in sorted((ROOT / "chatd").rglob("*/__init__.py")):
            text = ast.get_docstring(ast.parse(init.read_text())) or ""
            for each in sorted(init.parent.iterdir()):
                is_module = each.suffix == ".py" or any(each.glob("*.py"))
                if is_module and not each.stem.startswith("__"):
                    self.assertIn(f"`{each.stem}`", text, f"{each.relative_to(ROOT)} is not named")
