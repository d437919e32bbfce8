"""The queue of a store: the order of results, the backlog, and answers to resends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.entries import EDIT, TEXT, Entry
from chatd.core.errors import Conflict, KeyReused
from chatd.stores import Append, batches
from chatd.stores.batches import Batches, Call, resend
from tests.doubles.stores import NULL_ORIGIN
from tests.stores.contract import new_text


class QueueOnly(Batches):
    """A store that commits when the test calls `commit`."""

    def __init__(self) -> None:
        super().__init__()
        self.flushes = 0

    def flush(self) -> None:
        """Count the call."""
        self.flushes += 1

    def call(self, name: str) -> Deferred[str]:
        """Queue a call whose result is its name, or that fails if the name is ``refused``."""

        def run(_: object) -> str:
            if name == "refused":
                raise Conflict()
            return name

        return self._call(run)

    def commit(self) -> None:
        """Run the calls of the open batch and answer it."""
        batch = self._take_open()
        for item in batch:
            if isinstance(item, Call):
                try:
                    item.outcome = item.run(None)
                except Conflict:
                    item.outcome = Failure()
        self._answer(batch)


class BatchesTests(SynchronousTestCase):
    """`Batches`, with a record of the results in the order in which they arrive."""

    def setUp(self) -> None:
        self.store = QueueOnly()
        self.store.committed = self.committed
        self.results: list[Any] = []

    def committed(self, appends: Sequence[Append]) -> None:
        """Record the bodies of the appends that are answered together."""
        self.results.append([append.body for append in appends])

    def call(self, name: str) -> None:
        """Queue a call, and record its result."""
        self.store.call(name).addBoth(
            lambda result: self.results.append(
                result.type if isinstance(result, Failure) else result
            )
        )

    def test_appends_of_a_batch_are_answered_together(self) -> None:
        """Those of several calls of `append`, if there is no call among them."""
        self.store.append([new_text("@a", "1"), new_text("@b", "2")])
        self.store.append([new_text("@a", "3")])
        self.store.commit()
        self.assertEqual(self.results, [["1", "2", "3"]])

    def test_results_have_the_order_of_the_queue(self) -> None:
        """Calls divide the appends of a batch."""
        self.call("first")
        self.store.append([new_text("@a", "1"), new_text("@a", "2")])
        self.call("refused")
        self.call("third")
        self.store.append([new_text("@a", "3")])
        self.store.commit()
        self.assertEqual(self.results, ["first", ["1", "2"], Conflict, "third", ["3"]])

    def test_batch_after_one_with_calls_is_answered_together(self) -> None:
        """The calls have been counted off."""
        self.call("first")
        self.store.commit()
        self.store.append([new_text("@a", "1"), new_text("@a", "2")])
        self.store.commit()
        self.assertEqual(self.results, ["first", ["1", "2"]])

    def test_call_is_flushed_at_once(self) -> None:
        """Appends are flushed by the caller."""
        self.store.append([new_text("@a", "1")])
        self.assertEqual(self.store.flushes, 0)
        self.call("first")
        self.assertEqual(self.store.flushes, 1)

    def test_appends_during_a_commit_belong_to_the_next_batch(self) -> None:
        """Calls too belong to the next batch; they do not divide the batch before them."""
        self.store.append([new_text("@a", "1"), new_text("@a", "2")])
        batch = self.store._take_open()
        self.store.append([new_text("@a", "3")])
        self.call("first")
        self.store._answer(batch)
        self.store.commit()
        self.assertEqual(self.results, [["1", "2"], ["3"], "first"])

    def test_backlog_is_the_length_of_the_bodies_until_the_next_commit(self) -> None:
        """Of the open batch, and of the one that is being committed."""
        self.store.append([new_text("@a", "x" * 10), new_text("@b", "x" * 5)])
        self.assertEqual(self.store.backlog, 15)
        self.store._take_open()
        self.store.append([new_text("@a", "x")])
        self.assertEqual(self.store.backlog, 16)
        self.store._take_open()
        self.assertEqual(self.store.backlog, 1)
        self.store._take_open()
        self.assertEqual(self.store.backlog, 0)

    def test_batch_is_not_larger_than_can_be_answered_at_a_stretch(self) -> None:
        """What is over that is in the next one, in order, and counts as backlog until then."""
        self.patch(batches, "LARGEST_BATCH", 3)
        self.store.append([new_text("@a", "xx"), new_text("@a", "y")])
        self.call("first")
        self.store.append([new_text("@b", "z"), new_text("@b", "abc")])
        self.assertEqual(self.store.backlog, 7)
        self.store.commit()
        self.assertEqual(self.results, [["xx", "y"], "first"])
        self.assertEqual(self.store.backlog, 7)
        self.store.commit()
        self.assertEqual(self.results, [["xx", "y"], "first", ["z", "abc"]])
        self.assertEqual(self.store.backlog, 4)
        self.store._take_open()
        self.assertEqual(self.store.backlog, 0)

    def test_store_without_a_realm_ignores_its_results(self) -> None:
        """Nothing is connected to it yet."""
        store = QueueOnly()
        store.append([new_text("@a", "1")])
        store.commit()

    def test_back_ends_define_when_they_commit(self) -> None:
        """The base class does not."""
        self.assertRaises(NotImplementedError, Batches().flush)


class ResendTests(SynchronousTestCase):
    """`resend`: an append with the key of an entry that is stored."""

    def setUp(self) -> None:
        self.entry = Entry(7, 70, 700, "ann", TEXT, "x", 0)

    def append(self, body: str = "x", kind: str = TEXT, about: int = 0) -> Append:
        """An append that is answered as a resend."""
        append = Append("@a", 8, 800, "ann", body, NULL_ORIGIN, key="k", kind=kind, about=about)
        resend(append, self.entry)
        return append

    def test_same_content_gets_the_first_answer(self) -> None:
        """Seq, id and time of the entry."""
        append = self.append()
        self.assertEqual((append.seq, append.id, append.time), (7, 70, 700))
        self.assertEqual((append.resent, append.refusal), (True, None))

    def test_another_content_is_refused(self) -> None:
        """Another body, kind or entry that it is about."""
        for append in (self.append("y"), self.append(kind=EDIT), self.append(about=1)):
            self.assertIsInstance(append.refusal, KeyReused)
            self.assertEqual((append.seq, append.resent), (0, False))
