"""The writer of the SQLite store on one thread, compared with a model.

Any sequence of commits, of maintenance between them, of faults in either, and of restarts.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count, product
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import EDIT, TEXT, Entry
from chatd.core.errors import KeyReused, Refused, StoreUnavailable, UnknownLog
from chatd.stores import ENTRY_BYTES, Append, Change, CreateLog, Document, DropLog, RenameLog
from chatd.stores.batches import Call
from chatd.stores.sqlite import dedup_keys as keys_module
from chatd.stores.sqlite import documents as documents_module
from chatd.stores.sqlite import logs as logs_module
from chatd.stores.sqlite import maintenance as maintenance_module
from chatd.stores.sqlite import place_runs as runs_module
from chatd.stores.sqlite import recent_entries as recent_module
from chatd.stores.sqlite.writer import Writer
from tests.doubles.sqlite_file import empty_store
from tests.doubles.sqlite_writer import indexed_places
from tests.doubles.stores import NULL_ORIGIN
from tests.stores.document_model import KINDS, SCOPES, DocumentModel, changes_of, with_versions

LOGS = ("@a", "@b", "#c")
KEYS = ("k", "l", "m", None)
TABLES = (
    "place_runs",
    "keys",
    "key_runs",
    "progress",
    "rubbish",
    "documents",
    "counters",
    "deleted_documents",
)


class _Log:
    """A model of one log."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.trimmed = 0
        self.keys: dict[tuple[str, str], int] = {}

    def readable(self) -> list[Entry]:
        """The entries that are not trimmed."""
        return self.entries[self.trimmed :]


