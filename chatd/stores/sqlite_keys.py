"""Finding entries by their senders' own keys.

Those of the tail (`chatd.stores.sqlite_tail`) are in memory; the others are written to the file together
with the tail's places. Keys that rise, as keys made from the time do, cost little: they are written in runs,
and a key that is greater than all others of its sender in its log is new without being sought.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

_RUN = 256
_CACHED = 100_000
_PUT_RUN = "INSERT OR REPLACE INTO key_runs (log, sender, greatest, last, keys) VALUES (?,?,?,?,?)"
_PUT_ONE = "INSERT OR REPLACE INTO keys (log, sender, key, seq) VALUES (?,?,?,?)"
_SEQS = msgspec.msgpack.Decoder(dict[str, int])


class LogKeys:
    """The keys in one log: the seqs of the tail's by sender and key, in `planned` those that are being
    written to the file; and by sender the greatest key of all."""

    __slots__ = ("greatest", "planned", "recent", "risen")

    def __init__(self) -> None:
        self.recent: dict[tuple[str, str], int] = {}
        self.planned: dict[tuple[str, str], int] = {}
        self.greatest: dict[str, str] = {}
        self.risen: dict[str, str] = {}
        """by sender the greatest key in a run"""


class Keys:
    """All keys; `logs` has them by the number of the log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.logs: dict[int, LogKeys] = {}

    def clear(self) -> None:
        """Know nothing by heart any more."""
        self.logs.clear()

    def note(self, log: int, sender: str, key: str, seq: int) -> None:
        """An entry of the tail has this key."""
        self._of(log).recent[sender, key] = seq

    def seq(self, log: int, sender: str, key: str) -> int:
        """The seq of the entry that has this key of this sender, 0 if there is none."""
        keys = self._of(log)
        seq = keys.recent.get((sender, key)) or keys.planned.get((sender, key))
        if seq:
            return seq
        greatest = keys.greatest.get(sender)
        if greatest is None:
            single = self._one("SELECT max(key) FROM keys WHERE log = ? AND sender = ?", log, sender)
            tail = [key for owner, key in (*keys.recent, *keys.planned) if owner == sender]
            greatest = keys.greatest[sender] = max([single or "", self._risen(log, keys, sender), *tail])
        if key > greatest:
            return 0
        single = self._one("SELECT seq FROM keys WHERE log = ? AND sender = ? AND key = ?", log, sender, key)
        if single:
            return int(single)
        run = self._one(
            "SELECT keys FROM key_runs WHERE log = ? AND sender = ? AND greatest >= ?"
            " ORDER BY greatest LIMIT 1",
            log,
            sender,
            key,
        )
        return 0 if run is None else _SEQS.decode(run).get(key, 0)

    def _of(self, log: int) -> LogKeys:
        keys = self.logs.get(log)
        if keys is None:
            if len(self.logs) >= _CACHED:
                self.logs = {log: keys for log, keys in self.logs.items() if keys.recent or keys.planned}
            keys = self.logs[log] = LogKeys()
        return keys

    def _risen(self, log: int, keys: LogKeys, sender: str) -> str:
        risen = keys.risen.get(sender)
        if risen is None:
            found = self._one("SELECT max(greatest) FROM key_runs WHERE log = ? AND sender = ?", log, sender)
            risen = keys.risen[sender] = found or ""
        return risen

    def _one(self, query: str, *values: object) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def plan(self) -> None:
        """From now on, what is known by heart is to be written by `write`."""
        for keys in self.logs.values():
            keys.planned, keys.recent = keys.recent, {}

    def write(self, logs: Iterable[int]) -> None:
        """Write the planned keys of these logs to the file, in the transaction that is open."""
        for log in logs:
            keys = self.logs.get(log)
            if keys is None or not keys.planned:
                continue
            rising: dict[str, dict[str, int]] = {}
            for (sender, key), seq in keys.planned.items():
                run = rising.get(sender)
                if run is None:
                    self._risen(log, keys, sender)
                    run = rising[sender] = {}
                if key > keys.risen[sender]:
                    keys.risen[sender] = key
                    run[key] = seq
                else:
                    self._connection.execute(_PUT_ONE, (log, sender, key, seq))
                if len(run) >= _RUN:
                    self._write_run(log, sender, rising.pop(sender))
            for sender, run in rising.items():
                if run:
                    self._write_run(log, sender, run)

    def _write_run(self, log: int, sender: str, run: dict[str, int]) -> None:
        # Keys rise with the order in which they came, so the last one is the greatest.
        greatest = next(reversed(run))
        body = msgspec.msgpack.encode(run)
        self._connection.execute(_PUT_RUN, (log, sender, greatest, run[greatest], body))

    def written(self, logs: Iterable[int]) -> None:
        """What was planned for these logs is in the file."""
        for log in logs:
            keys = self.logs.get(log)
            if keys is not None:
                keys.planned = {}

    def forget(self, log: int, upto: int, removed: Iterable[tuple[str, str, int]]) -> None:
        """Entries up to seq `upto` of a log are being removed, among them these: (sender, key, seq)."""
        execute = self._connection.execute
        execute("DELETE FROM key_runs WHERE log = ? AND last <= ?", (log, upto))
        for sender, key, seq in removed:
            # A later entry may have the key again.
            execute(
                "DELETE FROM keys WHERE log = ? AND sender = ? AND key = ? AND seq = ?",
                (log, sender, key, seq),
            )
