"""The store in an SQLite file keeps the contract, and what a file adds to it: faults, damage, restarts."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.errors import Conflict, StoreUnavailable, StoreUnusable
from chatd.stores import Append, sqlite_writer
from chatd.stores.sqlite import SQLiteStore
from chatd.stores.sqlite_file import check, claim, migrate, migrations
from tests.folders import folder
from tests.stores.contract import (
    DocumentContract,
    LogContract,
    SequenceContract,
    StoreContract,
    any_scripts,
    bounded,
    said,
)


class _InFile(StoreContract):
    def setUp(self) -> None:
        self.path = os.path.join(folder(self), "chatd.db")
        self.store = SQLiteStore(reactor, self.path)
        self.store.start()

    def tearDown(self) -> Any:
        return self.store.stop()

    async def reopen(self) -> None:
        """Close the file and open it again."""
        await self.store.stop()
        self.store = SQLiteStore(reactor, self.path)
        self.store.start()


class SQLiteLogs(_InFile, LogContract):
    """Logs."""


class SQLiteDocuments(_InFile, DocumentContract):
    """Documents."""


@implementer(IReactorFromThreads)
class PumpedReactor(Clock):
    """A clock that also takes calls from threads, and makes them when it is told to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.queued: SimpleQueue[tuple[Any, Any]] = SimpleQueue()

    def callFromThread(self, callable: Any, *args: Any, **kwargs: Any) -> None:
        """See IReactorFromThreads."""
        self.queued.put((callable, args))

    def run_until(self, answer: Deferred[Any]) -> Any:
        """Go on until this is answered, at most 10 seconds."""
        results: list[Any] = []
        answer.addBoth(results.append)
        self.advance(0)
        while not results:
            function, args = self.queued.get(timeout=10)
            function(*args)
            self.advance(0)
        return results[0]


class SQLiteSequences(SequenceContract):
    """Any sequence."""

    @bounded
    @any_scripts
    def test_any_sequence(self, scripts: list[list[tuple[str, int]]]) -> None:
        """Every answer is what the model says."""
        self.play(scripts)

    @bounded
    @any_scripts
    def test_any_sequence_with_an_eager_index(self, scripts: list[list[tuple[str, int]]]) -> None:
        """The same when the tail goes to the index every few entries."""
        self.patch(sqlite_writer, "INDEX_AT", 3)
        self.play(scripts)

    def open(self) -> SQLiteStore:
        """A file of its own."""
        self.reactor = PumpedReactor()
        store = SQLiteStore(self.reactor, os.path.join(folder(self), "chatd.db"))
        store.start()
        return store

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """The threads do their part."""
        return self.reactor.run_until(answer)

    def close(self, store: SQLiteStore) -> None:
        """Close the file."""
        self.reactor.run_until(store.stop())


class Restart(_InFile):
    """What was committed is there after a restart."""

    async def test_everything_is_still_there(self) -> None:
        """Entries, seqs, keys, trims, documents and their versions."""
        await self.say(said("@a", "1", "k"), said("@a", "2"), said("@b", "3"))
        await self.store.trim("@b", 1)
        await self.store.create("account", "Ann", b"1")
        await self.store.update("account", "Ann", 1, b"2")
        await self.reopen()
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 10)], ["1", "2"])
        again, third, after_trim = await self.say(said("@a", "1", "k"), said("@a", "3"), said("@b", "4"))
        self.assertEqual((again.seq, third.seq, after_trim.seq), (1, 3, 2))
        document = await self.store.get("account", "Ann")
        assert document is not None
        self.assertEqual((document.version, document.body), (2, b"2"))

    async def test_the_index_and_the_tail_make_one_log(self) -> None:
        """Entries in the index, in the tail, and read again after a restart: one sequence."""
        self.patch(sqlite_writer, "INDEX_AT", 40)
        count = self.store._call
        for start in range(0, 100, 10):
            await self.say(*[said(f"@{n % 3}", str(n)) for n in range(start, start + 10)])
        indexed = 0
        while indexed < 40:
            indexed = await count(lambda w: w.connection.execute("SELECT count(*) FROM places").fetchone()[0])
        self.patch(sqlite_writer, "INDEX_AT", 1000)
        await self.say(*[said(f"@{n % 3}", str(n)) for n in range(100, 130)])
        for _ in range(2):
            bodies = [[e.body for e in await self.store.read(f"@{log}", 5, 99)] for log in range(3)]
            self.assertEqual(bodies, [[str(n) for n in range(130) if n % 3 == log][5:] for log in range(3)])
            for after in range(44):
                page = await self.store.read("@0", after, 4)
                self.assertEqual([e.seq for e in page], list(range(after + 1, min(after + 5, 45))))
            self.assertEqual([await self.store.head(f"@{log}") for log in range(3)], [44, 43, 43])
            await self.reopen()
        self.assertTrue(await self.store._call(lambda writer: len(writer._tail)) >= 30)

    async def test_rubbish_is_swept(self) -> None:
        """The rows of trimmed and dropped logs go away, a few at a time, also after a restart."""
        await self.say(*[said("@a", "x") for _ in range(1200)], said("@b", "stays"))
        await self.store.drop("@a")
        await self.reopen()
        for _ in range(1000):  # the writer sweeps a little now and then, busy as it may be
            if not await self.store._call(lambda writer: writer.rubbish):
                break
        await self.store.stop()
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        left = connection.execute("SELECT count(*), (SELECT count(*) FROM rubbish) FROM entries").fetchone()
        self.assertEqual(left, (1, 0))

    async def test_a_commit_is_durable_by_the_settings(self) -> None:
        """Write-ahead log, and a sync for each commit."""
        settings: Deferred[Any] = self.store._call(
            lambda writer: [
                writer.connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous")
            ]
        )
        self.assertEqual(await settings, ["wal", 2])


