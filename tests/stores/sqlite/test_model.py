"""The writer of the SQLite store, one step after another on one thread: any sequence of commits, of
chores between them, of faults in either and of restarts, against a plain model."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import EDIT, TEXT, Entry
from chatd.core.errors import KeyReused, StoreUnavailable
from chatd.stores import Append
from chatd.stores.batches import Call
from chatd.stores.sqlite import dedup_keys as sqlite_keys
from chatd.stores.sqlite import recent_entries as sqlite_tail
from chatd.stores.sqlite import writer as sqlite_writer
from chatd.stores.sqlite.file import migrate, migrations
from chatd.stores.sqlite.writer import Writer
from tests.stores.contract import NOBODY

LOGS = ("@a", "@b", "#c")
KEYS = ("k", "l", "m", None)
TABLES = ("places", "keys", "key_runs", "progress", "rubbish")


class _Log:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.trimmed = 0
        self.keys: dict[tuple[str, str], int] = {}

    def readable(self) -> list[Entry]:
        return self.entries[self.trimmed :]


class Play:
    """A writer and what it should have: `problems` stays empty if all answers are right."""

    def __init__(self, test: SynchronousTestCase) -> None:
        self.test = test
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.connection, "test", migrations())
        self.writer = Writer(self.connection)
        self.model: dict[str, _Log] = {}
        self.ids = count(1)
        self.problems: list[Any] = []

    def expect(self, found: Any, right: Any, what: Any) -> None:
        """Note a difference."""
        if found != right:
            self.problems.append((what, found, right))

    def log(self, name: str) -> _Log:
        """What should be in a log."""
        return self.model.get(name, _Log())

    def append(self, log: str, sender: str, key: str | None, body: str, kind: str) -> Append:
        """An append with a new id."""
        number = next(self.ids)
        return Append(
            log,
            number,
            number + 1000,
            sender,
            body,
            NOBODY,
            kind=kind,
            key=key,
            about=int(kind is EDIT),
        )

    def store(self, append: Append) -> tuple[int, int, int, bool] | type[KeyReused]:
        """What the model makes of it: seq, id, time, resent."""
        log = self.model.setdefault(append.log, _Log())
        if append.key is not None:
            seq = log.keys.get((append.sender, append.key), 0)
            if seq > log.trimmed:
                first = log.entries[seq - 1]
                if (first.kind, first.body, first.about) != (
                    append.kind,
                    append.body,
                    append.about,
                ):
                    return KeyReused
                return seq, first.id, first.time, True
            log.keys[append.sender, append.key] = len(log.entries) + 1
        a = append
        entry = Entry(len(log.entries) + 1, a.id, a.time, a.sender, a.kind, a.body, a.about)
        log.entries.append(entry)
        return entry.seq, entry.id, entry.time, False

    def commit(self, *items: tuple[Any, ...]) -> None:
        """One batch."""
        batch: list[Any] = []
        right: list[Any] = []
        for step, *values in items:
            if step == "append":
                batch.append(self.append(*values))
                right.append(self.store(batch[-1]))
                continue
            name, number = values
            log = self.log(name)
            if step == "trim":
                batch.append(_call_of(Writer.trim, name, number))
                log.trimmed = max(log.trimmed, min(number, len(log.entries)))
                right.append(None)
            elif step == "drop":
                batch.append(_call_of(Writer.drop, name))
                self.model.pop(name, None)
                right.append(None)
            elif step == "head":
                batch.append(_call_of(Writer.head, name))
                right.append(len(log.entries))
            else:
                batch.append(_call_of(Writer.read, name, number, 3))
                right.append([entry for entry in log.readable() if entry.seq > number][:3])
        self.expect(self.writer.commit(batch), None, "trouble")
        for item, expected in zip(batch, right, strict=True):
            self.expect(_outcome(item), expected, item)

    def fail_to_commit(self, *items: tuple[Any, ...]) -> None:
        """A batch of appends that cannot be written."""
        batch: list[Any] = [self.append(*values) for _, *values in (*items, said("@b"))]
        with self.broken("entries"):
            self.writer.commit(batch)
        self._check_refused(batch)

    def fail_after_all(self, *items: tuple[Any, ...]) -> None:
        """A batch of appends that is written, and then comes to nothing because of a call behind
        them."""
        batch: list[Any] = [self.append(*values) for _, *values in items]
        self.writer.commit([*batch, Call(_fault)])
        self._check_refused(batch)

    def _check_refused(self, batch: list[Append]) -> None:
        self.expect(self.connection.in_transaction, False, "transaction left open")
        for item in batch:
            self.expect((type(item.refusal), item.seq), (StoreUnavailable, 0), item)

    @contextmanager
    def broken(self, table: str) -> Iterator[None]:
        """While this lasts, no row can be written to a table."""
        for change in ("INSERT", "UPDATE", "DELETE"):
            self.connection.execute(
                f"CREATE TEMP TRIGGER no_{change} BEFORE {change} ON {table}"
                " BEGIN SELECT raise(ABORT, 'injected'); END"
            )
        try:
            yield
        finally:
            for change in ("INSERT", "UPDATE", "DELETE"):
                self.connection.execute(f"DROP TRIGGER no_{change}")

    def tidy(self) -> None:
        """One step of the chores, if there is any."""
        if self.writer.chores:
            self.writer.tidy()

    def fail_to_tidy(self, table: str) -> None:
        """The same, while a table cannot be written."""
        with self.broken(table):
            self.tidy()
        self.expect(self.connection.in_transaction, False, "transaction left open")

    def restart(self) -> None:
        """As after a crash: nothing is known but what is in the file."""
        self.writer = Writer(self.connection)

    def rows(self, query: str) -> list[Any]:
        """What is in the file."""
        return self.connection.execute(query).fetchall()

    def check(self) -> None:
        """All entries can be read, and all keys be sent again."""
        self.commit()
        for name in LOGS:
            log = self.log(name)
            self.expect(self.writer.read(name, 0, 10_000), log.readable(), f"all of {name}")
            for after in range(len(log.entries) + 1):
                self.expect(
                    [entry.seq for entry in self.writer.read(name, after, 2)],
                    [entry.seq for entry in log.readable() if entry.seq > after][:2],
                    f"{name} after {after}",
                )
            again = [
                ("append", name, sender, key, log.entries[seq - 1].body, log.entries[seq - 1].kind)
                for (sender, key), seq in log.keys.items()
                if seq > log.trimmed
            ]
            self.commit(*again, ("head", name, 0))

    def finish(self) -> None:
        """When all chores are done, the file has what the model has, and nothing else."""
        self.check()
        self.test.patch(sqlite_writer, "INDEX_AT", 1)
        for _ in range(1000):
            if not self.writer.chores:
                break
            self.writer.tidy()
        self.expect(self.writer.chores, False, "chores without end")
        self.check()
        self.expect(self.rows("SELECT * FROM rubbish"), [], "rubbish")
        places = [
            (name, entry.seq, entry.id) for name in LOGS for entry in self.log(name).readable()
        ]
        found = self.rows(
            "SELECT name, p.seq, e.id FROM places AS p JOIN entries AS e USING (place)"
            " JOIN logs ON logs.id = p.log"
        )
        self.expect(sorted(found), sorted(places), "places")
        self.expect(self.rows("SELECT count(*) FROM entries"), [(len(places),)], "entries")
        self.expect(self.rows("SELECT count(*) FROM places"), [(len(places),)], "places")
        keys = self.rows("SELECT name, sender, key, seq FROM keys JOIN logs ON logs.id = keys.log")
        for name, sender, last, packed in self.rows(
            "SELECT name, sender, last, keys FROM key_runs JOIN logs ON logs.id = key_runs.log"
        ):
            run = msgspec.msgpack.decode(packed, type=dict[str, int])
            self.expect(max(run.values()), last, "the last of a run")
            self.expect(last > self.log(name).trimmed, True, "a run of nothing")
            # Of a run some may be gone before the rest.
            keys += [
                (name, sender, key, seq) for key, seq in run.items() if seq > self.log(name).trimmed
            ]
        # After a crash between two steps of the index, a key may be in both.
        self.expect(
            sorted(set(keys)),
            sorted(
                (name, sender, key, seq)
                for name in LOGS
                for (sender, key), seq in self.log(name).keys.items()
                if seq > self.log(name).trimmed
            ),
            "keys",
        )


def _call_of(run: Callable[..., Any], *values: Any) -> Call[Any]:
    return Call(lambda writer: run(writer, *values))


def _outcome(item: Any) -> Any:
    if not isinstance(item, Append):
        return item.outcome
    return type(item.refusal) if item.refusal else (item.seq, item.id, item.time, item.resent)


def _fault(_: Any) -> None:
    raise sqlite3.OperationalError("injected")


_append = st.tuples(
    st.just("append"),
    st.sampled_from(LOGS),
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(KEYS),
    st.sampled_from("xxy"),
    st.sampled_from([TEXT, TEXT, EDIT]),
)
_call = st.tuples(
    st.sampled_from(["trim", "trim", "drop", "head", "read"]),
    st.sampled_from(LOGS),
    st.integers(0, 12),
)
_steps = st.one_of(
    st.tuples(st.just("commit"), st.lists(st.one_of(_append, _append, _append, _call), max_size=8)),
    st.tuples(st.just("commit"), st.lists(_append, min_size=4, max_size=12)),
    st.tuples(
        st.sampled_from(["fail_to_commit", "fail_after_all"]),
        st.lists(_append, min_size=1, max_size=6),
    ),
    st.tuples(st.just("tidy"), st.just(())),
    st.tuples(st.just("tidy"), st.just(())),
    st.tuples(st.just("fail_to_tidy"), st.sampled_from(TABLES).map(lambda table: (table,))),
    st.tuples(st.just("restart"), st.just(())),
    st.tuples(st.just("check"), st.just(())),
)


def said(
    log: str = "@a", key: str | None = None, body: str = "x", sender: str = "ann"
) -> tuple[Any, ...]:
    """An append of a text."""
    return ("append", log, sender, key, body, TEXT)


class Small(SynchronousTestCase):
    """All bounds are small, so that every one is met."""

    INDEX_AT = 4

    def setUp(self) -> None:
        self.patch(sqlite_writer, "_RUBBISH_AT_ONCE", 2)
        self.patch(sqlite_writer, "_CACHED_LOGS", 1)
        self.patch(sqlite_tail, "_STEP", 1)
        self.patch(sqlite_keys, "_CACHED", 1)
        self.patch(sqlite_keys, "_RUN", 2)

    def play(self, script: Iterable[tuple[str, Iterable[Any]]]) -> None:
        """Play it, and compare everything at the end."""
        self.patch(sqlite_writer, "INDEX_AT", self.INDEX_AT)
        play = Play(self)
        try:
            for name, values in script:
                step: Callable[..., None] = getattr(play, name)
                step(*values)
            play.finish()
        finally:
            play.connection.close()
        self.assertEqual(play.problems, [])


class AnySequence(Small):
    """Whatever happens, and in whatever order."""

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(st.lists(_steps, min_size=8, max_size=20))
    def test_any_sequence(self, script: list[tuple[str, Iterable[Any]]]) -> None:
        """Every answer is what the model says, and so is what is in the file in the end."""
        self.play(script)


class Sequences(Small):
    """The same by hand: what is known to be delicate."""

    def test_chores_after_a_commit_that_failed(self) -> None:
        """What was taken back is not written to the index."""
        self.play(
            [
                ("commit", [said("@a", key) for key in "klm"] + [said("@b")]),
                (
                    "fail_to_commit",
                    [said("@a", "n"), said("@b", "k"), said("@b", "l"), said("@a", "o")],
                ),
                *[("tidy", ())] * 5,
                ("commit", [said("@b", "n"), said("@b", "o"), said("@a", "n"), said("@b", "l")]),
                ("check", ()),
            ]
        )

    def test_sweeping_after_a_commit_that_failed(self) -> None:
        """Nor is it when the index is written for the sake of the sweep."""
        self.play(
            [
                ("commit", [said("@a", "k"), said("@a"), ("trim", "@a", 1)]),
                ("fail_to_commit", [said("@b", "k"), said("@a", "k")]),
                *[("tidy", ())] * 5,
                ("commit", [said("@a", "k"), said("@b")]),
                ("check", ()),
            ]
        )
