"""Changes of typed documents that are made together."""

from __future__ import annotations

from chatd.core.errors import Conflict
from chatd.realm import changes
from tests.realm.test_documents import Counter, DocumentsCase, incremented


class Writing(DocumentsCase):
    """Several changes at once."""

    def test_typed_changes_are_made_together(self) -> None:
        """What `written` gives is what is stored then."""
        old = self.run_now(self.create("a", Counter(1)))
        other = self.run_now(self.create("B", Counter(2), "s"))
        update = changes.update(old, Counter(5))
        create = changes.create("C", Counter(6), "t")
        versions = self.run_now(
            self.documents.write(
                [
                    changes.require(old),
                    changes.require_any(Counter, "b", "s"),
                    changes.delete(other),
                    changes.require_none(Counter, "s"),
                    changes.require_some(Counter, ""),
                    update,
                    create,
                    changes.delete_any(Counter, "none"),
                ]
            )
        )
        self.assertEqual(
            self.run_now(self.documents.get(Counter, "a")),
            changes.written(Counter(5), update, versions[5]),
        )
        self.assertEqual(
            self.run_now(self.documents.get(Counter, "c", "t")),
            changes.written(Counter(6), create, versions[6]),
        )
        self.assertIsNone(self.run_now(self.documents.get(Counter, "b", "s")))
        self.run_now(self.documents.write([changes.delete_scope(Counter, "t")]))
        self.assertEqual(self.run_now(self.documents.count(Counter, "t")), 0)
        for scope in ("1", "2"):
            self.run_now(self.create("k", Counter(), scope))
        self.run_now(self.create("other", Counter(), "2"))
        self.run_now(self.documents.write([changes.delete_key(Counter, "k")]))
        self.assertEqual(self.run_now(self.documents.count(Counter, "1")), 0)
        self.assertEqual(self.run_now(self.documents.list(Counter, scope="2")), ["other"])

    def test_refused_write_changes_nothing(self) -> None:
        """A record that was changed meanwhile refuses all changes."""
        old = self.run_now(self.create("a", Counter(1)))
        self.run_now(self.documents.change(Counter, "a", incremented))
        for condition in (
            changes.require(old),
            changes.update(old, Counter(9)),
            changes.delete(old),
            changes.require_any(Counter, "a", "s"),
            changes.require_none(Counter, ""),
            changes.require_some(Counter, "s"),
        ):
            write = self.documents.write([changes.create("b", Counter()), condition])
            self.failureResultOf(self.begin(write), Conflict)
        self.assertEqual(self.run_now(self.documents.list(Counter)), ["a"])
        self.assertEqual(self.count(), 2)
