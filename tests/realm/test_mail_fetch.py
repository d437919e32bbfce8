"""Fetching mail without a session: pages, acknowledgements, receipts."""

from __future__ import annotations

from chatd.core.errors import Busy, StoreUnavailable, UnknownAccount
from chatd.realm.accounts import Account
from chatd.realm.mail_fetch import MailFetch
from tests.doubles.stores import flush_unavailable
from tests.realm.case import RealmCase


class Fetching(RealmCase):
    """Five messages of bob, who wants receipts, wait for Ann."""

    limits = {"page": 2}

    def setUp(self) -> None:
        super().setUp()
        self.bob, self.bob_peer = self.harness.login_ack("bob", {})
        self.send(self.bob, "ann", *"abcde")

    def open(self) -> MailFetch:
        """Begin to fetch Ann's mail."""
        fetch: MailFetch = self.harness.run(
            self.realm.sessions.open_mail_fetch("Ann", self.harness.account("Ann"))
        )
        return fetch

    def pages(self, fetch: MailFetch) -> list[str]:
        """The pages that are left, each as one text."""
        pages = []
        while page := self.harness.run(fetch.page()):
            pages.append("".join(entry.body for entry in page))
        return pages

    def test_mail_is_fetched_page_by_page_from_the_oldest(self) -> None:
        """`waits` says whether another page follows."""
        fetch = self.open()
        self.assertTrue(fetch.waits)
        self.assertEqual(self.pages(fetch), ["ab", "cd", "e"])
        self.assertFalse(fetch.waits)

    def test_page_waits_until_it_is_acknowledged(self) -> None:
        """What was not acknowledged is fetched again the next time."""
        first = self.open()
        page = self.harness.run(first.page())
        self.harness.run(first.page())
        self.harness.run(first.acknowledge(page))
        first.close()
        self.assertEqual(self.pages(self.open()), ["cd", "e"])

    def test_senders_are_notified_when_the_acknowledgement_is_stored(self) -> None:
        """Each sender is notified once for each message."""
        fetch = self.open()
        self.send(self.bob, "ann", "f")
        self.store.eager = False
        entries = self.result(self.store.read(self.log("@ann"), 5, 1))
        acknowledging = self.begin(fetch.acknowledge(entries))
        self.assertEqual(self.bob_peer.receipts, [])
        self.harness.settle()
        self.successResultOf(acknowledging)
        self.assertEqual(self.bob_peer.receipts, [("@ann", "delivered", 6)])
        self.store.eager = True
        self.harness.run(fetch.acknowledge(entries))
        self.assertEqual(len(self.bob_peer.receipts), 1)

    def test_acknowledgement_that_is_not_stored_notifies_no_sender(self) -> None:
        """The failure is raised to the caller."""
        fetch = self.open()
        self.send(self.bob, "ann", "f")
        entries = self.result(self.store.read(self.log("@ann"), 5, 1))
        self.store.writable = False
        self.refuse(StoreUnavailable, fetch.acknowledge(entries))
        self.assertEqual(self.bob_peer.receipts, [])
        flush_unavailable(self)

    def test_mail_that_a_session_has_read_does_not_wait(self) -> None:
        """Only the gaps in what was read are fetched."""
        session, _ = self.harness.login_ack("Ann", {})
        session.acknowledge("@ann", 2, 3)
        self.assertEqual(self.pages(self.open()), ["a", "de"])

    def test_trimmed_mail_is_passed_over(self) -> None:
        """Only the mail that is left is fetched."""
        self.result(self.store.trim(self.log("@ann"), 3))
        self.assertEqual(self.pages(self.open()), ["de"])

    def test_mailbox_is_held_until_the_fetch_is_closed(self) -> None:
        """Closing the fetch releases the mailbox."""
        fetch = self.open()
        self.assertIsNotNone(self.harness.mailbox("Ann"))
        fetch.close()
        self.assertIsNone(self.harness.mailbox("Ann"))

    def test_fetch_of_an_account_that_is_deleted_meanwhile(self) -> None:
        """What was fetched cannot be acknowledged, and nothing is held afterwards."""
        fetch = self.open()
        page = self.harness.run(fetch.page())
        mailbox = self.harness.account("Ann").id
        self.harness.run(self.realm.delete_account("Ann"))
        self.harness.register("Ann")
        self.refuse(UnknownAccount, fetch.acknowledge(page))
        self.refuse(UnknownAccount, fetch.page())
        fetch.close()
        self.assertIsNone(self.realm.sessions.mailbox(mailbox))

    def test_fetch_ends_with_the_sessions_of_the_account(self) -> None:
        """No later page is shown, also if it was being read; what has arrived can be
        acknowledged."""
        account = self.harness.account("Ann").id
        fetch = self.open()
        page = self.harness.run(fetch.page())
        self.store.eager = False
        reading = self.begin(fetch.page())
        self.realm.sessions.end(account, "password-changed", "")
        self.harness.settle()
        self.failureResultOf(reading, Busy)
        self.refuse(Busy, fetch.page())
        self.store.eager = True
        self.harness.run(fetch.acknowledge(page))
        fetch.close()
        self.assertEqual(self.pages(self.open()), ["cd", "e"])

    def test_fetch_is_refused_if_the_sessions_are_ended_while_the_mailbox_is_loaded(self) -> None:
        """As a login is."""
        account = self.harness.account("Ann")
        self.store.eager = False
        opening = self.begin(self.realm.sessions.open_mail_fetch("Ann", account))
        self.realm.sessions.end(account.id, "password-changed", "")
        self.harness.settle()
        self.store.eager = True
        fetch: MailFetch = self.successResultOf(opening)
        self.refuse(Busy, fetch.page())
        fetch.close()

    def test_fetch_for_a_changed_account_is_refused(self) -> None:
        """The record that the right was proven against must be the current one; nothing is held."""
        self.refuse(
            UnknownAccount,
            self.realm.sessions.open_mail_fetch("Ann", Account(1, "hash", id=self.realm.new_id())),
        )
        account = self.harness.account("Ann")
        self.refuse(UnknownAccount, self.realm.sessions.open_mail_fetch("nemo", account))
        self.assertIsNone(self.harness.mailbox("Ann"))

    def test_account_whose_mail_is_fetched_is_not_online(self) -> None:
        """It can log in, and register with a protocol that has no passwords."""
        self.open()
        self.assertFalse(self.realm.sessions.online("Ann"))
