"""The documents, divided into what tests read: texts, tables and blocks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
_ITEM = re.compile(r" *(?:-|\d+\.) ")
_END = re.compile(r"(?<=[.!?])[*)]*\s+(?=[A-Z`*(\[#])")


@dataclass(frozen=True)
class Block:
    """A paragraph or an item of a list (`text`, in one line), a table or a block of code (its
    lines), under the nearest `heading`."""

    kind: Literal["text", "table", "code"]
    heading: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines as one."""
        return " ".join(" ".join(self.lines).split())

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table, with the row of titles, without the line below it."""
        lines = [line for line in self.lines if not re.fullmatch(r"[|\- ]+", line)]
        return [
            [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in [self.lines[0], *lines[lines[0] == self.lines[0] :]]
        ]


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    return sorted(
        [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]
    )


def name(document: Path) -> str:
    """The path of a document in the project."""
    return document.relative_to(ROOT).as_posix()


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """The blocks of the document with this path, in order, without its generated sections."""
    text = (ROOT / page).read_text()
    text = re.sub(r"<!-- generated: .*?<!-- end -->", "", text, flags=re.S)
    return tuple(_blocks(text))


def _blocks(text: str) -> Iterator[Block]:
    heading = ""
    lines: list[str] = []
    kind: Literal["text", "table", "code"] = "text"
    fenced = blank = False
    for line in [*text.splitlines(), "# "]:
        start = kind
        if line.startswith("```"):
            fenced = not fenced
            start, line = "text", ""
        elif fenced or (line.startswith("    ") and (blank or kind == "code")):
            start = "code"
        elif not line.strip():
            start = "code" if kind == "code" else "text"
        else:
            start = "table" if line.startswith("|") else "text"
        new = start != kind or line.startswith("#") or (kind == "text" and _ITEM.match(line))
        if lines and (new or (not line.strip() and kind == "text")):
            yield Block(kind, heading, tuple(lines))
            lines = []
        kind = start
        if line.startswith("#") and not fenced:
            heading = line.lstrip("# ")
        elif line.strip():
            lines.append(line)
        blank = not line.strip()


def sentences(page: str) -> Iterator[str]:
    """The sentences of the texts, and the rows of the tables, of a document."""
    for block in blocks(page):
        if block.kind == "text":
            yield from _END.split(block.text)
        elif block.kind == "table":
            yield from (" | ".join(row) for row in block.rows)


def table(page: str, heading: str, title: str = "") -> list[list[str]]:
    """The rows, without that of the titles, of the table under a heading, whose first title is
    `title` if there are several. Raises LookupError if there is none."""
    for block in blocks(page):
        if block.kind == "table" and block.heading == heading and title in block.rows[0][0]:
            return block.rows[1:]
    raise LookupError(f"{page} has no table {title!r} under {heading!r}")


def spans(text: str) -> list[str]:
    """The code spans of a text."""
    return re.findall(r"`([^`]+)`", text)
