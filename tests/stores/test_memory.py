"""The store in memory: the contract, and appends while a commit is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import Append
from chatd.stores.memory import MemoryStore
from tests.stores.contract import DocumentContract, LogContract, new_text
from tests.stores.sequences import Script, SequenceContract, any_script, bounded


class _InMemory:
    def setUp(self) -> None:
        self.store = MemoryStore()


class MemoryLogs(_InMemory, LogContract):
    """Logs."""


class MemoryDocuments(_InMemory, DocumentContract):
    """Documents."""


class MemorySequences(SequenceContract):
    """Any sequence of calls on logs."""

    @bounded
    @any_script
    def test_any_sequence_has_the_results_of_the_model(self, script: Script) -> None:
        """Scripts of appends, reads, trims and drops are drawn by hypothesis."""
        self.play(script)

    def open(self) -> MemoryStore:
        """A new store, which needs no start."""
        return MemoryStore()

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """The result, which has arrived already."""
        return self.successResultOf(answer)

    def close(self, store: MemoryStore) -> None:
        """Nothing to close."""


class Reentrance(SynchronousTestCase):
    """Appending while a commit is answered."""

    def test_append_from_committed_is_committed(self) -> None:
        """The append is committed after the first one has been answered."""
        store = MemoryStore()
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


del LogContract, DocumentContract, SequenceContract
