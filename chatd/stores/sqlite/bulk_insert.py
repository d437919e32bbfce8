"""Bulk inserts: one INSERT statement for many rows.

Each execution of a statement releases and retakes the interpreter's lock once, however many rows it
inserts. So rows are inserted in groups of a fixed size, and the remainder one by one.
"""

from __future__ import annotations

import sqlite3
from typing import Any


class BulkInsert:
    """An INSERT into `columns` columns; `insert` is the statement up to ``VALUES``, `then` what
    follows the values."""

    def __init__(self, insert: str, columns: int, rows: int = 16, then: str = "") -> None:
        row = f"({','.join('?' * columns)})"
        self.columns = columns
        self.one = f"{insert} VALUES {row} {then}"
        self._many = f"{insert} VALUES {','.join([row] * rows)} {then}"
        self._size = columns * rows

    def insert(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        """Insert rows; `values` has the values of the first row, then of the second, and so on."""
        execute = connection.execute
        size, columns = self._size, self.columns
        grouped = len(values) - len(values) % size
        for start in range(0, grouped, size):
            execute(self._many, values[start : start + size])
        for start in range(grouped, len(values), columns):
            execute(self.one, values[start : start + columns])
