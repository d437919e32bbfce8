"""Listings in steps: turns, bounds, changes meanwhile, the write-ahead log, and the end."""

from __future__ import annotations

import os
import sqlite3
from queue import SimpleQueue

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import StoreUnavailable
from chatd.stores import Create
from chatd.stores.sqlite import listings as listings_module
from chatd.stores.sqlite.file import connect, migrate, migrations
from chatd.stores.sqlite.listings import ListerWorker, Listing
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.folders import folder
from tests.doubles.sqlite_file import PumpedReactor

DOCUMENTS = 20
STEP = 4
"""keys that a step reads at most"""


class Steps(SynchronousTestCase):
    """A lister without its thread, and documents whose keys are a00, A01, a02, ..."""

    def setUp(self) -> None:
        path = os.path.join(folder(self), "chatd.db")
        self.writing = connect(path, writing=True)
        self.addCleanup(self.writing.close)
        migrate(self.writing, path, migrations())
        self.add(*[f"{'aA'[n % 2]}{n:02}" for n in range(DOCUMENTS)])
        self.patch(listings_module, "_ROWS", STEP)
        self.patch(listings_module, "_FEWEST_ROWS", 2)
        self.queue: SimpleQueue[Listing | None] = SimpleQueue()
        self.worker = ListerWorker(self.queue, connect(path, writing=False))
        self.answers: list[tuple[str, list[str] | StoreUnavailable]] = []

    def tearDown(self) -> None:
        self.worker._connection.close()

    def add(self, *keys: str) -> None:
        """Create documents."""
        self.writing.executemany(
            "INSERT INTO documents (kind, scope, key, version, body) VALUES ('k', '', ?, 1, '')",
            [(key,) for key in keys],
        )

    def begin(self, name: str, pattern: str = "*", limit: int | None = None) -> None:
        """Queue a listing in alphabetical order."""
        self.queue.put(
            Listing(
                "key", "k", "", pattern, "", limit, lambda keys: self.answers.append((name, keys))
            )
        )

    def run_steps(self) -> int:
        """Do all steps; their number."""
        steps = 0
        while self.worker.ready():
            self.assertTrue(self.worker.step())
            steps += 1
        return steps

    def test_each_step_reads_a_bounded_number_of_keys(self) -> None:
        """The last one finds that there are no more."""
        self.begin("all")
        self.assertEqual(self.run_steps(), DOCUMENTS // STEP + 1)
        ((_, keys),) = self.answers
        assert isinstance(keys, list)
        self.assertEqual([key.lower() for key in keys], [f"a{n:02}" for n in range(DOCUMENTS)])

    def test_step_reads_few_keys_for_a_small_limit(self) -> None:
        """One more step is needed if not all match."""
        self.begin("two", limit=2)
        self.assertEqual((self.run_steps(), self.answers), (1, [("two", ["a00", "A01"])]))
        self.answers.clear()
        self.begin("two", "a*", limit=2)
        self.assertEqual((self.run_steps(), self.answers), (2, [("two", ["a00", "a02"])]))

    def test_listings_take_turns(self) -> None:
        """A short one does not wait for a long one."""
        self.begin("long", "no such key")
        self.begin("short", limit=1)
        self.run_steps()
        self.assertEqual(self.answers, [("short", ["a00"]), ("long", [])])

    def test_changes_between_steps_neither_repeat_nor_omit_other_keys(self) -> None:
        """The last key of a step is deleted, and keys before and after it are created."""
        self.begin("all", "*[02468]")
        self.worker.step()
        self.writing.execute("DELETE FROM documents WHERE key = 'A03'")
        self.add("a00x0", "a03x0")
        self.run_steps()
        even = [f"a{n:02}" for n in range(0, DOCUMENTS, 2)]
        self.assertEqual(self.answers, [("all", [*even[:2], "a03x0", *even[2:]])])

    def test_write_ahead_log_can_be_started_anew_between_steps(self) -> None:
        """No step leaves a transaction open."""
        self.begin("all")
        self.worker.step()
        self.add("b")
        (busy, *_) = self.writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self.assertEqual(busy, 0)
        self.assertEqual(self.answers, [])

    def test_end_refuses_what_is_not_complete(self) -> None:
        """Also what was queued later; the connection is closed."""
        self.begin("begun")
        self.worker.step()
        self.queue.put(None)
        self.begin("later")
        while self.worker.step():
            pass
        self.assertEqual(
            sorted((name, type(answer)) for name, answer in self.answers),
            [("begun", StoreUnavailable), ("later", StoreUnavailable)],
        )
        self.assertRaises(sqlite3.ProgrammingError, self.worker._connection.execute, "SELECT 1")

    def test_deleted_documents_are_left_out(self) -> None:
        """Also those whose rows have not been removed yet."""
        self.writing.execute("INSERT INTO deleted_documents VALUES ('k', '', NULL, 15)")
        self.begin("all")
        self.run_steps()
        self.assertEqual(self.answers, [("all", ["A15", "a16", "A17", "a18", "A19"])])

    def test_error_refuses_one_listing(self) -> None:
        """The others continue."""
        self.begin("long")
        self.worker.step()
        (view,) = self.writing.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'visible_documents'"
        ).fetchone()
        self.writing.execute("DROP VIEW visible_documents")
        self.begin("other")
        self.worker.step()
        self.writing.execute(view)
        self.run_steps()
        (long, error), (other, keys) = self.answers
        self.assertEqual((long, other), ("long", "other"))
        self.assertIsInstance(error, StoreUnavailable)
        assert isinstance(keys, list)
        self.assertEqual(len(keys), DOCUMENTS)


class AtStop(SynchronousTestCase):
    """Listings of a store that is stopped."""

    def test_stopping_does_not_wait_for_listings(self) -> None:
        """They are refused, whether they were queued before or after."""
        self.patch(listings_module, "_ROWS", 1)
        reactor = PumpedReactor()
        store = SQLiteStore(reactor, os.path.join(folder(self), "chatd.db"))
        store.start()
        reactor.run_until(store.write([Create("k", str(n), b"") for n in range(3)]))
        refusals: list[type[BaseException] | None] = []

        def refused(failure: Failure) -> None:
            refusals.append(failure.type)

        for n in range(300):
            if n == 200:
                stopped = store.stop()
            store.list("k", "none").addErrback(refused)
        reactor.run_until(stopped)
        while not reactor.queued.empty():
            function, arguments = reactor.queued.get()
            function(*arguments)
        self.assertGreater(len(refusals), 100)
        self.assertEqual(set(refusals), {StoreUnavailable})