class Faults(_InFile):
    """The disk fails; the store says so, loses nothing it had acknowledged, and recovers."""

    async def test_a_full_file(self) -> None:
        """When the file may not grow, appends are refused; when it may again, they go on without a gap."""
        await self.say(said("@a", "before"))
        full: Deferred[Any] = self.store._call(
            lambda writer: writer.connection.execute(
                f"PRAGMA max_page_count = {writer.connection.execute('PRAGMA page_count').fetchone()[0]}"
            ).fetchone()
        )
        await full
        big = "x" * 60_000
        refused = await self.say(said("@a", big), said("@b", "in the same batch"))
        self.assertEqual([type(a.refusal) for a in refused], [StoreUnavailable] * 2)
        self.assertEqual([a.seq for a in refused], [0, 0])
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 9)], ["before"])
        await self.store._call(
            lambda writer: writer.connection.execute("PRAGMA max_page_count = 1000000").fetchone()
        )
        heard = await self.say(said("@a", big), said("@b", "again"))
        self.assertEqual([(a.seq, a.refusal) for a in heard], [(2, None), (1, None)])
        errors = self.flushLoggedErrors()
        self.assertEqual(errors, [])

    async def test_reads_survive_a_batch_that_fails(self) -> None:
        """A question in the same batch as an append that cannot be written is answered all the same."""
        await self.say(said("@a", "before"))
        await self.store._call(
            lambda writer: writer.connection.execute(
                f"PRAGMA max_page_count = {writer.connection.execute('PRAGMA page_count').fetchone()[0]}"
            ).fetchone()
        )
        heard = self.listen()
        self.store.append([said("@a", "x" * 60_000)])
        head = self.store.head("@a")
        made = self.assertFailure(self.store.create("kind", "key", b"x" * 60_000), StoreUnavailable)
        stale = self.assertFailure(self.store.update("kind", "key", 7, b""), Conflict)
        await gatherResults([head, made, stale])
        self.assertIsInstance(heard[0].refusal, StoreUnavailable)
        self.assertEqual(await self.store.head("@a"), 1)

    def size_of_log(self) -> int:
        """Bytes in the write-ahead log."""
        return os.path.getsize(self.path + "-wal")

    async def test_a_write_that_the_system_refuses(self) -> None:
        """A limit on the size of files, as a full disk: an I/O error, a refusal, and recovery."""
        await self.say(said("@a", "before"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, handler)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size_of_log() + 5000, hard))
        refused: list[Append] = []
        for _ in range(10):
            refused += [a for a in await self.say(said("@a", "x" * 8000)) if a.refusal]
        self.assertTrue(refused)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        kept = await self.store.head("@a")
        self.assertEqual(kept, 11 - len(refused))
        (after,) = await self.say(said("@a", "after"))
        self.assertEqual((after.seq, after.refusal), (kept + 1, None))
        await self.reopen()
        self.assertEqual(await self.store.head("@a"), kept + 1)

    async def test_a_batch_is_whole_or_not_at_all(self) -> None:
        """An error in the midst of a batch takes back what was written before it."""
        await self.say(said("@a", "1"))
        await self.store._call(
            lambda writer: writer.connection.execute(
                "CREATE TEMP TRIGGER fault BEFORE INSERT ON entries WHEN new.body = 'fault'"
                " BEGIN SELECT raise(ABORT, 'injected'); END"
            )
        )
        heard = await self.say(*[said("@a", "ok") for _ in range(20)], said("@a", "fault"), said("@a", "ok"))
        self.assertTrue(all(a.refusal for a in heard))
        self.assertIn("injected", str(heard[0].refusal))
        (after,) = await self.say(said("@a", "2"))
        self.assertEqual(after.seq, 2)
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 99)], ["1", "2"])


