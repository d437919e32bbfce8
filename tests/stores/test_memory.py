"""The store in memory: the contract, and appends while a commit is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import Entry
from chatd.stores import Append, Change, Create, CreateLog, Delete, DeleteKey, DeleteScope, Quota
from chatd.stores.memory import MemoryStore
from chatd.stores.memory_documents import MemoryDocuments as Documents
from chatd.stores.memory_documents import Scope, Undo
from tests.stores.contract import DocumentContract, LogContract, StoreContract, new_text
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


class _NotWalked(dict[tuple[str, str], Scope]):
    """Scopes that can only be looked up."""

    def __iter__(self) -> Any:
        raise AssertionError("all scopes were walked")


class _NotCounted(list[Entry | None]):
    """Entries of which some can be looked at, and not all one after another."""

    def __iter__(self) -> Any:
        raise AssertionError("all entries were counted")


class DeleteKeyCosts(SynchronousTestCase):
    """`DeleteKey` looks at the scopes that have a document of the key."""

    def test_other_scopes_are_not_walked(self) -> None:
        """Also after scopes were deleted and changes undone."""
        documents = Documents()
        for scope in ("", "7", "8", "9"):
            documents.apply(Create("member", "Ann", b"", scope), [])
        documents.apply(Create("member", "Bob", b"", "8"), [])
        documents.scopes = _NotWalked(documents.scopes)
        undo: Undo = []
        documents.apply(DeleteScope("member", "7"), undo)
        documents.apply(DeleteKey("member", "ANN"), undo)
        self.assertEqual(self.counts(documents), [1, 0, 1, 0])
        while undo:
            undo.pop()()
        self.assertEqual(self.counts(documents), [1, 1, 2, 1])
        documents.apply(DeleteKey("member", "ann"), [])
        self.assertEqual(self.counts(documents), [1, 0, 1, 0])
        documents.apply(DeleteKey("member", "ann"), [])
        documents.apply(Delete("member", "bob", None, "8"), [])
        self.assertEqual(documents._scopes_of, {})

    def counts(self, documents: Documents) -> list[int]:
        """The number of documents in each scope."""
        return [documents.count("member", scope) for scope in ("", "7", "8", "9")]


class _InMemory(StoreContract):
    def setUp(self) -> None:
        self.store = MemoryStore()


class MemoryLogs(LogContract, _InMemory):
    """Logs."""


class MemoryQuotas(QuotaContract, StoreContract):
    """What a log stores at most."""

    async def restart(self, quota: Quota) -> None:
        """See `QuotaContract`."""
        self.store = MemoryStore(quota)

    async def test_discarded_entries_do_not_count(self) -> None:
        """They were read, and an older one waits."""
        await self.restart(Quota(sender=6_000))
        await self.expect_stored(*[new_entry("@1", 1, 850) for _ in range(6)])
        await self.expect_refused(new_entry("@1", 1))
        self.store.discard("@1", 2, 5)
        await self.expect_stored(*[new_entry("@1", 1, 850) for _ in range(4)])
        await self.expect_refused(new_entry("@1", 1))

    async def test_full_log_is_not_counted_again(self) -> None:
        """Only what is removed is looked at, so a client that trims a full log again and again
        delays no other."""
        await self.restart(Quota(sender=6_000))
        await self.expect_stored(*[new_entry("@1", 1 + n % 2, 850) for n in range(12)])
        await self.expect_refused(new_entry("@1", 1))
        log = self.store._logs["@1"]
        log.entries = _NotCounted(log.entries)
        await self.store.trim("@1", 1)
        self.store.discard("@1", 4, 4)
        await self.expect_stored(new_entry("@1", 1, 850), new_entry("@1", 2, 850))
        await self.expect_refused(new_entry("@1", 1), new_entry("@1", 2))


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
del PositionSequenceContract, QuotaContract
