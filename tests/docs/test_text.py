"""The text of the documents: length of lines, and the files and commands that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from chatd.admin.commands import COMMANDS
from tests.docs.pages import ROOT, documents

_LENGTH = 100
_PATH = re.compile(r"(?:chatd|tests|docs|bench|examples|twisted)/[\w./-]*\w/?|[\w-]+\.(?:tac|py)")
_MODULE = re.compile(r"python3? -m ((?:chatd|tests|bench)[\w.]*)")
"""in code spans: paths of the project, and modules that are run"""


def prose_lines(text: str) -> Iterator[str]:
    """The lines that are neither code, tables nor generated."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"<!-- generated: .*?<!-- end -->", "", text, flags=re.S)
    for line in text.splitlines():
        if not line.startswith(("|", "    ")):
            yield line


class TextTests(SynchronousTestCase):
    """What holds for every page."""

    def test_prose_lines_have_at_most_100_characters(self) -> None:
        """Tables, code and generated sections may have longer lines."""
        for document in documents():
            for line in prose_lines(document.read_text()):
                self.assertLessEqual(len(line), _LENGTH, f"{document.name}: {line}")

    def test_every_page_names_its_reader(self) -> None:
        """A page of docs/ begins with a sentence about whom it is for."""
        for document in documents():
            if document.is_relative_to(ROOT / "docs"):
                first = document.read_text().split("\n\n")[1]
                self.assertRegex(first, "^This page is for ", document.name)

    def test_named_files_exist(self) -> None:
        """A code span that is a path of the project names a file or folder."""
        for document in documents():
            if document.name == "CHANGELOG.md":
                continue  # It names files that have moved.
            for span in re.findall(r"`([^`\n]+)`", document.read_text()):
                if _PATH.fullmatch(span):
                    places = (ROOT, document.parent, ROOT / "chatd", ROOT / "chatd/stores/sqlite")
                    self.assertTrue(
                        any((place / span).exists() for place in places), f"{document.name}: {span}"
                    )

    def test_modules_that_are_run_exist(self) -> None:
        """``python -m MODULE`` names a module or package of the project."""
        for document in documents():
            for module in _MODULE.findall(document.read_text()):
                path = ROOT / module.replace(".", "/")
                self.assertTrue(
                    path.with_suffix(".py").exists() or (path / "__main__.py").exists(),
                    f"{document.name}: {module}",
                )

    def test_admin_commands_exist(self) -> None:
        """``python -m chatd.admin COMMAND`` names a command."""
        names = {command.name for command in COMMANDS}
        for document in documents():
            if document.name == "CHANGELOG.md":
                continue  # It names commands that were renamed.
            for name in re.findall(
                r"-m chatd\.admin (?:--admin \S+ )?([a-z][a-z-]+)", document.read_text()
            ):
                self.assertIn(name, names, document.name)


def source_text() -> str:
    """The source of chatd with implicit concatenations joined, and ``{}`` for what is formatted."""
    source = " ".join(file.read_text() for file in sorted((ROOT / "chatd").rglob("*.py")))
    source = re.sub(r"\"\s+f?\"|\\n", "", source)
    return " ".join(re.sub(r"\{[^{}]*\}", "{}", source).split())


class MessageTests(SynchronousTestCase):
    """Messages that the documents quote are those of the source."""

    _SYSTEM = {
        "address already in use",
        "cannot assign requested address",
        "no such file or directory",
        "database disk image is malformed",
        "database or disk is full",
        "Another twistd server is running, PID",
    }
    """texts of the operating system, of SQLite and of Twisted"""

    def test_every_explained_message_is_in_the_source(self) -> None:
        """In docs/recipes/troubleshooting.md, capital letters and dots stand for what varies."""
        page = (ROOT / "docs" / "recipes" / "troubleshooting.md").read_text()
        messages = [
            span
            for row in re.findall(r"^\| (.*?) \| ", page, re.M)
            for span in re.findall(r"`([^`]{20,})`", row)
        ]
        self.assertGreater(len(messages), 20)
        self._check(messages, r"^chatd|[A-Z]{4,}|\b[NM]\b|\.\.\.|: |[()]")

    def test_every_quoted_log_line_is_in_the_source(self) -> None:
        """Words with digits or slashes, and account names, vary."""
        lines = [
            line
            for document in documents()
            for line in re.findall(
                r"^    \[chatd#\w+\] (?!Protocols)(.*)$", document.read_text(), re.M
            )
        ]
        self.assertGreater(len(lines), 20)
        self._check(lines, r"\S*[0-9/]\S*|\[.*\]|\. |: |[();,]")

    def _check(self, messages: list[str], variable: str) -> None:
        """The parts of the messages between what is `variable` are text of the source, in which
        one word may be formatted."""
        source = source_text()
        for message in messages:
            for part in re.split(variable, message):
                text = part.strip(" :;,.")
                if len(text) > 8 and text not in self._SYSTEM:
                    candidates = [text, *(text.replace(word, "{}") for word in text.split())]
                    self.assertTrue(any(each in source for each in candidates), message)
