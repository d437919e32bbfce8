"""What operators may ask about accounts and their sessions: records, pages, and refusals."""

from __future__ import annotations

from typing import Any

from chatd.core.errors import (
    BadRequest,
    Busy,
    FingerprintInvalid,
    OpenAccountsForbidden,
    PatternTooLong,
    UnknownAccount,
)
from chatd.realm.account_operations import AccountInfo, SessionInfo
from chatd.realm.operations import Operations
from chatd.realm.page import Page
from chatd.realm.permissions import Policy
from tests.realm.operations_case import OperationsCase

FINGERPRINT = "ab" * 32
"""a well-formed fingerprint"""


class AccountOperations(OperationsCase):
    """Accounts and their sessions."""

    def account(self, name: str) -> Any:
        """The stored account."""
        _, account = self.harness.run(self.harness.realm.accounts.account(name))
        return account

    def test_accounts_are_listed_in_alphabetical_order(self) -> None:
        """A page that is not full ends the listing."""
        self.assertEqual(
            self.result(self.operations.accounts("*", "", 10)),
            Page(
                [AccountInfo("Ann", 0, True, 0, 0), AccountInfo("bob", 0, True, 0, 0)],
                False,
                "bob",
            ),
        )

    def test_an_account_with_a_session_was_last_seen_now(self) -> None:
        """When its last session has ended, `seen` is the time of that."""
        self.harness.login("Ann")
        self.harness.now = 7
        (ann,) = self.result(self.operations.accounts("A*", "", 10)).items
        self.assertEqual((ann.sessions, ann.seen), (1, 7))
        self.harness.logout("Ann")
        self.harness.now = 9
        (ann,) = self.result(self.operations.accounts("A*", "", 10)).items
        self.assertEqual((ann.sessions, ann.seen), (0, 7))
        self.harness.runner.clock.advance(60)
        self.harness.settle()
        self.assertIsNone(self.harness.mailbox("Ann"))
        (ann,) = self.result(self.operations.accounts("A*", "", 10)).items
        self.assertEqual((ann.sessions, ann.seen), (0, 7))

    def test_account_online_when_the_store_was_copied_was_last_seen_before_that(self) -> None:
        """The time of a session that has not ended is in no file: it is unknown (0), or that of the
        session before."""
        self.harness.now = 5
        self.harness.login("Ann")
        self.harness.logout("Ann")
        self.harness.runner.clock.advance(60)
        self.harness.settle()
        self.harness.now = 7
        for name in ("Ann", "bob"):
            self.harness.login(name)
        self.harness.settle()
        self.harness = self.harness.restart()
        operations = Operations(self.harness.realm)
        accounts = self.harness.run(operations.accounts("*", "", 10)).items
        self.assertEqual(
            [(account.name, account.seen) for account in accounts], [("Ann", 5), ("bob", 0)]
        )

    def test_pages_of_accounts_follow_each_other(self) -> None:
        """A full page has the name after which the next page begins."""
        names = []
        page = Page[AccountInfo, str]([], True, "")
        while page.more:
            page = self.result(self.operations.accounts("*", page.last, 1))
            names += [account.name for account in page.items]
        self.assertEqual(names, ["Ann", "bob"])
        self.assertEqual(page.last, "bob")

    def test_a_long_pattern_is_refused(self) -> None:
        """The bound holds for accounts and for rooms."""
        self.refused(PatternTooLong, self.operations.accounts("*" * 1000, "", 1))
        self.refused(PatternTooLong, self.operations.rooms("*" * 1000, "", 1))

    def test_all_sessions_of_an_account_are_on_one_page(self) -> None:
        """A page may have more sessions than the limit."""
        for _ in range(3):
            self.harness.login_ack("Ann", {})
        self.harness.login_ack("bob", {})
        page = self.result(self.operations.sessions("", "", 1))
        self.assertEqual(page, Page([SessionInfo("Ann", 0, "a test")] * 3, True, "ann"))
        page = self.result(self.operations.sessions("", page.last, 1))
        self.assertEqual(page, Page([SessionInfo("bob", 0, "a test")], False, "bob"))
        self.assertEqual(self.result(self.operations.sessions("", page.last, 1)).items, [])

    def test_sessions_of_one_account(self) -> None:
        """The name may have any spelling; an unknown account is refused."""
        self.harness.login("Ann")
        self.harness.login("bob")
        page = self.result(self.operations.sessions("ANN", "", 10))
        self.assertEqual([session.name for session in page.items], ["Ann"])
        self.refused(UnknownAccount, self.operations.sessions("eve", "", 10))

    def test_ending_sessions_gives_their_number_and_the_reason(self) -> None:
        """The account may log in again."""
        recorder = self.harness.login("Ann")
        _, peer = self.harness.login_ack("Ann", {})
        reasons: list[tuple[str, str]] = []
        self.patch(peer, "session_ended", lambda code, sentence: reasons.append((code, sentence)))
        self.assertEqual(self.result(self.operations.end_sessions("ann", "Enough.")), 2)
        self.assertEqual((recorder.ended_with, reasons), ("kicked", [("kicked", "Enough.")]))
        self.assertEqual(self.result(self.operations.end_sessions("ann")), 0)
        self.harness.login("Ann")
        self.refused(UnknownAccount, self.operations.end_sessions("eve"))

    def test_a_new_password_is_hashed_and_ends_the_sessions(self) -> None:
        """The result of the hash function is stored."""
        recorder = self.harness.login("Ann")
        self.assertEqual(self.result(self.operations.set_password("ANN", "new")), "Ann")
        self.assertEqual(self.account("ann").password, "hash of new")
        self.assertEqual(recorder.ended_with, "password-changed")

    def test_an_account_can_become_open(self) -> None:
        """This is refused if open accounts are forbidden; no password is hashed."""
        self.result(self.operations.set_password("ann", "new"))
        self.assertEqual(self.result(self.operations.set_password("ann", None)), "Ann")
        self.assertIsNone(self.account("ann").password)
        self.harness.realm.policy = Policy("open", open_accounts=False)
        self.refused(OpenAccountsForbidden, self.operations.set_password("ann", None))
        self.assertEqual(self.hashed, ["new"])

    def test_no_password_is_hashed_for_a_request_that_is_refused(self) -> None:
        """An unknown account and an empty password are refused before hashing."""
        self.refused(UnknownAccount, self.operations.set_password("eve", "new"))
        self.refused(BadRequest, self.operations.set_password("ann", ""))
        self.assertEqual(self.hashed, [])

    def test_a_failure_to_hash_leaves_the_password(self) -> None:
        """The operation is refused as the hash function was."""

        async def busy(password: str) -> str:
            raise Busy()

        self.result(self.operations.set_password("ann", "old"))
        self.harness.hash_password = busy
        self.refused(Busy, self.operations.set_password("ann", "new"))
        self.assertEqual(self.account("ann").password, "hash of old")

    def test_certificates_are_replaced(self) -> None:
        """Fingerprints are stored normalized; a malformed one changes nothing."""
        name = self.result(self.operations.set_certificates("ANN", [FINGERPRINT.upper()]))
        self.assertEqual(name, "Ann")
        self.assertEqual(self.account("ann").certificates, (FINGERPRINT,))
        self.refused(FingerprintInvalid, self.operations.set_certificates("ann", ["xyz"]))
        self.refused(UnknownAccount, self.operations.set_certificates("eve", []))
        self.assertEqual(self.account("ann").certificates, (FINGERPRINT,))
        self.result(self.operations.set_certificates("ann", []))
        self.assertEqual(self.account("ann").certificates, ())

    def test_deleting_an_account_ends_its_sessions(self) -> None:
        """The name is unknown after the deletion."""
        recorder = self.harness.login("Ann")
        self.assertEqual(self.result(self.operations.delete_account("ANN")), "Ann")
        self.assertEqual(recorder.ended_with, "account-deleted")
        self.refused(UnknownAccount, self.operations.delete_account("ann"))
