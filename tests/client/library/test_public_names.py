"""What `chatd.client` exports, and that programs need nothing else of chatd."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import chatd.client

ROOT = Path(__file__).parents[3]
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = (ROOT / "docs/library.md", ROOT / "README.md")


def imported_modules(source: str) -> set[str]:
    """The modules of chatd that a program imports."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    return {name for name in modules if name.split(".")[0] == "chatd"}


class PublicNamesTests(SynchronousTestCase):
    """The public interface of the library."""

    def test_exported_names_are_unchanged(self) -> None:
        """Bots and other programs import them, so they change only on purpose."""
        self.assertEqual(
            chatd.client.__all__,
            [
                "Announcement",
                "Client",
                "Connected",
                "ConnectionClosed",
                "Disconnected",
                "Event",
                "Fatal",
                "Goodbye",
                "Joined",
                "Left",
                "Overflow",
                "Position",
                "Presence",
                "Pushed",
                "Receipt",
                "Refused",
                "Retrying",
                "Security",
                "Sent",
                "TextTooLong",
                "Typing",
                "connect",
            ],
        )
        for name in chatd.client.__all__:
            self.assertTrue(hasattr(chatd.client, name), name)

    def test_public_names_are_documented(self) -> None:
        """docs/library.md mentions every exported name."""
        text = (ROOT / "docs/library.md").read_text()
        words = set(re.findall(r"\w+", text))
        self.assertEqual(set(chatd.client.__all__) - words - {"Event"}, set())

    def test_examples_import_only_the_public_package(self) -> None:
        """Programs, and the examples in the documents, import `chatd.client` only."""
        sources = {file.name: file.read_text() for file in PROGRAMS}
        for document in DOCUMENTS:
            blocks = re.findall(r"```python\n(.*?)```", document.read_text(), re.S)
            sources[document.name] = "\n".join(blocks)
        self.assertGreaterEqual(len(sources), 4)
        for name, source in sources.items():
            self.assertEqual(imported_modules(source), {"chatd.client"}, name)
