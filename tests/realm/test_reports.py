"""Reports: what is written for the operators, and what cannot be reported."""

from __future__ import annotations

from chatd.core.errors import (
    LimitReached,
    ReportClosed,
    StoreUnavailable,
    UnknownAccount,
    UnknownEntry,
)
from chatd.core.names import REPORTS
from chatd.realm.page import Page
from chatd.realm.reports import Report
from tests.realm.case import AckRealmCase, RealmCase


class Reporting(AckRealmCase):
    """Ann reports bob."""

    def setUp(self) -> None:
        """The log of reports exists, and bob sends a message to Ann, which she reports."""
        super().setUp()
        self.harness.run(self.realm.reports.start())
        self.send(self.bob, "ann", "spam")

    def report(self, name: str, log: str = "", seq: int = 0) -> list[str]:
        """Report an account; return all reports."""
        self.run_now(self.realm.reports.report(self.ann, name, "It is unkind.", log, seq))
        reports = self.entries(REPORTS)
        for _, sender, kind, _ in reports:
            self.assertEqual((sender, kind), ("Ann", "report"))
        return [body for _, _, _, body in reports]

    def test_account_is_reported(self) -> None:
        """The report has the account's name as first written, and the reason."""
        self.assertEqual(self.report("BOB"), ["bob: It is unkind."])

    def test_reporter_is_answered_when_the_report_is_durable(self) -> None:
        """A kill right after the answer does not lose the report; a store that fails refuses it."""
        self.store.eager = False
        reporting = self.begin(self.realm.reports.report(self.ann, "bob", "rude", "", 0))
        while not reporting.called:
            self.store.release()
        self.successResultOf(reporting)
        self.store.crash()
        self.store.eager = True
        self.assertEqual([body for *_, body in self.entries(REPORTS)], ["bob: rude"])
        self.store.writable = False
        self.refuse(StoreUnavailable, self.realm.reports.report(self.ann, "bob", "rude", "", 0))

    def test_account_reports_so_often_in_an_hour(self) -> None:
        """Also with several requests at the same moment; those that are refused do not count. Other
        accounts are not affected."""
        limit = self.realm.limits.reports
        self.store.eager = False
        reports = [
            self.begin(self.realm.reports.report(self.ann, "bob", "rude", "", 0))
            for _ in range(limit + 5)
        ]
        self.store.eager = True
        self.harness.settle()
        for report in reports[:limit]:
            self.successResultOf(report)
        for report in reports[limit:]:
            refusal = self.failureResultOf(report, LimitReached).value
            self.assertEqual(
                (str(refusal), refusal.quota),
                (f"You can report at most {limit} times in an hour.", "reports"),
            )
        self.run_now(self.realm.reports.report(self.bob, "ann", "rude", "", 0))
        self.assertEqual(len(self.entries(REPORTS)), limit + 1)
        self.harness.runner.clock.advance(3_600)
        self.refuse(UnknownAccount, self.realm.reports.report(self.ann, "nobody", "rude", "", 0))
        for _ in range(limit):
            self.run_now(self.realm.reports.report(self.ann, "bob", "rude", "", 0))
        self.refuse(LimitReached, self.realm.reports.report(self.ann, "bob", "rude", "", 0))

    def test_reported_message_is_quoted(self) -> None:
        """The report has the log and the seq, so that operators can find the message."""
        self.assertEqual(self.report("Bob", "@ann", 1), ["bob: It is unkind.\n@ann 1: spam"])

    def test_long_message_is_quoted_in_part(self) -> None:
        """The report has the first 500 characters of the message."""
        self.send(self.bob, "ann", "x" * 500 + "y")
        (report,) = self.report("bob", "@ann", 2)
        self.assertEqual(report, "bob: It is unkind.\n@ann 2: " + "x" * 500)

    def test_message_of_another_account_is_refused(self) -> None:
        """A report cannot attribute a message to an account that did not write it."""
        self.harness.register("cyd")
        sentence = self.refuse(
            UnknownEntry, self.realm.reports.report(self.ann, "cyd", "", "@ann", 1)
        )
        self.assertEqual(sentence, "that entry is not by cyd")
        self.assertEqual(self.entries(REPORTS), [])

    def test_message_of_a_former_account_of_the_name_is_refused(self) -> None:
        """The next account of that name did not write it."""
        self.run_now(self.realm.delete(self.bob))
        self.harness.register("bob")
        self.refuse(UnknownEntry, self.realm.reports.report(self.ann, "bob", "", "@ann", 1))
        self.assertEqual(self.entries(REPORTS), [])

    def test_message_that_the_reporter_cannot_read_is_refused(self) -> None:
        """A message in another mailbox, or one that does not exist, cannot be reported."""
        self.send(self.bob, "bob", "a note")
        for log, seq in (("@bob", 1), ("@ann", 2), ("#lobby", 1)):
            self.refuse(UnknownEntry, self.realm.reports.report(self.ann, "bob", "", log, seq))
        self.assertEqual(self.entries(REPORTS), [])

    def test_unknown_account_is_refused(self) -> None:
        """No report is written about an unknown account."""
        self.refuse(UnknownAccount, self.realm.reports.report(self.ann, "nemo", "", "", 0))
        self.assertEqual(self.entries(REPORTS), [])

    def test_reports_of_other_accounts_cannot_be_looked_up(self) -> None:
        """The log of reports belongs to no account."""
        self.report("bob")
        self.harness.register("cyd")
        cyd, _ = self.login("cyd")
        self.refuse(UnknownEntry, self.realm.history.entry(cyd, REPORTS, 1))


