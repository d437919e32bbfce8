"""The output of commands: tables and sentences, or JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO, TypeAlias

import msgspec

from chatd.core.clocks import end_to_the_minute
from chatd.core.printable import printable

Item: TypeAlias = dict[str, Any]

NEVER = "never"
"""what is shown for the end of something that does not end by itself, and typed as its time"""


class OutputFailed(Exception):
    """The output cannot be written; the text has the reason."""


class Output:
    """Standard output for results, standard error for notes. With `as_json`, results are JSON
    objects, one per line, and notes are left out. Characters that are not printable, or that the
    encoding of the output lacks, are escaped. Every method raises `OutputFailed`, or
    `BrokenPipeError` if the reader has closed the output."""

    def __init__(self, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.json = as_json
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err

    def answer(self, answer: dict[str, Any], *lines: str) -> None:
        """Show the result of a command: `lines`, or the answer as JSON."""
        if self.json:
            self._print_json(answer)
            return
        for line in lines:
            self._print(self._printable(line))

    def item(self, item: Item) -> None:
        """Show an object as JSON, whatever the operator has chosen."""
        self._print_json(item)

    def note(self, sentence: str) -> None:
        """Show a remark that is not part of the result."""
        if not self.json:
            self._print(encodable(printable(sentence), self._err), self._err)

    def table(
        self,
        items: Iterable[Item],
        headings: Sequence[str],
        row: Callable[[Item], Sequence[object]],
    ) -> None:
        """Show a row for each item, under headings if there is any, or the items as JSON."""
        if self.json:
            for item in items:
                self._print_json(item)
            return
        rows = [[self._printable(str(cell)) for cell in row(item)] for item in items]
        widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
        for cells in [list(headings), *rows] if rows else []:
            padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            self._print("  ".join(padded).rstrip())

    def paragraphs(self, items: Iterable[Item], paragraph: Callable[[Item], Sequence[str]]) -> None:
        """Show lines for each item, indented but for the first, or the items as JSON."""
        for item in items:
            if self.json:
                self._print_json(item)
                continue
            heading, *lines = paragraph(item)
            self._print(self._printable(heading))
            for line in lines:
                self._print("    " + self._printable(line))

    def _print_json(self, value: Item) -> None:
        line = msgspec.json.encode(value).decode()
        if not line.isprintable() or encodable(line, self._out) != line:
            line = json.dumps(value, separators=(",", ":"))
        self._print(line)

    def _printable(self, text: str) -> str:
        return encodable(printable(text), self._out)

    def _print(self, line: str, file: TextIO | None = None) -> None:
        try:
            print(line, file=self._out if file is None else file, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise output_failed(error) from None


def output_failed(error: OSError) -> OutputFailed:
    """The error to raise for one of the system."""
    return OutputFailed(f"the output cannot be written: {error.strerror}")


def encodable(text: str, file: TextIO) -> str:
    """The text with each character that the encoding of `file` lacks as an escape sequence."""
    encoding = file.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def moment(milliseconds: int | None) -> str:
    """A time in milliseconds since 1970 (UTC), as local time to the minute; ``-`` for none."""
    if not milliseconds:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def end(milliseconds: int | None) -> str:
    """The end of a suspension or a ban in milliseconds since 1970 (UTC), as local time, rounded up
    to the minute; `NEVER` for none."""
    return NEVER if milliseconds is None else moment(end_to_the_minute(milliseconds))
