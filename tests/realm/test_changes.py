"""Changes of typed documents that are made together."""

from __future__ import annotations

from chatd.core.errors import Conflict
from chatd.realm import changes
from tests.realm.test_documents import Counter, DocumentsCase, incremented


class Writing(DocumentsCase):
    """Several changes at once."""

    def test_typed_changes_are_made_together(self) -> None:
        """What `written` gives is what is stored then."""
        old = self.run_now(self.documents.create("a", Counter(1)))
        other = self.run_now(self.documents.create("B", Counter(2), "s"))
        update = changes.update(old, Counter(5))
        create = changes.create("C", Counter(6), "t")
        versions = self.run_now(
            self.documents.write(
                [
                    changes.require(old),
                    changes.require_any(Counter, "b", "s"),
                    changes.delete(other),
                    changes.require_none(Counter, "s"),
                    update,
                    create,
                    changes.delete_any(Counter, "none"),
                ]
            )
        )
        self.assertEqual(
            self.run_now(self.documents.get(Counter, "a")),
            changes.written(Counter(5), update, versions[4]),
        )
        self.assertEqual(
            self.run_now(self.documents.get(Counter, "c", "t")),
            changes.written(Counter(6), create, versions[5]),
        )
        self.assertIsNone(self.run_now(self.documents.get(Counter, "b", "s")))
        self.run_now(self.documents.write([changes.delete_scope(Counter, "t")]))
        self.assertEqual(self.run_now(self.documents.count(Counter, "t")), 0)

    def test_refused_write_changes_nothing(self) -> None:
        """A record that was changed meanwhile refuses all changes."""
        old = self.run_now(self.documents.create("a", Counter(1)))
        self.run_now(self.documents.change(Counter, "a", incremented))
        for condition in (
            changes.require(old),
            changes.update(old, Counter(9)),
            changes.delete(old),
            changes.require_any(Counter, "a", "s"),
            changes.require_none(Counter, ""),
        ):
            write = self.documents.write([changes.create("b", Counter()), condition])
            self.failureResultOf(self.begin(write), Conflict)
        self.assertEqual(self.run_now(self.documents.list(Counter)), ["a"])
        self.assertEqual(self.count(), 2)
