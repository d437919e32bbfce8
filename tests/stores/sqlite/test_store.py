"""The SQLite store: the contract, restarts, disk errors, and listings."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import ILogObserver, Logger

from chatd.core.entries import Cursor
from chatd.core.errors import Conflict, StoreUnavailable
from chatd.stores import Append, Change, Create, CreateLog, DropLog, Erase, Position, Quota
from chatd.stores.sqlite import maintenance as maintenance_module
from chatd.stores.sqlite import recent_entries as recent_module
from chatd.stores.sqlite import store as store_module
from chatd.stores.sqlite.store import SQLiteStore
from chatd.stores.sqlite.writer import Writer
from tests.doubles.folders import MEMORY, folder
from tests.doubles.sqlite_file import InFile, PumpedReactor, empty_store
from tests.doubles.stores import NULL_ORIGIN
from tests.stores.contract import DocumentContract, LogContract, new_text
from tests.stores.position_contract import (
    PositionContract,
    PositionScript,
    PositionSequenceContract,
    any_position_script,
)
from tests.stores.quota_contract import QuotaContract, new_entry
from tests.stores.sequences import Script, SequenceContract, any_script, bounded
from tests.stores.write_contract import (
    AuthorContract,
    ExplicitLogContract,
    ScopeContract,
    WriteContract,
    WriteSequenceContract,
    any_writes,
)


class SQLiteLogs(InFile, LogContract):
    """Logs."""


class SQLiteQuotas(QuotaContract, InFile):
    """What a log stores at most."""

    async def restart(self, quota: Quota) -> None:
        """See `QuotaContract`."""
        await self.store.stop()
        self.store = SQLiteStore(reactor, self.path, quota=quota)
        self.store.start()

    async def garbage(self) -> Any:
        """See `QuotaContract`."""
        return await self.store._call(lambda writer: writer.logs.has_garbage)

    async def test_full_log_is_full_after_a_restart(self) -> None:
        """Counts are in the file; what was not counted is counted after the start."""
        quota = Quota(sender=6_000, mailbox=20_000)
        await self.restart(quota)
        await self.expect_stored(*[new_entry("@1", 7, 850) for _ in range(6)])
        await self.expect_stored(*[new_entry("@2", n, 850) for n in range(1, 21)])
        for author in (8, 9):
            await self.restart(quota)
            await self.expect_refused(new_entry("@1", 7), new_entry("@2", 99))
            await self.expect_stored(new_entry("@1", author))
        await self.restart(Quota())
        await self.expect_stored(new_entry("@1", 7), new_entry("@2", 99))


class SQLiteDocuments(InFile, DocumentContract):
    """Documents."""


class SQLiteWrites(WriteContract, InFile):
    """Several changes at once."""


class SQLiteScopes(ScopeContract, InFile):
    """Documents of several scopes."""


class SQLiteExplicitLogs(ExplicitLogContract, InFile):
    """Logs that are created and dropped."""


class SQLitePositions(PositionContract, InFile):
    """Positions of accounts."""


class SQLiteAuthors(AuthorContract, InFile):
    """Entries with authors."""


class _OpenedInFile(SequenceContract):
    def open(self) -> SQLiteStore:
        """A store in a file of its own."""
        self.reactor = PumpedReactor()
        path = os.path.join(folder(self, MEMORY), "chatd.db")
        Path(path).write_bytes(empty_store())
        store = SQLiteStore(self.reactor, path)
        store.start()
        return store

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """The result, when the threads have delivered it."""
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


class SQLiteSequences(_OpenedInFile):
    """Any sequence of calls on logs, with all threads."""

    @bounded
    @any_script
    def test_any_sequence_has_the_results_of_the_model(self, script: Script) -> None:
        """Scripts of appends, reads, trims and drops are drawn by hypothesis."""
        self.play(script)

    @bounded
    @any_script
    def test_frequent_indexing_does_not_change_results(self, script: Script) -> None:
        """Every few entries are indexed, log by log, with calls between the steps."""
        self.patch(maintenance_module, "INDEX_AT", 3)
        self.patch(recent_module, "_INDEX_STEP", 1)
        self.play(script)


class SQLiteWriteSequences(WriteSequenceContract, _OpenedInFile):
    """Any sequence of writes, with all threads."""

    @bounded
    @any_writes
    def test_any_sequence_of_writes_has_the_results_of_the_model(
        self, script: list[list[Change]], restart: int
    ) -> None:
        """Scripts of writes are drawn by hypothesis."""
        self.play_writes(script, restart)


class SQLitePositionSequences(PositionSequenceContract, _OpenedInFile):
    """Any sequence of saves, and of writes that change positions, with all threads."""

    @bounded
    @any_position_script
    def test_any_sequence_has_the_positions_of_the_model(self, script: PositionScript) -> None:
        """They are compared after each step."""
        self.play_positions(script)


class Restart(InFile):
    """What was committed is there after a restart."""

    async def test_restart_preserves_everything(self) -> None:
        """Entries, seqs, keys, trims, documents and their versions, and positions."""
        await self.append(new_text("@a", "1", "k"), new_text("@a", "2"), new_text("@b", "3"))
        await self.store.trim("@b", 1)
        await self.create("account", "Ann", b"1")
        await self.update("account", "Ann", 1, b"2")
        positions = [Position(7, "@a", Cursor(1), 2, 3), Position(7, "@b", Cursor(0, ((3, 4),)))]
        await self.store.save(positions)
        await self.reopen()
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 10)], ["1", "2"])
        again, third, after_trim = await self.append(
            new_text("@a", "1", "k"), new_text("@a", "3"), new_text("@b", "4")
        )
        self.assertEqual((again.seq, third.seq, after_trim.seq), (1, 3, 2))
        document = await self.store.get("account", "Ann")
        assert document is not None
        self.assertEqual((document.version, document.body), (2, b"2"))
        self.assertCountEqual(await self.store.positions(7), positions)
        # Ranges are merged after a restart, too.
        await self.store.save([Position(7, "@b", Cursor(2), 1)])
        self.assertIn(Position(7, "@b", Cursor(4), 1), await self.store.positions(7))

    async def test_newest_id_and_time_are_known_after_a_restart(self) -> None:
        """Of entries, indexed, recent or deleted, and of logs; before the first one they are 0."""
        self.assertEqual(self.store.newest, (0, 0))
        for index_at, restarted in ((1_000, (70, 900)), (1, (70, 900))):
            self.patch(maintenance_module, "INDEX_AT", index_at)
            await self.append(
                Append("@a", 70, 8, "ann", "x", NULL_ORIGIN),
                Append("@a", 7, 900, "ann", "x", NULL_ORIGIN),
            )
            await self.reopen()
            self.assertEqual(self.store.newest, restarted)
        await self.store.write([DropLog("@a")])
        while await self.store._call(lambda writer: writer.logs.has_garbage):
            pass
        await self.reopen()
        self.assertEqual(self.store.newest, (70, 900))
        await self.store.write([CreateLog("#71"), DropLog("#71"), CreateLog("@server")])
        await self.reopen()
        self.assertEqual(self.store.newest, (71, 900))

    async def test_indexed_and_recent_entries_are_one_sequence(self) -> None:
        """This holds when the recent entries are loaded after a restart, too."""
        self.patch(maintenance_module, "INDEX_AT", 40)
        count = self.store._call
        for start in range(0, 100, 10):
            await self.append(*[new_text(f"@{n % 3}", str(n)) for n in range(start, start + 10)])
        indexed = 0
        while indexed < 3:
            indexed = await count(
                lambda w: w.connection.execute("SELECT count(*) FROM place_runs").fetchone()[0]
            )
        self.patch(maintenance_module, "INDEX_AT", 1000)
        await self.append(*[new_text(f"@{n % 3}", str(n)) for n in range(100, 130)])
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
        self.assertTrue(await self.store._call(lambda writer: len(writer._recent)) >= 30)

    async def test_garbage_is_purged_after_a_restart(self) -> None:
        """The rows of trimmed and dropped logs are removed step by step."""
        await self.append(*[new_text("@a", "x") for _ in range(1200)], new_text("@b", "stays"))
        await self.store.write([DropLog("@a")])
        await self.reopen()
        for _ in range(1000):  # the writer purges between commits, too
            if not await self.store._call(lambda writer: writer.logs.has_garbage):
                break
        await self.store.stop()
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        left = connection.execute(
            "SELECT count(*), (SELECT count(*) FROM rubbish) FROM entries"
        ).fetchone()
        self.assertEqual(left, (1, 0))

    async def test_settings_make_commits_durable(self) -> None:
        """A write-ahead log, and a sync for each commit."""
        settings: Deferred[Any] = self.store._call(
            lambda writer: [
                writer.connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous")
            ]
        )
        self.assertEqual(await settings, ["wal", 2])


class Erasure(InFile):
    """What is left of an erased text in the file."""

    async def test_erased_text_is_not_in_the_file(self) -> None:
        """Neither in the free parts of pages nor in free pages; short or long, and indexed."""
        self.patch(recent_module, "INDEX_AT", 4)
        await self.store.write([CreateLog("@1")])
        texts = [f"secret {number} " * size for number, size in enumerate((1, 1, 9_000, 1, 1, 1))]
        for text in texts:
            await self.append(new_text("@1", text))
        await self.store.write([Erase("@1", seq) for seq in range(1, len(texts) + 1)])
        await self.append(new_text("@1", "kept"))
        await self.store.stop()
        self.check_file()

    def check_file(self) -> None:
        """The store has been closed, and has all in one file."""
        stored = Path(self.path).read_bytes()
        self.assertIn(b"kept", stored)
        self.assertNotIn(b"secret", stored)
        self.assertFalse(os.path.exists(self.path + "-wal"))


class Faults(InFile):
    """Disk errors are reported, lose no acknowledged entry, and the store recovers."""

    async def fill_file(self) -> None:
        """Do not let the file grow any more."""

        def limit(writer: Writer) -> None:
            (pages,) = writer.connection.execute("PRAGMA page_count").fetchone()
            writer.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

        await self.store._call(limit)

    async def test_append_to_full_file_is_refused(self) -> None:
        """When the file may grow again, appends continue without a gap."""
        await self.append(new_text("@a", "before"))
        await self.fill_file()
        big = "x" * 60_000
        refused = await self.append(new_text("@a", big), new_text("@b", "in the same batch"))
        self.assertEqual([type(a.refusal) for a in refused], [StoreUnavailable] * 2)
        self.assertEqual([a.seq for a in refused], [0, 0])
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 9)], ["before"])
        await self.store._call(
            lambda writer: writer.connection.execute("PRAGMA max_page_count = 1000000").fetchone()
        )
        answered = await self.append(new_text("@a", big), new_text("@b", "again"))
        self.assertEqual([(a.seq, a.refusal) for a in answered], [(2, None), (1, None)])
        errors = self.flushLoggedErrors()
        self.assertEqual(errors, [])

    async def test_reads_in_a_failed_batch_succeed(self) -> None:
        """Each call of a failed batch runs in a transaction of its own."""
        await self.append(new_text("@a", "before"))
        await self.fill_file()
        answered = self.collect_answers()
        self.store.append([new_text("@a", "x" * 60_000)])
        head = self.store.head("@a")
        made = self.assertFailure(self.create("kind", "key", b"x" * 60_000), StoreUnavailable)
        stale = self.assertFailure(self.update("kind", "key", 7, b""), Conflict)
        await gatherResults([head, made, stale])
        self.assertIsInstance(answered[0].refusal, StoreUnavailable)
        self.assertEqual(await self.store.head("@a"), 1)

    async def test_changes_of_a_failed_batch_are_made_with_their_entries(self) -> None:
        """In a transaction of their own as well, or neither is."""
        await self.append(new_text("@a", "before"))
        await self.fill_file()
        answered = self.collect_answers()
        entry, large = new_text("@a", "entry", "key"), new_text("@a", "x" * 60_000, "large")
        self.store.append([new_text("@a", "x" * 60_000)])
        written = self.store.write([Create("kind", "key", b""), entry])
        refused = self.assertFailure(
            self.store.write([Create("kind", "other", b""), large]), StoreUnavailable
        )
        await gatherResults([written, refused])
        self.assertEqual(await self.store.list("kind", "*"), ["key"])
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 9)], ["before", "entry"])
        self.assertEqual(
            [(a.seq, type(a.refusal)) for a in answered],
            [(0, StoreUnavailable), (2, type(None)), (0, StoreUnavailable)],
        )
        (again,) = await self.append(new_text("@a", "entry", "key"))
        self.assertEqual((again.seq, again.resent), (2, True))

    def size_of_wal(self) -> int:
        """The size of the write-ahead log, in bytes."""
        return os.path.getsize(self.path + "-wal")

    async def test_write_error_is_refused_and_recovered(self) -> None:
        """A limit on the size of files stands for a full disk."""
        await self.append(new_text("@a", "before"))
        # The limit is for every file of this process, also for the log of the test run.
        self.patch(
            store_module, "logger", Logger(observer=cast("ILogObserver", lambda event: None))
        )
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, handler)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size_of_wal() + 5000, hard))
        refused: list[Append] = []
        for _ in range(10):
            refused += [a for a in await self.append(new_text("@a", "x" * 8000)) if a.refusal]
        self.assertTrue(refused)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        head = await self.store.head("@a")
        self.assertEqual(head, 11 - len(refused))
        (after,) = await self.append(new_text("@a", "after"))
        self.assertEqual((after.seq, after.refusal), (head + 1, None))
        await self.reopen()
        self.assertEqual(await self.store.head("@a"), head + 1)

    async def test_write_of_a_failed_batch_is_made_completely_or_not_at_all(self) -> None:
        """The calls of the batch are tried alone; a write fails in its second change."""
        await self.store._call(
            lambda writer: writer.connection.execute(
                "CREATE TEMP TRIGGER fault BEFORE INSERT ON documents WHEN new.body = x'00'"
                " BEGIN SELECT raise(ABORT, 'injected'); END"
            )
        )
        calls = [
            self.store.write([CreateLog(f"@{n}"), Create("account", str(n), b"1")])
            for n in range(2)
        ]
        failed = self.store.write(
            [Create("account", "Ann", b"1"), CreateLog("@3"), Create("account", "Bob", b"\0")]
        )
        self.assertEqual(await gatherResults(calls), [[0, 1], [0, 1]])
        await self.assertFailure(failed, StoreUnavailable)
        self.assertEqual(await self.store.list("account"), ["0", "1"])
        self.assertEqual(await self.store.count("account"), 2)
        await self.store.write([CreateLog("@3")])

    async def test_failed_batch_is_rolled_back(self) -> None:
        """An error in the middle of a batch undoes what was written before it."""
        await self.append(new_text("@a", "1"))
        await self.store._call(
            lambda writer: writer.connection.execute(
                "CREATE TEMP TRIGGER fault BEFORE INSERT ON entries WHEN new.body = 'fault'"
                " BEGIN SELECT raise(ABORT, 'injected'); END"
            )
        )
        answered = await self.append(
            *[new_text("@a", "ok") for _ in range(20)],
            new_text("@a", "fault"),
            new_text("@a", "ok"),
        )
        self.assertTrue(all(a.refusal for a in answered))
        self.assertIn("injected", str(answered[0].refusal))
        (after,) = await self.append(new_text("@a", "2"))
        self.assertEqual(after.seq, 2)
        self.assertEqual([e.body for e in await self.store.read("@a", 0, 99)], ["1", "2"])


class Concurrency(InFile):
    """Listings do not delay appends."""

    async def test_append_is_committed_during_a_listing(self) -> None:
        """The listing began first."""
        store = self.store
        await gatherResults([self.create("account", f"user{n}", b"") for n in range(2000)])
        await self.create_logs("@a")
        order: list[str] = []
        listing = store.list("account", "*9*9*")
        listing.addCallback(lambda names: order.append(f"{len(names)} names"))
        committed: Deferred[None] = Deferred()
        store.committed = lambda run: committed.callback(None)
        store.append([new_text("@a", "x")])
        store.flush()
        await gatherResults([listing, committed])
        self.assertEqual(len(order), 1)


del LogContract, DocumentContract, SequenceContract, InFile, WriteSequenceContract
del AuthorContract, ExplicitLogContract, PositionContract, ScopeContract, WriteContract
del PositionSequenceContract, QuotaContract
