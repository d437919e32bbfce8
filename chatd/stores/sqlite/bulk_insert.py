"""Inserting rows by the dozen.

Each statement releases and retakes the interpreter's lock once, however many rows it has, so rows
go in many at once as long as there are so many, the rest one by one.
"""

from __future__ import annotations

import sqlite3
from typing import Any


class BulkInsert:
    """An INSERT of rows of so many columns; `insert` is its beginning, up to ``VALUES``."""

    def __init__(self, insert: str, columns: int, at_once: int = 16) -> None:
        row = f"({','.join('?' * columns)})"
        self.columns = columns
        self.one = f"{insert} VALUES {row}"
        self._many = f"{insert} VALUES {','.join([row] * at_once)}"
        self._size = columns * at_once

    def insert(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        """Insert these values, row after row."""
        execute = connection.execute
        size, columns = self._size, self.columns
        whole = len(values) - len(values) % size
        for start in range(0, whole, size):
            execute(self._many, values[start : start + size])
        for start in range(whole, len(values), columns):
            execute(self.one, values[start : start + columns])
