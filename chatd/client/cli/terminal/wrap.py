"""Where the characters of a long text come to stand on a terminal that wraps at its right
margin."""

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

    `rows` holds the index of each row's first character. If the text fills its last row to the
    margin, an empty row follows: there the cursor goes. A line break ends its row.
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
            wide = columns(char)
            if column + wide > width:
                self.rows.append(index)
                column = 0
            column += wide
        self.full = column >= width
        """whether the last character stands at the margin"""
        if self.full:
            self.rows.append(len(text))

    def place(self, index: int) -> tuple[int, int]:
        """The row and column, both from 0, of the character at `index`, or of the end of the
        text."""
        row = bisect_right(self.rows, index) - 1
        column = sum(map(columns, self.text[self.rows[row] : index]))
        return row, min(column, self.width - 1)

    def slice(self, first: int, last: int) -> str:
        """The text of the rows from `first` up to, not including, `last`; without a line break at
        its end."""
        if last >= len(self.rows):
            return self.text[self.rows[first] :]
        return self.text[self.rows[first] : self.rows[last]].removesuffix("\n")
