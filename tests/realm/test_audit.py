"""The audit log: what it stores, and how much."""

from __future__ import annotations

from chatd.core.errors import StoreUnavailable
from chatd.core.names import AUDIT
from chatd.realm.audit import TRIM_EVERY, AuditEntry, Operation
from tests.doubles.realm import RealmHarness
from tests.doubles.stores import FailingDocumentStore
from tests.realm.case import RealmCase


class Audit(RealmCase):
    """A realm that has started, with room for ten entries."""

    limits = {"audit_entries": 10}

    def setUp(self) -> None:
        super().setUp()
        self.run_now(self.realm.start())

    def test_entry_is_durable_when_it_is_recorded(self) -> None:
        """It is read by pages."""
        for number in range(3):
            operation = Operation("suspend", {"name": f"c{number}"}, {"sessions": 0})
            self.harness.run(self.realm.audit.record("root", operation))
        page = self.run_now(self.realm.audit.page(0, 2))
        self.assertEqual(
            page.items[0],
            AuditEntry(
                1, page.items[0].time, "root", "suspend", {"name": "c0"}, {"sessions": 0}, ""
            ),
        )
        self.assertEqual((len(page.items), page.more, page.last), (2, True, 2))
        page = self.run_now(self.realm.audit.page(2, 2))
        self.assertEqual([entry.arguments for entry in page.items], [{"name": "c2"}])
        self.assertEqual(self.run_now(self.realm.audit.page(3, 2)).more, False)

    def test_latest_entries_are_kept(self) -> None:
        """The log is trimmed now and then."""
        for _ in range(TRIM_EVERY):
            self.harness.run(self.realm.audit.record("root", Operation("stop")))
        entries = self.result(self.store.read(AUDIT, 0, 1000))
        self.assertEqual(
            [entry.seq for entry in entries], list(range(TRIM_EVERY - 9, TRIM_EVERY + 1))
        )

    def test_store_that_fails_refuses_the_entry(self) -> None:
        """The caller says so in the log of the daemon."""
        self.store.writable = False
        self.refuse(StoreUnavailable, self.realm.audit.record("root", Operation("suspend")))

    def test_entries_are_there_after_a_restart(self) -> None:
        """The log is created once."""
        self.harness.run(self.realm.audit.record("root", Operation("suspend")))
        assert isinstance(self.store, FailingDocumentStore)
        again = RealmHarness(self.store)
        again.run(again.realm.start())
        self.assertEqual(len(again.run(again.realm.audit.page(0, 10)).items), 1)
