"""The store in memory: the contract, and appends while a commit is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import Append, Change, CreateLog
from chatd.stores.memory import MemoryStore
from tests.stores.contract import DocumentContract, LogContract, StoreContract, new_text
from tests.stores.position_contract import (
    PositionContract,
    PositionScript,
    PositionSequenceContract,
    any_position_script,
)
from tests.stores.sequences import Script, SequenceContract, any_script, bounded
from tests.stores.write_contract import (
    AuthorContract,
    ExplicitLogContract,
    ScopeContract,
    WriteContract,
    WriteSequenceContract,
    any_writes,
)


class _InMemory(StoreContract):
    def setUp(self) -> None:
        self.store = MemoryStore()


class MemoryLogs(LogContract, _InMemory):
    """Logs."""


class MemoryDocuments(DocumentContract, _InMemory):
    """Documents."""


class MemoryWrites(WriteContract, _InMemory):
    """Several changes at once."""


class MemoryScopes(ScopeContract, _InMemory):
    """Documents of several scopes."""


class MemoryExplicitLogs(ExplicitLogContract, _InMemory):
    """Logs that are created and dropped."""


class MemoryPositions(PositionContract, _InMemory):
    """Positions of accounts."""


class MemoryAuthors(AuthorContract, _InMemory):
    """Entries with authors."""


class _OpenedInMemory(SequenceContract):
    def open(self) -> MemoryStore:
        """A new store, which needs no start."""
        return MemoryStore()

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """The result, which has arrived already."""
        return self.successResultOf(answer)

    def close(self, store: MemoryStore) -> None:
        """Nothing to close."""


class MemorySequences(_OpenedInMemory):
    """Any sequence of calls on logs."""

    @bounded
    @any_script
    def test_any_sequence_has_the_results_of_the_model(self, script: Script) -> None:
        """Scripts of appends, reads, trims and drops are drawn by hypothesis."""
        self.play(script)


class MemoryWriteSequences(WriteSequenceContract, _OpenedInMemory):
    """Any sequence of writes."""

    @bounded
    @any_writes
    def test_any_sequence_of_writes_has_the_results_of_the_model(
        self, script: list[list[Change]], restart: int
    ) -> None:
        """Scripts of writes are drawn by hypothesis."""
        self.play_writes(script, restart)


class MemoryPositionSequences(PositionSequenceContract, _OpenedInMemory):
    """Any sequence of saves, and of writes that change positions."""

    @bounded
    @any_position_script
    def test_any_sequence_has_the_positions_of_the_model(self, script: PositionScript) -> None:
        """They are compared after each step."""
        self.play_positions(script)


class Reentrance(SynchronousTestCase):
    """Appending while a commit is answered."""

    def test_append_from_committed_is_committed(self) -> None:
        """The append is committed after the first one has been answered."""
        store = MemoryStore()
        store.write([CreateLog("@a")])
        answered: list[str] = []

        def committed(run: Sequence[Append]) -> None:
            for append in run:
                answered.append(append.body)
                if len(answered) < 4:
                    store.append([new_text("@a", append.body + "!")])
                    store.flush()

        store.committed = committed
        store.append([new_text("@a", "hi")])
        store.flush()
        self.assertEqual(answered, ["hi", "hi!", "hi!!", "hi!!!"])


del LogContract, DocumentContract, SequenceContract, StoreContract, WriteSequenceContract
del AuthorContract, ExplicitLogContract, PositionContract, ScopeContract, WriteContract
del PositionSequenceContract
