"""The position of each character of a long text on a terminal that wraps at its right margin."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right


def columns(char: str) -> int:
    """How many columns a character takes: 0, 1 or 2."""
    if char < "\x7f":
        return 1
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


class Wrapped:
    """`text` on a terminal of `width` columns.

    `rows` holds the index of each row's first character. A line break ends its row. If the text
    fills its last row up to the margin, an empty row for the cursor follows.
    """

    def __init__(self, text: str, width: int) -> None:
        self.text = text
        self.width = width
        self.rows = [0]
        column = 0
        for index, char in enumerate(text):
            if char == "\n":
                self.rows.append(index + 1)
                column = 0
                continue
            char_width = columns(char)
            if column + char_width > width:
                self.rows.append(index)
                column = 0
            column += char_width
        self.full = column >= width
        """whether the last character is at the margin"""
        if self.full:
            self.rows.append(len(text))

    def position(self, index: int) -> tuple[int, int]:
        """The row and column, both from 0, of the character at `index`, or of the text's end."""
        row = bisect_right(self.rows, index) - 1
        column = sum(map(columns, self.text[self.rows[row] : index]))
        return row, min(column, self.width - 1)

    def slice(self, first: int, last: int) -> str:
        """The text of the rows from `first` to `last`, exclusive, without a final line break."""
        if last >= len(self.rows):
            return self.text[self.rows[first] :]
        return self.text[self.rows[first] : self.rows[last]].removesuffix("\n")