class Operators(RealmCase):
    """What operators do with three reports."""

    def setUp(self) -> None:
        super().setUp()
        self.run_now(self.realm.reports.start())
        for number in range(3):
            self.realm.append(
                self.realm.new_note(REPORTS, "Ann", 0, "report", f"bob: reason {number}")
            )
        self.realm.flush()
        self.harness.settle()
        self.reports = self.realm.reports

    def test_reports_come_in_pages_until_an_empty_one(self) -> None:
        """Later reports may follow at any time, so only an empty page ends the listing."""
        page = self.run_now(self.reports.page(0, 2))
        reports = [Report(1, 1, "Ann", "bob: reason 0"), Report(2, 1, "Ann", "bob: reason 1")]
        self.assertEqual(page, Page(reports, True, 2))
        page = self.run_now(self.reports.page(page.last, 2))
        self.assertEqual([report.seq for report in page.items], [3])
        self.assertEqual(self.run_now(self.reports.page(3, 2)), Page([], False, 3))

    def test_closed_report_is_listed_with_its_note_or_left_out(self) -> None:
        """A page without open reports is not the last one."""
        self.harness.now = 5
        self.run_now(self.reports.close(1, "talked to\n them\x1b[2J"))
        self.run_now(self.reports.close(2, ""))
        page = self.run_now(self.reports.page(0, 2))
        self.assertEqual(
            [(report.closed, report.note) for report in page.items],
            [(5, "talked to them\\x1b[2J"), (5, "")],
        )
        self.assertEqual(self.run_now(self.reports.page(0, 2, open_only=True)), Page([], True, 2))
        page = self.run_now(self.reports.page(2, 2, open_only=True))
        self.assertEqual([report.seq for report in page.items], [3])

    def test_report_is_closed_once(self) -> None:
        """One that does not exist is not closed."""
        self.run_now(self.reports.close(1, "first"))
        self.assertIn("Report 1", self.refuse(ReportClosed, self.reports.close(1, "second")))
        for seq in (0, 4):
            self.refuse(UnknownEntry, self.reports.close(seq, ""))
        self.assertEqual(self.run_now(self.reports.page(0, 1)).items[0].note, "first")
