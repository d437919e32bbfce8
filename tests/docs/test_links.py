"""Links between the documents: every relative link leads to a file, every anchor to a heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import ROOT, documents

_LINK = re.compile(r"\]\(([^()\s]+)\)")


def prose(text: str) -> str:
    """A document without its blocks and spans of code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"(?:^|\n)\n(?: {4}.*\n+)+", "\n\n", text)
    return re.sub(r"`[^`\n]*`", "", text)


def anchor(heading: str) -> str:
    """The anchor of a heading: lower case, no punctuation, hyphens for blanks (as on GitHub)."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of all headings of a document."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
    return frozenset(anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.M))


def links(path: Path) -> Iterator[str]:
    """The targets of all relative links of a document."""
    for target in _LINK.findall(prose(path.read_text())):
        if not re.match(r"[a-z]+:", target):
            yield target


class LinkTests(SynchronousTestCase):
    """Links inside the project."""

    def test_every_relative_link_leads_to_a_file(self) -> None:
        """A file or a folder, given relative to the document."""
        for document in documents():
            for target in links(document):
                file = target.partition("#")[0]
                self.assertTrue((document.parent / file).exists(), f"{document.name}: {target}")

    def test_every_anchor_leads_to_a_heading(self) -> None:
        """In the same document or in another one."""
        for document in documents():
            for target in links(document):
                file, _, name = target.partition("#")
                if name:
                    page = (document.parent / file).resolve() if file else document
                    self.assertIn(name, anchors(page), f"{document.name}: {target}")

    def test_every_page_is_reachable_from_the_readme(self) -> None:
        """No page is without a link that leads to it."""
        reached: set[Path] = set()
        waiting = {ROOT / "README.md"}
        while waiting:
            document = waiting.pop()
            reached.add(document)
            pages = {
                (document.parent / target.partition("#")[0]).resolve() for target in links(document)
            }
            waiting |= {page for page in pages if page.suffix == ".md"} - reached
        self.assertEqual(set(documents()) - reached, set())
