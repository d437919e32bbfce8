"""The SQLite store in a file of its own, and a reactor double that takes calls from its threads."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import cache
from queue import SimpleQueue
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from zope.interface import implementer

from chatd.stores.sqlite.file import migrate, migrations
from chatd.stores.sqlite.store import SQLiteStore
from tests.doubles.folders import folder
from tests.stores.contract import StoreContract

_MOMENT = 0.01
"""seconds that pass after each call from a thread, longer than the group-commit delay"""


@cache
def empty_store() -> bytes:
    """The content of a file with the newest schema and nothing else, for tests that open a file
    hundreds of times."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, "empty", migrations())
        return connection.serialize()


class InFile(StoreContract):
    """Base of tests of an open store in a file."""

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


@implementer(IReactorFromThreads)
class PumpedReactor(Clock):
    """A clock that also takes calls from threads, and makes them in `run_until`."""

    def __init__(self) -> None:
        super().__init__()
        self.queued: SimpleQueue[tuple[Any, Any]] = SimpleQueue()

    def callFromThread(self, callable: Any, *args: Any, **kwargs: Any) -> None:
        """See IReactorFromThreads."""
        self.queued.put((callable, args))

    def run_until(self, answer: Deferred[Any]) -> Any:
        """Make calls from threads until the Deferred has fired; its result. At most 10 seconds."""
        results: list[Any] = []
        answer.addBoth(results.append)
        self.advance(_MOMENT)
        while not results:
            function, args = self.queued.get(timeout=10)
            function(*args)
            self.advance(_MOMENT)
        return results[0]