class Opening(SynchronousTestCase):
    """Only a file that is ours, whole, free and not from the future is opened, and no other is changed."""

    def setUp(self) -> None:
        self.path = os.path.join(folder(self), "chatd.db")

    def fresh(self, fill: int = 0) -> sqlite3.Connection:
        """A store as a daemon leaves it, with some entries."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, self.path, migrations())
        connection.executemany(
            "INSERT INTO entries (log, seq, id, time, sender, kind, body)"
            " VALUES (1, ?, 1, 1, 'ann', 'text', ?)",
            [(seq, "x" * 500) for seq in range(fill)],
        )
        return connection

    def refusal(self) -> str:
        """The sentence with which the file is refused; nothing in its folder has changed by then."""
        folder = Path(self.path).parent
        before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        sentence = str(self.assertRaises(StoreUnusable, check, self.path))
        after = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        self.assertEqual(before, after)
        self.assertNotIn("\n", sentence)
        return sentence

    def test_a_new_file(self) -> None:
        """Nothing there: fine, and nothing is made by looking."""
        check(self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_an_empty_file(self) -> None:
        """As good as none."""
        Path(self.path).touch()
        check(self.path)

    def test_a_store(self) -> None:
        """Ours, whole."""
        self.fresh(100).close()
        check(self.path)

    def test_a_text_file(self) -> None:
        """Not a database."""
        Path(self.path).write_text("Dear diary, " * 100)
        self.assertIn("not a store of chatd", self.refusal())

    def test_somebody_elses_database(self) -> None:
        """A database, but not ours."""
        connection = sqlite3.connect(self.path)
        connection.execute("CREATE TABLE notes (text)")
        connection.close()
        self.assertIn("not a store of chatd", self.refusal())

    def test_a_newer_store(self) -> None:
        """Written by a chatd that knows more than this one."""
        connection = self.fresh()
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        self.assertIn("newer chatd (schema 99", self.refusal())

    def test_a_truncated_store(self) -> None:
        """Half a file."""
        self.fresh(1000).close()
        os.truncate(self.path, os.path.getsize(self.path) // 2)
        self.assertIn("damaged", self.refusal())

    def test_garbage_in_the_middle(self) -> None:
        """A page overwritten."""
        self.fresh(1000).close()
        with open(self.path, "r+b") as file:
            file.seek(40960)
            file.write(b"\xa5" * 8192)
        self.assertIn("damaged", self.refusal())

    def test_a_folder(self) -> None:
        """Not a file."""
        os.mkdir(self.path)
        self.assertIn("is a folder", self.refusal())

    def test_a_missing_folder(self) -> None:
        """Nowhere to put it."""
        self.path = os.path.join(self.path, "nowhere", "chatd.db")
        sentence = str(self.assertRaises(StoreUnusable, check, self.path))
        self.assertIn("there is no folder", sentence)

    def test_held_by_another(self) -> None:
        """One daemon at a time."""
        self.fresh().close()
        holder = claim(self.path)
        self.assertIn("in use by another daemon", self.refusal())
        os.close(holder)
        check(self.path)

    def test_a_new_file_is_private(self) -> None:
        """Mail is nobody else's business."""
        os.close(claim(self.path))
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)


class Migration(SynchronousTestCase):
    """The schema is brought up to date step by step, each whole or not at all."""

    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)

    def version(self) -> int:
        """Where the schema is."""
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    def test_only_what_is_missing(self) -> None:
        """Steps that were taken are not taken again."""
        migrate(self.connection, "x", ["CREATE TABLE a (x)"])
        migrate(self.connection, "x", ["CREATE TABLE a (x)", "CREATE TABLE b (x)"])
        self.assertEqual(self.version(), 2)

    def test_a_step_that_fails_changes_nothing(self) -> None:
        """The version stays, and so do the tables."""
        scripts = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"]
        error = self.assertRaises(StoreUnusable, migrate, self.connection, "x", scripts)
        self.assertIn("schema version 2", str(error))
        self.assertEqual(self.version(), 1)
        tables = [row[0] for row in self.connection.execute("SELECT name FROM sqlite_master")]
        self.assertEqual(tables, ["a"])


class Concurrency(_InFile):
    """A listing does not keep others waiting."""

    async def test_appends_go_on_during_a_listing(self) -> None:
        """A long listing that began first is not in the way of an append."""
        store = self.store
        await gatherResults([store.create("account", f"user{n}", b"") for n in range(2000)])
        order: list[str] = []
        listing = store.list("account", "*9*9*")
        listing.addCallback(lambda names: order.append(f"{len(names)} names"))
        committed: Deferred[None] = Deferred()
        store.committed = lambda run: committed.callback(None)
        store.append([said("@a", "x")])
        store.flush()
        await gatherResults([listing, committed])
        self.assertEqual(len(order), 1)


del LogContract, DocumentContract, SequenceContract, StoreContract