class Play:
    """A writer and a model of it; `problems` has every difference between them."""

    def __init__(self, test: SynchronousTestCase) -> None:
        self.test = test
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(empty_store())
        self.writer = Writer(self.connection)
        self.writer.commit([_call_of(Writer.write, [CreateLog(name) for name in LOGS])])
        self.model = {name: _Log() for name in LOGS}
        self.documents = DocumentModel(set())
        self.ids = count(1)
        self.problems: list[Any] = []

    def expect(self, actual: Any, expected: Any, subject: Any) -> None:
        """Note a difference."""
        if actual != expected:
            self.problems.append((subject, actual, expected))

    def log(self, name: str) -> _Log:
        """The model of a log."""
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
            NULL_ORIGIN,
            kind=kind,
            key=key,
            about=int(kind is EDIT),
        )

    def store(self, append: Append) -> tuple[int, int, int, bool] | type[Refused]:
        """The expected (seq, id, time, resent), or the refusal."""
        log = self.model.get(append.log)
        if log is None:
            return UnknownLog
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
        """Commit one batch, and compare its results."""
        batch: list[Any] = []
        results: list[Any] = []
        for step, *values in items:
            if step == "append":
                batch.append(self.append(*values))
                results.append(self.store(batch[-1]))
                continue
            name, number = values
            log = self.log(name)
            if step == "trim":
                batch.append(_call_of(_trim, name, number))
                log.trimmed = max(log.trimmed, min(number, len(log.entries)))
                results.append(None)
            elif step == "drop":
                batch.append(_call_of(Writer.write, [DropLog(name)]))
                self.model.pop(name, None)
                results.append([0])
            elif step == "head":
                batch.append(_call_of(Writer.head, name))
                results.append(len(log.entries))
            else:
                batch.append(_call_of(Writer.read, name, number, 3))
                results.append([entry for entry in log.readable() if entry.seq > number][:3])
        self.expect(self.writer.commit(batch), None, "reason of a failure")
        for item, expected in zip(batch, results, strict=True):
            self.expect(_outcome(item), expected, item)

    def write(self, changes: list[Change], failing: bool) -> None:
        """Write changes; in a batch that fails, they are tried once more, alone."""
        self.documents.logs = set(self.model)
        changes = with_versions(self.documents, changes)
        refusal = self.documents.refusal(changes)
        call: Any = _call_of(Writer.write, changes)
        self.writer.commit([call, Call(_fault)] if failing else [call])
        if refusal is not None:
            self.expect(getattr(call.outcome, "type", None), refusal, changes)
            return
        self.expect(self.documents.adopt(changes, call.outcome), [], changes)
        for change in changes:
            if isinstance(change, CreateLog):
                self.model[change.log] = _Log()
            elif isinstance(change, DropLog):
                self.model.pop(change.log, None)
            elif isinstance(change, RenameLog):
                self.model[change.name] = self.model.pop(change.log)

    def check_documents(self) -> None:
        """Compare the documents, their order and their number."""
        table = self.writer.documents
        for kind in KINDS:
            for scope in SCOPES:
                expected = self.documents.in_scope(kind, scope)
                actual = self.connection.execute(
                    "SELECT key, version, body FROM visible_documents"
                    " WHERE kind = ? AND scope = ? ORDER BY id",
                    (kind, scope),
                )
                self.expect([Document(*row) for row in actual], expected, (kind, scope))
                self.expect(table.count(kind, scope), len(expected), ("count", kind, scope))
                scanned = table.scan(kind, scope, "", 10)
                self.expect(
                    scanned, sorted(expected, key=lambda d: d.key.lower()), ("scan", kind, scope)
                )
                for document in expected:
                    found = table.get(kind, document.key, scope)
                    self.expect(found, document, ("get", kind, scope))

    def fail_to_commit(self, *items: tuple[Any, ...]) -> None:
        """Commit a batch of appends, one of them new and to a log that exists, that cannot be
        written."""
        if not self.model:
            return
        new = append_step(next(iter(self.model)))
        batch: list[Any] = [self.append(*values) for _, *values in (*items, new)]
        with self.broken("entries"):
            self.writer.commit(batch)
        self._check_refused(batch)

    def fail_after_all(self, *items: tuple[Any, ...]) -> None:
        """Commit a batch of appends that is rolled back because of the call after them."""
        batch: list[Any] = [self.append(*values) for _, *values in items]
        self.writer.commit([*batch, Call(_fault)])
        self._check_refused(batch)

    def _check_refused(self, batch: list[Append]) -> None:
        self.expect(self.connection.in_transaction, False, "transaction left open")
        for item in batch:
            self.expect((type(item.refusal), item.seq), (StoreUnavailable, 0), item)

    @contextmanager
    def broken(self, table: str) -> Iterator[None]:
        """A context in which a table cannot be written."""
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

    def maintain(self) -> None:
        """Do one step of maintenance, if there is any."""
        if self.writer.maintenance.needed:
            self.writer.maintenance.run()

    def fail_to_maintain(self, table: str) -> None:
        """Do one step of maintenance while a table cannot be written."""
        with self.broken(table):
            self.maintain()
        self.expect(self.connection.in_transaction, False, "transaction left open")

    def restart(self) -> None:
        """Use a new writer, as after a crash."""
        self.writer = Writer(self.connection)

    def rows(self, query: str) -> list[Any]:
        """The rows of a query of the file."""
        return self.connection.execute(query).fetchall()

    def check(self) -> None:
        """Compare all entries, and send all keys again."""
        self.commit()
        self.check_documents()
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
        """Do all maintenance; then the file must have what the model has, and nothing else."""
        self.check()
        self.test.patch(maintenance_module, "INDEX_AT", 1)
        for _ in range(1000):
            if not self.writer.maintenance.needed:
                break
            self.writer.maintenance.run()
        self.expect(self.writer.maintenance.needed, False, "maintenance without end")
        self.check()
        for table in ("rubbish", "deleted_documents"):
            self.expect(self.rows(f"SELECT * FROM {table}"), [], "garbage")
        self.expect(
            self.rows("SELECT kind, scope, documents FROM counters"),
            self.rows("SELECT kind, scope, count(*) FROM documents GROUP BY 1, 2 ORDER BY 1, 2"),
            "counters",
        )
        places = [
            (name, entry.seq, entry.id) for name in LOGS for entry in self.log(name).readable()
        ]
        names = dict(self.rows("SELECT id, name FROM logs"))
        ids = dict(self.rows("SELECT place, id FROM entries"))
        indexed = [
            (names[log], seq, ids[place]) for log, seq, place in indexed_places(self.connection)
        ]
        self.expect(sorted(indexed), sorted(places), "places")
        self.expect(len(ids), len(places), "entries")
        sizes: Counter[tuple[int, int]] = Counter()
        for log, author, body in self.rows("SELECT log, author, body FROM entries"):
            for key in ((log, author), (log, -1)):
                sizes[key] += len(body.encode()) + ENTRY_BYTES
        counted = self.rows("SELECT log, author, bytes FROM stored_bytes")
        self.expect({(log, author): size for log, author, size in counted}, sizes, "sizes")
        for log, last in self.rows("SELECT log, last FROM place_runs"):
            self.expect(last > self.log(names[log]).trimmed, True, "a run of nothing")
        keys = self.rows("SELECT name, sender, key, seq FROM keys JOIN logs ON logs.id = keys.log")
        for name, sender, last, packed in self.rows(
            "SELECT name, sender, last, keys FROM key_runs JOIN logs ON logs.id = key_runs.log"
        ):
            run = msgspec.msgpack.decode(packed, type=dict[str, int])
            self.expect(max(run.values()), last, "the last of a run")
            self.expect(last > self.log(name).trimmed, True, "a run of nothing")
            # Some entries of a run may be trimmed before the others.
            keys += [
                (name, sender, key, seq) for key, seq in run.items() if seq > self.log(name).trimmed
            ]
        # After a crash between two steps of indexing, a key may be in both tables.
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


