"""The index of the table `entries` by log and seq: where the entries of a log are.

A row has the places (row ids) of up to `RUN_ENTRIES` entries of a log that follow each other. Rows
are written once, in bulk (`chatd.stores.sqlite.recent_entries`), and never changed. When the
entries of a log are trimmed, a row is removed with its last entry.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import sub
from typing import Any

import msgspec

from chatd.stores.sqlite.bulk_insert import BulkInsert

RUN_ENTRIES = 256
"""entries in a run at most"""
_CONVERTED_ROWS = 10_000
"""rows of the third version that are converted at once"""
_RUNS = BulkInsert("INSERT INTO place_runs (log, last, first, places)", 4)
_DIFFERENCES = msgspec.msgpack.Decoder(list[int])
_PACK = msgspec.msgpack.Encoder().encode


class PlaceRuns:
    """The table `place_runs`. Logs are identified by their number in the table `logs`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, rows: Iterable[tuple[int, int, Sequence[int]]]) -> None:
        """Add entries of logs, in the open transaction: the number of a log, the seq of the first
        entry, and the places of this one and those that follow it."""
        values: list[Any] = []
        for log, first, places in rows:
            for start in range(0, len(places), RUN_ENTRIES):
                run = places[start : start + RUN_ENTRIES]
                values += (log, first + start + len(run) - 1, first + start, pack(run))
        _RUNS.insert(self._connection, values)

    def remove_from(self, log: int, first: int) -> None:
        """Remove the runs of a log that have entries with seq `first` or a later one."""
        self._connection.execute("DELETE FROM place_runs WHERE log = ? AND last >= ?", (log, first))

    def remove_upto(self, log: int, upto: int) -> None:
        """Remove the runs of a log of which all entries have seqs up to `upto`."""
        self._connection.execute("DELETE FROM place_runs WHERE log = ? AND last <= ?", (log, upto))

    def head(self, log: int) -> int:
        """The greatest seq of a log in the index, 0 if it has none."""
        (seq,) = self._connection.execute(
            "SELECT max(last) FROM place_runs WHERE log = ?", (log,)
        ).fetchone()
        return seq or 0

    def places(self, log: int, after: int, upto: int) -> Iterator[tuple[int, list[int]]]:
        """The places of the entries of a log with seqs from `after` + 1 to `upto`, run by run:
        the seq of the first one, and the places of this one and those that follow it."""
        for first, packed in self._connection.execute(
            "SELECT first, places FROM place_runs WHERE log = ? AND last > ? AND first <= ?"
            " ORDER BY last",
            (log, after, upto),
        ):
            start = max(first, after + 1)
            yield start, unpack(packed)[start - first : upto - first + 1]


def pack(places: Sequence[int]) -> bytes:
    """Increasing places as they are stored: a MessagePack array of the first one and the
    differences, most of which take one byte."""
    return _PACK([places[0], *map(sub, places[1:], places)])


def unpack(packed: bytes) -> list[int]:
    """The places that `pack` has packed."""
    return list(accumulate(_DIFFERENCES.decode(packed)))


def convert_places(connection: sqlite3.Connection) -> None:
    """Fill the table `place_runs` from the table of the third version, which is removed. Must be
    called in a transaction."""
    runs = PlaceRuns(connection)
    # Entries after `placed` may have rows, too, if a daemon was killed; they are indexed again.
    rows = connection.execute(
        "SELECT log, seq, place FROM places WHERE place <= (SELECT placed FROM progress)"
        " ORDER BY log, seq"
    )
    log = first = 0
    places: list[int] = []
    while page := rows.fetchmany(_CONVERTED_ROWS):
        found = []
        for number, seq, place in page:
            if number != log or seq != first + len(places) or len(places) == RUN_ENTRIES:
                if places:
                    found.append((log, first, places))
                log, first, places = number, seq, []
            places.append(place)
        runs.insert(found)
    if places:
        runs.insert([(log, first, places)])
    connection.execute("DROP TABLE places")
