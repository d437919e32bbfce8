"""Typed documents: what is stored, and concurrent changes."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import Busy, Exists, NotAllowed
from chatd.realm import changes
from chatd.realm.documents import Documents, Stored
from chatd.realm.tasks import gather
from chatd.stores import Change, Update
from tests.doubles.stores import HeldStore


class Counter(msgspec.Struct, frozen=True, array_like=True):
    """A record."""

    document_kind: ClassVar[str] = "counter"

    count: int = 0


def incremented(counter: Counter | None) -> Counter:
    """One more; the first counts 1."""
    return Counter(1 if counter is None else counter.count + 1)


class DocumentsCase(SynchronousTestCase):
    """Documents of one store."""

    def setUp(self) -> None:
        """A store that is empty and commits at once."""
        self.store = HeldStore()
        self.documents = Documents(self.store)

    def run_now(self, awaitable: Any) -> Any:
        """The result of something that needs nothing but the store."""
        return self.successResultOf(self.begin(awaitable))

    def begin(self, awaitable: Any) -> Deferred[Any]:
        """Await something."""

        async def wait() -> Any:
            return await awaitable

        return Deferred.fromCoroutine(wait())

    async def create(self, key: str, counter: Counter, scope: str = "") -> Stored[Counter]:
        """Create a record."""
        change = changes.create(key, counter, scope)
        (version,) = await self.documents.write([change])
        return changes.written(counter, change, version)

    def count(self) -> int | None:
        """What is stored."""
        stored = self.run_now(self.documents.get(Counter, "a"))
        return None if stored is None else stored.record.count


class Storing(DocumentsCase):
    """Creating, reading, listing and deleting."""

    def test_body_is_the_record_in_messagepack(self) -> None:
        """The kind and the bytes in the store are those of files written by version 0.1."""
        self.run_now(self.create("A", Counter(5)))
        document = self.successResultOf(self.store.get("counter", "a"))
        assert document is not None
        self.assertEqual((document.key, document.body), ("A", b"\x91\x05"))
        self.assertEqual(
            self.run_now(self.documents.get(Counter, "a")), Stored("A", Counter(5), 1, b"\x91\x05")
        )

    def test_unknown_key_gives_none(self) -> None:
        """A key without a document gives None."""
        self.assertIsNone(self.run_now(self.documents.get(Counter, "a")))

    def test_key_is_created_once(self) -> None:
        """A second document under the key, in any spelling, is refused."""
        self.run_now(self.create("A", Counter(1)))
        self.failureResultOf(self.begin(self.create("a", Counter(2))), Exists)

    def test_keys_are_listed(self) -> None:
        """Keys are listed in order of creation, and in pages in alphabetical order."""
        for key in "bac":
            self.run_now(self.create(key, Counter()))
        self.assertEqual(self.run_now(self.documents.list(Counter)), ["b", "a", "c"])
        self.assertEqual(self.run_now(self.documents.page(Counter, "*", "a", 5)), ["b", "c"])

    def test_requests_are_queued_when_called(self) -> None:
        """Requests that are awaited together are answered from one moment of the store."""
        self.store.eager = False
        waiting = self.begin(
            gather(
                self.documents.write([changes.create("a", Counter(1))]),
                self.documents.get(Counter, "a"),
            )
        )
        self.store.release()
        _, stored = self.successResultOf(waiting)
        self.assertEqual(stored.record, Counter(1))

    def test_scopes_have_records_of_their_own(self) -> None:
        """Records of one scope are read, changed, counted and listed without the others."""
        for key, scope in (("b", "1"), ("a", "1"), ("a", "2"), ("a", "")):
            self.run_now(self.create(key, Counter(len(scope)), scope))
        first = self.run_now(self.documents.get(Counter, "a", "1"))
        self.run_now(
            self.documents.write(
                [changes.update(first, Counter(2)), changes.delete_any(Counter, "a", "2")]
            )
        )
        first = self.run_now(self.documents.get(Counter, "a", "1"))
        self.assertEqual(first, Stored("a", Counter(2), 2, b"\x91\x02", "1"))
        self.assertEqual(self.run_now(self.documents.scan(Counter, "1", limit=1)), [first])
        self.assertEqual(self.run_now(self.documents.scan(Counter, "2")), [])
        self.assertEqual(self.run_now(self.documents.count(Counter, "1")), 2)
        self.assertEqual(self.run_now(self.documents.list(Counter, scope="1")), ["b", "a"])
        self.assertEqual(self.run_now(self.documents.page(Counter, "*", "a", 9, "1")), ["b"])
        self.assertEqual(self.count(), 0)


class Changing(DocumentsCase):
    """Changes by a function of the record."""

    def change(self, function: Any, *conditions: Change) -> Any:
        """Change the counter."""
        return self.begin(self.documents.change(Counter, "a", function, conditions))

    def test_change_creates_and_updates(self) -> None:
        """What the function returns is stored."""
        self.assertEqual(self.successResultOf(self.change(incremented)).record, Counter(1))
        self.assertEqual(self.successResultOf(self.change(incremented)).version, 2)
        self.assertEqual(self.count(), 2)

    def test_unchanged_record_is_not_written(self) -> None:
        """If the function returns an equal record, the version stays the same."""
        self.successResultOf(self.change(incremented))
        stored = self.successResultOf(self.change(lambda counter: Counter(counter.count)))
        self.assertEqual(stored.version, 1)

    def test_refusal_changes_nothing(self) -> None:
        """What the function raises is raised to the caller."""

        def refused(counter: Counter | None) -> Counter:
            raise NotAllowed()

        self.failureResultOf(self.change(refused), NotAllowed)
        self.assertIsNone(self.count())

    def test_concurrent_changes_are_all_made(self) -> None:
        """Changes that read the same version are made one after another."""
        self.store.eager = False
        changes = [self.change(incremented) for _ in range(5)]
        for _ in range(20):
            self.store.release()
        for change in changes:
            self.successResultOf(change)
        self.store.eager = True
        self.assertEqual(self.count(), 5)

    def test_change_of_a_document_deleted_meanwhile(self) -> None:
        """The function is called again, with None."""
        self.run_now(self.create("a", Counter(7)))
        self.store.eager = False
        changing = self.change(incremented)
        self.store.write([changes.delete_any(Counter, "a")])
        for _ in range(4):
            self.store.release()
        self.assertEqual(self.successResultOf(changing).record, Counter(1))
        self.store.eager = True
        self.assertEqual(self.count(), 1)

    def test_change_is_made_under_conditions(self) -> None:
        """While they do not hold nothing is changed; a concurrent change is no such refusal."""
        condition = changes.require_any(Counter, "other", "s")
        self.assertIsNone(self.successResultOf(self.change(incremented, condition)))
        self.assertIsNone(self.count())
        self.run_now(self.create("other", Counter(), "s"))
        self.successResultOf(self.change(incremented, condition))
        self.store.eager = False
        concurrent = [self.change(incremented, condition) for _ in range(3)]
        for _ in range(20):
            self.store.release()
        for changing in concurrent:
            self.assertIsNotNone(self.successResultOf(changing))
        self.store.eager = True
        self.assertEqual(self.count(), 4)
        self.run_now(self.documents.write([changes.delete_any(Counter, "other", "s")]))
        self.assertIsNone(self.successResultOf(self.change(incremented, condition)))
        self.assertEqual(self.count(), 4)

    def test_document_that_always_changes_is_busy(self) -> None:
        """After a bounded number of attempts the change is refused."""
        self.run_now(self.create("a", Counter(0)))

        def overtaken(counter: Counter | None) -> Counter:
            document = self.successResultOf(HeldStore.get(self.store, "counter", "a"))
            assert document is not None
            body = msgspec.msgpack.encode(incremented(counter))
            self.successResultOf(self.store.write([Update("counter", "a", document.version, body)]))
            return Counter(-1)

        self.failureResultOf(self.change(overtaken), Busy)
        self.assertGreater(self.count() or 0, 1)
