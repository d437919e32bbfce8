"""The store in an SQLite file keeps the contract, and what a file adds to it: faults and
restarts."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatd.core.errors import Conflict, StoreUnavailable
from chatd.stores import Append
from chatd.stores.sqlite import recent_entries as sqlite_tail
from chatd.stores.sqlite import writer as sqlite_writer
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.folders import folder
from tests.doubles.sqlite_file import InFile, PumpedReactor
from tests.stores.contract import DocumentContract, LogContract, said
from tests.stores.sequences import Script, SequenceContract, any_script, bounded


class SQLiteLogs(InFile, LogContract):
    """Logs."""


class SQLiteDocuments(InFile, DocumentContract):
    """Documents."""


class SQLiteSequences(SequenceContract):
    """Any sequence, with all threads."""

    @bounded
    @any_script
    def test_any_sequence(self, script: Script) -> None:
        """Every answer is what the model says."""
        self.play(script)

    @bounded
    @any_script
    def test_any_sequence_with_an_eager_index(self, script: Script) -> None:
        """The same when the tail goes to the index every few entries, log by log, with calls in
        between."""
        self.patch(sqlite_writer, "INDEX_AT", 3)
        self.patch(sqlite_tail, "_STEP", 1)
        self.play(script)

    def open(self) -> SQLiteStore:
        """A file of its own."""
        self.reactor = PumpedReactor()
        store = SQLiteStore(self.reactor, os.path.join(folder(self), "chatd.db"))
        store.start()
        return store

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """The threads do their part."""
        return self.reactor.run_until(answer)

    def restart(self, store: SQLiteStore) -> SQLiteStore:
        """Close the file and open it again."""
        self.close(store)
        again = SQLiteStore(self.reactor, store.path)
        again.start()
        return again

    def close(self, store: SQLiteStore) -> None:
        """Close the file."""
        self.reactor.run_until(store.stop())


class Restart(InFile):
    """What was committed is there after a restart."""

    async def test_everything_is_still_there(self) -> None:
        """Entries, seqs, keys, trims, documents and their versions."""
        await self.say(said("@a", "1", "k"), said("@a", "2"), said("@b", "3"))
        await self.store.trim("@b", 1)
        await self.store.create("account", "Ann", b"1")
        await self.store.update("account", "Ann", 1, b"2")
        await self.reopen()
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 10)], ["1", "2"])
        again, third, after_trim = await self.say(
            said("@a", "1", "k"), said("@a", "3"), said("@b", "4")
        )
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
            indexed = await count(
                lambda w: w.connection.execute("SELECT count(*) FROM places").fetchone()[0]
            )
        self.patch(sqlite_writer, "INDEX_AT", 1000)
        await self.say(*[said(f"@{n % 3}", str(n)) for n in range(100, 130)])
        for _ in range(2):
            bodies = [[e.body for e in await self.store.read(f"@{log}", 5, 99)] for log in range(3)]
            self.assertEqual(
                bodies, [[str(n) for n in range(130) if n % 3 == log][5:] for log in range(3)]
            )
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
        left = connection.execute(
            "SELECT count(*), (SELECT count(*) FROM rubbish) FROM entries"
        ).fetchone()
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


class Faults(InFile):
    """The disk fails; the store says so, loses nothing it had acknowledged, and recovers."""

    async def test_a_full_file(self) -> None:
        """When the file may not grow, appends are refused; when it may again, they go on without a
        gap."""
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
        """A question in the same batch as an append that cannot be written is answered all the
        same."""
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
        # The limit holds for every file of this process; that of the test run's log must stay below
        # it.
        await self.say(*[said("@b", "x" * 60_000) for _ in range(60)])
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
        heard = await self.say(
            *[said("@a", "ok") for _ in range(20)], said("@a", "fault"), said("@a", "ok")
        )
        self.assertTrue(all(a.refusal for a in heard))
        self.assertIn("injected", str(heard[0].refusal))
        (after,) = await self.say(said("@a", "2"))
        self.assertEqual(after.seq, 2)
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 99)], ["1", "2"])


class Concurrency(InFile):
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


del LogContract, DocumentContract, SequenceContract, InFile
