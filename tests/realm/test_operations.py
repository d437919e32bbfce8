"""What operators may ask about the daemon as a whole."""

from __future__ import annotations

from chatd.core.errors import BackupFailed, BadRequest
from chatd.realm.operations import Statistics, StoreStatistics
from chatd.stores import COMMIT_TIMES, StoreCounts
from tests.realm.operations_case import OperationsCase


class DaemonOperations(OperationsCase):
    """The daemon as a whole."""

    def test_statistics(self) -> None:
        """Several sessions of an account are one account online."""
        self.harness.now = 5
        self.harness.login("Ann")
        self.harness.login_ack("Ann", {})
        self.patch(type(self.harness.store), "backlog", 8)
        store = self.harness.store
        store.counts = StoreCounts()
        store.counts.entries, store.counts.characters = 7, 70
        for seconds in (0.001, 0.0011, 0.002, 3.0):
            store.counts.committed(seconds)
        counters = self.harness.realm.counters
        counters.refused("limit-reached", "rooms")
        counters.watch_queue("passwords", lambda: 3)
        self.assertEqual(
            self.result(self.operations.statistics()),
            Statistics(
                started=0,
                accounts=2,
                rooms=1,
                sessions=2,
                accounts_online=1,
                rooms_in_memory=0,
                store_backlog=8,
                refusals={"limit-reached": 1},
                quotas_met={"rooms": 1},
                queues={"passwords": 3},
                store=StoreStatistics(
                    entries=7,
                    characters=70,
                    # Accounts and rooms were counted by two more.
                    batches=6,
                    commit_seconds=3.0041,
                    longest_commit=3.0,
                    commits=dict.fromkeys(map(str, COMMIT_TIMES), 0)
                    | {"0.001": 1, "0.002": 2, "longer": 1},
                ),
            ),
        )

    def test_a_backup_needs_an_absolute_path(self) -> None:
        """The store reports all other faults of a path."""
        self.assertIn("absolute", self.refused(BadRequest, self.operations.backup("copy.db")))
        self.refused(BackupFailed, self.operations.backup("/nowhere/copy.db"))
