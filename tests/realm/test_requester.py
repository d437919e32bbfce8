"""What a listing costs the client that asks for it, and that it ends with the client."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from chatd.core.glob import matcher
from chatd.realm.membership import InvitedRecord
from chatd.realm.requester import Disconnected
from tests.realm.case import RealmCase


class Client:
    """A requester, and the names that it was charged for."""

    disconnected = False
    examined = 0

    def charge(self, commands: float) -> None:
        """See `Requester`."""
        self.examined += round(100 * commands)


class Listings(RealmCase):
    """402 accounts, and a client without a session."""

    def setUp(self) -> None:
        super().setUp()
        self.harness.register(*(f"u{number:03}" for number in range(400)))
        self.accounts = self.realm.accounts
        self.client = Client()

    def cost(self, finding: Coroutine[Any, Any, Any]) -> int:
        """How many names a listing that finds one name is charged for."""
        before = self.client.examined
        found = self.begin(finding)
        while not found.called:
            self.harness.runner.clock.advance(0)
        self.assertIn(self.successResultOf(found), (["u399"], (["u399"], False)))
        return self.client.examined - before

    def test_names_cost_what_is_examined_and_not_what_is_found(self) -> None:
        """A pattern that matches nothing is no cheaper."""
        self.assertEqual(self.cost(self.accounts.names("u399", self.client)), 402)
        self.assertEqual(self.cost(self.accounts.names_like(matcher("u399"), self.client)), 402)
        self.assertEqual(self.cost(self.accounts.find_accounts("*399", "", 5, self.client)), 402)
        self.assertEqual(self.cost(self.accounts.find_accounts("*399", "u389", 5, self.client)), 10)

    def test_names_of_which_the_beginning_is_known_cost_little(self) -> None:
        """They stand together."""
        for pattern in ("u399", "u399*", "u39[9]"):
            self.assertLess(
                self.cost(self.accounts.find_accounts(pattern, "", 5, self.client)), 20, pattern
            )
        self.assertLess(
            self.cost(self.accounts.find_accounts("u39[9]", "u390", 5, self.client)), 11
        )

    def test_page_that_is_full_costs_as_much_as_it_has(self) -> None:
        """The names after it are not examined."""
        self.harness.run(self.accounts.find_accounts("*", "", 9, self.client))
        self.assertEqual(self.client.examined, 10)

    def test_rooms_cost_what_is_examined(self) -> None:
        """By the session that finds them."""
        session, peer = self.harness.login_ack("Ann")
        for number in range(30):
            self.run_now(self.realm.rooms.create(session, f"#r{number}", "", False))
        for pattern, examined in (("*29", 30), ("#r29", 5)):
            before = peer.charged
            self.harness.run(self.realm.rooms.find(session, pattern, "", 5))
            self.assertEqual(round(100 * (peer.charged - before)), examined)

    def assert_ended(self, finding: Coroutine[Any, Any, Any]) -> None:
        """Check that a listing that is under way ends when its client disconnects."""
        found = self.begin(finding)
        self.assertNoResult(found)
        self.client.disconnected = True
        self.harness.runner.clock.advance(0)
        self.failureResultOf(found, Disconnected)
        self.client.disconnected = False

    def test_comparing_names_ends_with_the_client(self) -> None:
        """No further names are compared."""
        compared: list[str] = []

        def matches(name: str) -> bool:
            compared.append(name)
            return True

        self.assert_ended(self.accounts.names_like(matches, self.client))
        self.assertEqual(len(compared), 250)

    def test_listing_of_a_disconnected_client_costs_it_nothing(self) -> None:
        """It ends with its first answer of the store."""
        self.client.disconnected = True
        for finding in (
            self.accounts.names("*", self.client),
            self.accounts.find_accounts("*", "", 5, self.client),
        ):
            self.assertRaises(Disconnected, self.harness.run, finding)
        self.assertEqual(self.client.examined, 0)


class Sessions(RealmCase):
    """Listings for sessions, whose connection may be closed before they end."""

    def setUp(self) -> None:
        super().setUp()
        self.session, self.peer = self.harness.login_ack("Ann")

    def close(self) -> None:
        """Close the connection of the session."""
        self.patch(type(self.peer), "disconnected", True)

    def test_presence_of_many_accounts_ends_with_the_connection(self) -> None:
        """It is not read of accounts that were found meanwhile."""
        self.close()
        asked: list[int] = []
        self.patch(self.store, "positions", lambda account, log: asked.append(account))
        finding = self.realm.presence.find(self.session, ["bob"] * 100, True)
        self.assertRaises(Disconnected, self.harness.run, finding)
        self.assertEqual(asked, [])

    def test_finding_rooms_ends_with_the_connection(self) -> None:
        """Although there are more that it could not see."""
        other, _ = self.harness.login_ack("bob")
        for number in range(30):
            self.run_now(self.realm.rooms.create(other, f"#r{number:02}", "", True))
        scanned: list[str] = []
        scan = self.store.scan

        def then_close(kind: str, *arguments: Any) -> Any:
            scanned.append(kind)
            self.close()
            return scan(kind, *arguments)

        self.patch(self.store, "scan", then_close)
        finding = self.realm.rooms.find(self.session, "*", "", 1)
        self.assertRaises(Disconnected, self.harness.run, finding)
        self.assertEqual(scanned.count(InvitedRecord.document_kind), 1)
