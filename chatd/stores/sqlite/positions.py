"""The positions of accounts in logs, in the SQLite file. Runs on the writer's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from chatd.core.entries import Cursor
from chatd.stores import Position
from chatd.stores.sqlite.bulk_insert import BulkInsert

_SAVE = BulkInsert(
    "INSERT INTO positions (account, log, upto, read, seen)",
    5,
    then="ON CONFLICT (account, log) DO UPDATE SET upto = max(upto, excluded.upto),"
    " read = max(read, excluded.read), seen = max(seen, excluded.seen)",
)
_RANGES = msgspec.msgpack.Decoder(tuple[tuple[int, int], ...])


class PositionTable:
    """The table `positions`. `number_of` gives the number of a log, None if it does not exist."""

    def __init__(
        self, connection: sqlite3.Connection, number_of: Callable[[str], int | None]
    ) -> None:
        self._connection = connection
        self._number_of = number_of

    def save(self, positions: Sequence[Position]) -> None:
        """See `Store.save`."""
        values: list[Any] = []
        with_ranges: list[tuple[Position, int]] = []
        for position in positions:
            log = self._number_of(position.log)
            if log is None:
                continue
            # Most have nothing acknowledged ahead: one statement merges all of these.
            # It leaves the ranges of a row as they are; `_position` joins them to the rest.
            if position.cursor.ahead:
                with_ranges.append((position, log))
            else:
                values += (
                    position.account,
                    log,
                    position.cursor.upto,
                    position.read,
                    position.seen,
                )
        _SAVE.insert(self._connection, values)
        # A position that comes first without ranges is stored by now.
        for position, log in with_ranges:
            self._save_ranges(position, log)

    def _save_ranges(self, position: Position, log: int) -> None:
        row = self._connection.execute(
            "SELECT upto, ahead, read, seen FROM positions WHERE account = ? AND log = ?",
            (position.account, log),
        ).fetchone()
        if row is not None:
            position = position.merged(self._position(position.account, position.log, *row))
        ahead = msgspec.msgpack.encode(position.cursor.ahead) if position.cursor.ahead else None
        self._connection.execute(
            "INSERT OR REPLACE INTO positions (account, log, upto, ahead, read, seen)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (position.account, log, position.cursor.upto, ahead, position.read, position.seen),
        )

    def _position(
        self, account: int, log: str, upto: int, ahead: bytes | None, read: int, seen: int
    ) -> Position:
        cursor = Cursor(upto)
        if ahead is not None:
            cursor = cursor.union(Cursor(0, _RANGES.decode(ahead)))
        return Position(account, log, cursor, read, seen)

    def of(self, account: int) -> list[Position]:
        """See `Store.positions`."""
        rows = self._connection.execute(
            "SELECT l.name, p.upto, p.ahead, p.read, p.seen"
            " FROM positions AS p JOIN logs AS l ON l.id = p.log WHERE p.account = ?",
            (account,),
        )
        return [self._position(account, *row) for row in rows]

    def of_log(self, account: int, log: str) -> list[Position]:
        """See `Store.positions`."""
        rows = self._connection.execute(
            "SELECT upto, ahead, read, seen FROM positions WHERE account = ? AND log = ?",
            (account, self._number_of(log)),
        )
        return [self._position(account, log, *row) for row in rows]

    def forget(self, account: int, log: int) -> None:
        """Delete the position of an account in a log."""
        self._connection.execute(
            "DELETE FROM positions WHERE account = ? AND log = ?", (account, log)
        )

    def purge(self, log: int, limit: int) -> bool:
        """Delete at most `limit` positions in a log that was dropped; whether that was all."""
        cursor = self._connection.execute(
            "DELETE FROM positions WHERE log = ?1 AND account IN"
            " (SELECT account FROM positions WHERE log = ?1 LIMIT ?2)",
            (log, limit),
        )
        return cursor.rowcount < limit
