"""When a batch is written: at once, or, under load, after a moment in which it collects."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import Append
from chatd.stores.sqlite.store import _MANY, _PATIENCE, SQLiteStore
from tests.doubles.folders import folder
from tests.doubles.sqlite_file import PumpedReactor
from tests.stores.contract import said


class Patience(SynchronousTestCase):
    """A store whose threads are real and whose clock is not."""

    def setUp(self) -> None:
        """It is open; what it commits is counted."""
        self.reactor = PumpedReactor()
        self.store = SQLiteStore(self.reactor, os.path.join(folder(self), "chatd.db"))
        self.store.start()
        self.batches: list[int] = []
        self.store.committed = self.committed
        self.addCleanup(lambda: self.reactor.run_until(self.store.stop()))
        self.reaction = 0

    def committed(self, appends: Sequence[Append]) -> None:
        """Whoever hears of it says as much again."""
        self.batches.append(len(appends))
        if self.reaction:
            self.say(self.reaction)

    def say(self, count: int) -> None:
        """Some entries."""
        self.store.append([said("@a", "x") for _ in range(count)])
        self.store.flush()

    def written(self) -> None:
        """The writer has come back."""
        function, arguments = self.reactor.queued.get(timeout=10)
        function(*arguments)

    def test_without_load(self) -> None:
        """What few have said while a small batch was written goes next, at once."""
        self.say(1)
        self.reactor.advance(0)
        self.say(2)
        self.written()
        self.written()
        self.assertEqual(self.batches, [1, 2])

    def test_under_load(self) -> None:
        """After a large batch the next one collects for a moment, but not until it is as large as
        that."""
        self.say(_MANY)
        self.reactor.advance(0)
        self.say(1)
        self.reaction = 2
        self.written()
        self.reaction = 0
        self.reactor.advance(_PATIENCE / 2)
        self.say(2)
        self.assertTrue(self.reactor.queued.empty())
        self.reactor.advance(_PATIENCE)
        self.written()
        self.assertEqual(self.batches, [_MANY, 5])
        self.say(_MANY)
        self.reactor.advance(0)
        self.say(_MANY)
        self.written()
        self.written()
        self.assertEqual(self.batches[2:], [_MANY, _MANY])

    def test_stopping(self) -> None:
        """Nobody waits for the clock then: all that was said is written."""
        self.say(_MANY)
        self.reactor.advance(0)
        self.say(1)
        self.written()
        self.reactor.run_until(self.store.stop())
        self.assertEqual(self.batches, [_MANY, 1])
