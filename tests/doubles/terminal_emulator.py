"""`TerminalEmulator`: the content and the cursor of a terminal, as far as the client uses one."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([\x00-\x1f\x7f])|(.)", re.S)


class TerminalEmulator:
    """A terminal that wraps at its right margin when the next character comes, as terminals do."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.rows: list[list[str]] = [[]]
        self.row = 0
        self.column = 0
        self.modes: set[str] = set()
        self.styles: set[str] = set()
        self._top = 0

    def feed(self, text: str) -> None:
        """Process the output of a program; raises `AssertionError` for an unknown sequence."""
        for match in _TOKEN.finditer(text):
            parameter, final, control, char = match.groups()
            if final:
                self._sequence(parameter, final)
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self._down()
            elif control == "\t":
                self._put(" " * (8 - self.column % 8))
            elif control:
                raise AssertionError(f"the control character {control!r} reached the terminal")
            else:
                self._put(char)

    def lines(self) -> list[str]:
        """All rows, including those scrolled out, without spaces at their ends."""
        return ["".join(row).rstrip() for row in self.rows]

    def _put(self, text: str) -> None:
        for char in text:
            if self.column == self.width:
                self.column = 0
                self._down()
            row = self.rows[self.row]
            row.extend(" " * (self.column + 1 - len(row)))
            row[self.column] = char
            self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])
        self._top = max(self._top, self.row - self.height + 1)

    def _sequence(self, parameter: str, final: str) -> None:
        if final in "hl" and parameter.startswith("?"):
            (self.modes.add if final == "h" else self.modes.discard)(parameter)
            return
        if final == "m":
            self.styles.add(parameter)
            return
        if self.column == self.width:
            self.column -= 1
        if final == "A":
            self.row = max(self.row - int(parameter or 1), self._top)
        elif final == "C":
            self.column = min(self.column + int(parameter or 1), self.width - 1)
        elif final == "H":
            self.row, self.column = self._top, 0
        elif final == "J":
            first = self._top if parameter == "2" else self.row + 1
            if parameter != "2":
                del self.rows[self.row][self.column :]
            for row in self.rows[first:]:
                row.clear()
        else:
            raise AssertionError(f"unknown sequence {parameter}{final}")
