"""Group commit: when the next batch is submitted, without load and under load."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import COMMIT_TIMES, Append
from chatd.stores.sqlite.store import GROUP_COMMIT_DELAY, LOADED_BATCH, SQLiteStore
from tests.doubles.folders import folder
from tests.doubles.sqlite_file import PumpedReactor
from tests.stores.contract import new_text


class GroupCommit(SynchronousTestCase):
    """A store with real threads and a clock that the test advances."""

    def setUp(self) -> None:
        """Open the store, and count the entries of each batch."""
        self.reactor = PumpedReactor()
        self.store = SQLiteStore(self.reactor, os.path.join(folder(self), "chatd.db"))
        self.store.start()
        self.batches: list[int] = []
        self.store.committed = self.committed
        self.addCleanup(lambda: self.reactor.run_until(self.store.stop()))
        self.reaction = 0

    def committed(self, appends: Sequence[Append]) -> None:
        """Note the size of a batch, and append `reaction` entries in answer."""
        self.batches.append(len(appends))
        if self.reaction:
            self.append(self.reaction)

    def append(self, count: int) -> None:
        """Append some entries."""
        self.store.append([new_text("@a", "x") for _ in range(count)])
        self.store.flush()

    def take_written(self) -> None:
        """Process one batch that the writer has returned."""
        function, arguments = self.reactor.queued.get(timeout=10)
        function(*arguments)

    def test_batches_and_their_times_are_counted(self) -> None:
        """From when a batch is handed to the writer to when it is back."""
        self.append(3)
        self.reactor.advance(0)
        self.reactor.advance(0.25)
        self.take_written()
        counts = self.store.counts
        self.assertEqual((counts.entries, counts.characters, counts.batches), (3, 3, 1))
        self.assertEqual((counts.commit_seconds, counts.longest_commit), (0.25, 0.25))
        self.assertEqual(counts.commits[COMMIT_TIMES.index(0.5)], 1)

    def test_small_batch_is_followed_at_once(self) -> None:
        """What was appended while a small batch was written is submitted at once."""
        self.append(1)
        self.reactor.advance(0)
        self.append(2)
        self.take_written()
        self.take_written()
        self.assertEqual(self.batches, [1, 2])

    def test_large_batch_is_followed_after_the_delay(self) -> None:
        """The delay is skipped when the next batch is as large as the last one."""
        self.append(LOADED_BATCH)
        self.reactor.advance(0)
        self.append(1)
        self.reaction = 2
        self.take_written()
        self.reaction = 0
        self.reactor.advance(GROUP_COMMIT_DELAY / 2)
        self.append(2)
        self.assertTrue(self.reactor.queued.empty())
        self.reactor.advance(GROUP_COMMIT_DELAY)
        self.take_written()
        self.assertEqual(self.batches, [LOADED_BATCH, 5])
        self.append(LOADED_BATCH)
        self.reactor.advance(0)
        self.append(LOADED_BATCH)
        self.take_written()
        self.take_written()
        self.assertEqual(self.batches[2:], [LOADED_BATCH, LOADED_BATCH])

    def test_stop_does_not_wait_for_the_delay(self) -> None:
        """Everything appended before `stop` is committed."""
        self.append(LOADED_BATCH)
        self.reactor.advance(0)
        self.append(1)
        self.take_written()
        self.reactor.run_until(self.store.stop())
        self.assertEqual(self.batches, [LOADED_BATCH, 1])
