"""What is counted for an hour: the accounts that an address creates."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import InviteInvalid, LimitReached, NameTaken
from chatd.core.limits import Limits
from chatd.realm import last_hour
from chatd.realm.last_hour import LastHour
from chatd.realm.permissions import INVITE_ONLY, Policy
from tests.doubles.clients import FakeClient
from tests.doubles.memory_server import ADDRESS
from tests.doubles.v1_clients import MainPortServer


class Quotas(SynchronousTestCase):
    """A server on which an address can create three accounts in an hour."""

    def setUp(self) -> None:
        self.server = MainPortServer(address_accounts=3)
        self.realm = self.server.realm
        self.number = 0

    def register(
        self, address: str = ADDRESS, name: str = "", password: str | None = None, **options: Any
    ) -> Deferred[Any]:
        """Create an account for a client at this address."""
        self.number += 1
        client = FakeClient(address)
        return Deferred.fromCoroutine(
            self.realm.register(name or f"user{self.number}", password, client=client, **options)
        )

    def fill(self, address: str = ADDRESS) -> None:
        """Create as many accounts as an address can."""
        for _ in range(3):
            self.successResultOf(self.register(address))

    def test_address_can_create_so_many_accounts_in_an_hour(self) -> None:
        """The sentence names the bound; other addresses are not concerned."""
        self.fill()
        refusal = self.failureResultOf(self.register(), LimitReached).value
        self.assertEqual(
            (refusal.code, refusal.quota, str(refusal)),
            (
                "limit-reached",
                "address_accounts",
                "An address can create at most 3 accounts in an hour; try again later, or ask the "
                "operator of this server for an invite token.",
            ),
        )
        self.successResultOf(self.register("192.0.2.99"))

    def test_each_account_counts_for_an_hour(self) -> None:
        """The hour slides."""
        self.successResultOf(self.register())
        self.server.clock.advance(1800)
        self.successResultOf(self.register())
        self.successResultOf(self.register())
        self.server.clock.advance(1799)
        self.failureResultOf(self.register(), LimitReached)
        self.server.clock.advance(1)
        self.successResultOf(self.register())
        self.failureResultOf(self.register(), LimitReached)

    def test_addresses_of_one_subscriber_are_one(self) -> None:
        """All of a /64 of IPv6."""
        for number in range(3):
            self.successResultOf(self.register(f"2001:db8::{number}"))
        self.failureResultOf(self.register("2001:db8::ffff"), LimitReached)
        self.successResultOf(self.register("2001:db8:0:1::1"))

    def test_account_that_is_not_created_does_not_count(self) -> None:
        """One that is being created does, so that many at once gain nothing."""
        hashing: list[Deferred[str]] = []

        async def hash_password(password: str, client: object) -> str:
            hashing.append(Deferred())
            return await hashing[-1]

        self.realm._hash_password = hash_password
        registering = [self.register(password="x") for _ in range(4)]
        self.failureResultOf(registering[3], LimitReached)
        hashing[0].errback(ZeroDivisionError())
        self.failureResultOf(registering[0], ZeroDivisionError)
        self.successResultOf(self.register())
        self.failureResultOf(self.register(), LimitReached)
        self.failureResultOf(self.register(name="user5"), NameTaken)

    def test_clients_on_this_machine_have_a_limit_of_their_own(self) -> None:
        """By default there is none: a class or a test suite creates thousands."""
        for address in ("127.0.0.1", "local", "::1"):
            for _ in range(30):
                self.successResultOf(self.register(address))
        self.server = MainPortServer(local_accounts=3)
        self.realm = self.server.realm
        self.fill("127.0.0.1")
        self.failureResultOf(self.register("local"), LimitReached)

    def test_operators_and_invited_clients_have_no_limit(self) -> None:
        """Where no token is needed, one is used only when the limit is reached."""
        self.realm.policy = Policy(INVITE_ONLY)
        token = self.server.invite_token(uses=10)
        for _ in range(5):
            self.successResultOf(self.register(invite=token))
        self.realm.policy = Policy()
        self.successResultOf(Deferred.fromCoroutine(self.realm.register("operators")))
        for _ in range(8):
            self.successResultOf(self.register(invite=token))
        self.failureResultOf(self.register(invite=token), InviteInvalid)
        self.failureResultOf(self.register(invite="unknown"), InviteInvalid)
        self.failureResultOf(self.register(), LimitReached)

    def test_default_is_for_other_machines(self) -> None:
        """Twenty, and any number on this machine."""
        limits = Limits()
        self.assertEqual((limits.address_accounts, limits.local_accounts), (20, None))

    def test_memory_is_bounded(self) -> None:
        """Of any number of addresses only the latest are remembered."""
        self.patch(last_hour, "_MAKERS", 50)
        counted = LastHour(self.server.clock.seconds)
        for number in range(200):
            with counted.making(f"192.0.2.{number}"):
                pass
        self.assertEqual(len(counted._made), 50)
        self.assertEqual(counted.count("192.0.2.199"), 1)
