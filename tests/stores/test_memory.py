"""The store in memory keeps the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.stores import Append
from chatd.stores.memory import MemoryStore
from tests.stores.contract import DocumentContract, LogContract, said
from tests.stores.sequences import Script, SequenceContract, any_script, bounded


class _InMemory:
    def setUp(self) -> None:
        self.store = MemoryStore()


class MemoryLogs(_InMemory, LogContract):
    """Logs."""


class MemoryDocuments(_InMemory, DocumentContract):
    """Documents."""


class MemorySequences(SequenceContract):
    """Any sequence."""

    @bounded
    @any_script
    def test_any_sequence(self, script: Script) -> None:
        """Every answer is what the model says."""
        self.play(script)

    def open(self) -> MemoryStore:
        """As it is."""
        return MemoryStore()

    def wait_for(self, answer: Deferred[Any]) -> Any:
        """There is nothing to wait for."""
        return self.successResultOf(answer)

    def close(self, store: MemoryStore) -> None:
        """Nothing to close."""


class Reentrance(SynchronousTestCase):
    """Whoever hears of a commit may append at once."""

    def test_an_append_in_answer_to_an_append(self) -> None:
        """It is committed too, after the first one has been told of."""
        store = MemoryStore()
        heard: list[str] = []

        def committed(run: Sequence[Append]) -> None:
            for append in run:
                heard.append(append.body)
                if len(heard) < 4:
                    store.append([said("@a", append.body + "!")])
                    store.flush()

        store.committed = committed
        store.append([said("@a", "hi")])
        store.flush()
        self.assertEqual(heard, ["hi", "hi!", "hi!!", "hi!!!"])


del LogContract, DocumentContract, SequenceContract