def _trim(writer: Writer, log: str, upto: int) -> None:
    writer.logs.trim(log, upto)


def _outcome(item: Any) -> Any:
    if not isinstance(item, Append):
        return item.outcome
    return type(item.refusal) if item.refusal else (item.seq, item.id, item.time, item.resent)


def _fault(_: Any) -> None:
    raise sqlite3.OperationalError("injected")


# One draw for all fields of an append or a call: drawing each by itself takes far longer.
_APPENDS = list(product(["append"], LOGS, ["ann", "bob"], KEYS, "xxy", [TEXT, TEXT, EDIT]))
_CALLS = list(product(["trim", "trim", "drop", "head", "read"], LOGS, range(13)))
_append = st.sampled_from(_APPENDS)
_append_or_call = st.sampled_from([*_APPENDS, *_CALLS])
_steps = st.one_of(
    st.tuples(st.just("commit"), st.lists(_append_or_call, max_size=8)),
    st.tuples(st.just("commit"), st.lists(_append, min_size=4, max_size=12)),
    st.tuples(
        st.sampled_from(["fail_to_commit", "fail_after_all"]),
        st.lists(_append, min_size=1, max_size=6),
    ),
    st.tuples(st.just("write"), st.tuples(changes_of(LOGS), st.booleans())),
    st.tuples(st.just("write"), st.tuples(changes_of(LOGS), st.booleans())),
    st.tuples(st.just("maintain"), st.just(())),
    st.tuples(st.just("maintain"), st.just(())),
    st.tuples(st.just("fail_to_maintain"), st.sampled_from(TABLES).map(lambda table: (table,))),
    st.tuples(st.just("restart"), st.just(())),
    st.tuples(st.just("check"), st.just(())),
)


def append_step(
    log: str = "@a", key: str | None = None, body: str = "x", sender: str = "ann"
) -> tuple[Any, ...]:
    """A step that appends a text."""
    return ("append", log, sender, key, body, TEXT)


class SmallBounds(SynchronousTestCase):
    """All bounds are small, so that every one is reached."""

    INDEX_AT = 4

    def setUp(self) -> None:
        self.patch(maintenance_module, "_PURGE_STEP", 2)
        self.patch(maintenance_module, "_DOCUMENTS_STEP", 2)
        self.patch(logs_module, "_CACHED", 1)
        self.patch(recent_module, "_INDEX_STEP", 1)
        self.patch(runs_module, "RUN_ENTRIES", 3)
        self.patch(documents_module, "_AT_ONCE", 1)
        self.patch(keys_module, "_CACHED_PAIRS", 1)
        self.patch(keys_module, "_RUN_KEYS", 2)

    def play(self, script: Iterable[tuple[str, Iterable[Any]]]) -> None:
        """Play a script, and compare everything at the end."""
        self.patch(maintenance_module, "INDEX_AT", self.INDEX_AT)
        play = Play(self)
        try:
            for name, values in script:
                step: Callable[..., None] = getattr(play, name)
                step(*values)
            play.finish()
        finally:
            play.connection.close()
        self.assertEqual(play.problems, [])


class AnySequence(SmallBounds):
    """Any sequence of steps."""

    @settings(derandomize=True, deadline=None, max_examples=500)
    @given(st.lists(_steps, min_size=8, max_size=24))
    def test_any_sequence_has_the_results_of_the_model(
        self, script: list[tuple[str, Iterable[Any]]]
    ) -> None:
        """The file at the end is that of the model, too."""
        self.play(script)


class Sequences(SmallBounds):
    """Sequences that are easily handled wrongly."""

    def test_maintenance_after_a_failed_commit(self) -> None:
        """Entries that were rolled back are not indexed."""
        self.play(
            [
                ("commit", [append_step("@a", key) for key in "klm"] + [append_step("@b")]),
                (
                    "fail_to_commit",
                    [
                        append_step("@a", "n"),
                        append_step("@b", "k"),
                        append_step("@b", "l"),
                        append_step("@a", "o"),
                    ],
                ),
                *[("maintain", ())] * 5,
                (
                    "commit",
                    [
                        append_step("@b", "n"),
                        append_step("@b", "o"),
                        append_step("@a", "n"),
                        append_step("@b", "l"),
                    ],
                ),
                ("check", ()),
            ]
        )

    def test_purge_after_a_failed_commit(self) -> None:
        """Entries that were rolled back are not indexed in order to be purged."""
        self.play(
            [
                ("commit", [append_step("@a", "k"), append_step("@a"), ("trim", "@a", 1)]),
                ("fail_to_commit", [append_step("@b", "k"), append_step("@a", "k")]),
                *[("maintain", ())] * 5,
                ("commit", [append_step("@a", "k"), append_step("@b")]),
                ("check", ()),
            ]
        )
