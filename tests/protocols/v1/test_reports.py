"""Version 1: reports to the operators."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from tests.doubles.v1_clients import MainPortServer


class Reports(SynchronousTestCase):
    """Ann reports Bob."""

    def test_report_quotes_the_entry(self) -> None:
        """An account without an entry can be reported as well."""
        server = MainPortServer()
        ann, bob = server.log_in("Ann"), server.log_in("bob")
        bob.request(c.Send(0, "ann", "grr"))
        ann.request(c.Report(0, "bob", "rude", "@ann", 1))
        ann.request(c.Report(0, "bob", "rude again"))
        entries = self.successResultOf(server.store.read("@server", 0, 9))
        self.assertEqual(
            [(entry.sender, entry.body) for entry in entries],
            [("Ann", "bob: rude\n@ann 1: grr"), ("Ann", "bob: rude again")],
        )

    def test_unknown_accounts_and_entries_of_other_logs_are_refused(self) -> None:
        """A report quotes only what its sender can read; nothing is stored."""
        server = MainPortServer()
        ann, bob = server.log_in("Ann"), server.log_in("bob")
        bob.request(c.Send(0, "ann", "grr"))
        self.assertEqual(ann.refusal_code(c.Report(0, "nobody", "x")), "unknown-account")
        self.assertEqual(ann.refusal_code(c.Report(0, "bob", "x", "@bob", 1)), "unknown-entry")
        self.assertEqual(self.successResultOf(server.store.read("@server", 0, 9)), [])

    def test_report_counts_as_many_commands(self) -> None:
        """A report takes time of an operator."""
        server = MainPortServer(rate=10.0, burst_seconds=3.0)
        ann = server.log_in("Ann")
        server.log_in("bob")
        ann.request(c.Report(0, "bob", "rude"))
        self.assertEqual(ann.transport.producerState, "paused")
