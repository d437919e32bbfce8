"""Listings as attackers use them, by every protocol: expensive patterns, clients that leave."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2 as pb
from chatd.codecs import classic, ops
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import encode
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.service import ChatService
from chatd.realm.permissions import Policy
from tests.doubles.grpc_calls import CallContext
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer

PATTERN = "a*" * 125 + "b"
"""251 characters, on which matchers that backtrack do not end"""
ACCOUNTS = 600


class AttackCase(SynchronousTestCase):
    """A server with 600 accounts, whose store counts the listings that it makes."""

    def setUp(self) -> None:
        self.server = MainPortServer(rate=100.0, burst_seconds=1.0)
        self.listings = 0
        self._list, self._page = self.server.store.list, self.server.store.page
        self.patch(self.server.store, "list", self._count)
        self.patch(self.server.store, "page", self._count_pages)
        for number in range(ACCOUNTS):
            self.server.run(self.server.realm.register(f"{'a' * 20}{number}"))

    def _count(self, *arguments: Any) -> Any:
        self.listings += 1
        return self._list(*arguments)

    def _count_pages(self, *arguments: Any) -> Any:
        self.listings += 1
        return self._page(*arguments)

    def settle(self) -> None:
        """Let the server do what it can do without a pause."""
        for _ in range(100):
            self.server.clock.advance(0)

    def queue(self, data: bytes, count: int) -> TextClient:
        """A client that has sent so many commands, of which the first is under way."""
        client = TextClient(self.server)
        for _ in range(count):
            client.send(data)
        return client


class Left(AttackCase):
    """Clients that leave as soon as they have asked."""

    def assert_dropped(self, client: TextClient) -> None:
        """Check that nothing is listed for a client that leaves."""
        before = self.listings
        client.disconnect()
        self.server.clock.advance(0)
        self.assertEqual(list(self.server.factory.connections), [])
        self.settle()
        self.assertEqual(self.listings, before)

    def test_twenty_patterns_of_an_ops_client_that_leaves_end_with_it(self) -> None:
        """The one under way, too."""
        client = self.queue(b"2|" + PATTERN.encode(), 20)
        self.assertEqual(self.listings, 1)
        self.assert_dropped(client)

    def test_lists_of_a_classic_client_that_leaves_end_with_it(self) -> None:
        """They may be slow by their patterns."""
        client = self.queue(classic.encode(classic.LIST, "*[ab]?" * 40), 20)
        self.assertEqual(self.listings, 1)
        self.assert_dropped(client)

    def test_requests_of_version_1_end_with_the_client_and_messages_do_not(self) -> None:
        """What has arrived before is still sent."""
        server, ann = self.server, self.server.log_in("ann")
        bob = server.log_in("bob")
        find = encode(c.FindAccounts(1, "nobody*"))
        server.store.eager = False
        bob.send_bytes(find * 9 + encode(c.Send(2, "ann", "hi")) + find)
        self.assertEqual((self.listings, len(bob.protocol._queue)), (1, 10))
        bob.disconnect()
        server.store.eager = True
        server.store.release()
        self.settle()
        self.assertEqual(self.listings, 1)
        self.assertEqual(ann.receive_bodies(), ["hi"])

    def test_call_that_was_cancelled_ends(self) -> None:
        """By gRPC, where a connection has many calls."""
        service = ChatService(self.server.factory)
        caller = Caller(CallContext())
        self.server.run(service.create_account(pb.CreateAccountRequest(client_id="eve"), caller))
        request = pb.WildCardRequest(client_id="eve", pattern=PATTERN)
        call = Deferred.fromCoroutine(service.wild_card(request, caller))
        self.assertNoResult(call)
        caller.disconnected = True
        self.server.clock.advance(0)
        self.failureResultOf(call)


class Many(AttackCase):
    """Many clients that ask at the same moment."""

    def test_few_of_the_searches_of_version_1_are_under_way_at_a_time(self) -> None:
        """They take turns, so that their steps delay others by a moment, however many they are;
        those that are the same are made once."""
        clients = [self.server.log_in(f"u{number}") for number in range(20)]
        self.listings = 0
        for number, client in enumerate(clients):
            client.send(c.FindAccounts(1, f"*{'?' * (number % 10)}b"))
        self.assertEqual(self.listings, 4)
        self.settle()
        for client in clients:
            self.assertEqual(client.receive_events(c.Names), [c.Names(1, [], False)])
        self.assertEqual(self.listings, 4 * 14)


class Charged(AttackCase):
    """Clients whose listings cost them their rate."""

    def test_pattern_costs_an_ops_client_the_names_that_it_was_compared_with(self) -> None:
        """Although none matches: of 20 commands of 7 each, all but the last 6 fit into 100."""
        client = TextClient(self.server, "ops")
        client.receive()
        for _ in range(20):
            client.send(f"2|{PATTERN}")
        self.settle()
        self.assertEqual(client.receive().count("doesn't exist"), 14)

    def test_pattern_costs_a_grpc_call_as_much(self) -> None:
        """It delays the later calls of the connection and of the account."""
        service = ChatService(self.server.factory)
        caller = Caller(CallContext())
        self.server.run(service.rates.wait_for_connection(caller, "eve"))
        self.server.run(service.create_account(pb.CreateAccountRequest(client_id="eve"), caller))
        assert caller.token_bucket is not None
        before = -caller.token_bucket.consume(100, 0.0)
        call = Deferred.fromCoroutine(
            service.wild_card(pb.WildCardRequest(client_id="eve", pattern=PATTERN), caller)
        )
        self.settle()
        self.successResultOf(call)
        self.assertAlmostEqual(caller.token_bucket.consume(0, 0.0) + before, 0.06, 2)


LAST = b"a" * 20 + b"99"
"""the last of 100 accounts"""


class Unread(SynchronousTestCase):
    """Clients that ask for all names and do not read them, before they log in."""

    def unread(self, port: str, command: bytes) -> tuple[list[TextClient], int]:
        """Forty clients that have sent a command and read nothing; how many bytes wait."""
        server = MainPortServer(unread_listings=20_000)
        for number in range(100):
            server.run(server.realm.register(f"{'a' * 20}{number}"))
        clients = [TextClient(server, port) for _ in range(40)]
        for client in clients:
            client.transport.capacity = 0
            client.send(command)
        honest = TextClient(server, port)
        honest.send(command)
        self.assertIn(LAST, honest.transport.output)
        waiting = [client for client in clients if not client.transport.disconnecting]
        return waiting, sum(len(client.transport.buffer) for client in waiting)

    def test_memory_for_lists_that_are_not_read_is_bounded(self) -> None:
        """By classic and by ops; another client is answered."""
        for port, command in (("classic", classic.encode(classic.LIST)), ("ops", b"2")):
            clients, size = self.unread(port, command)
            self.assertLess(len(clients), 10)
            self.assertGreater(len(clients), 6)
            self.assertLessEqual(size, 20_000 + 10 * len(ops.GREETING))

    def test_client_that_reads_its_list_is_not_disconnected(self) -> None:
        """Although others did not read theirs before, and do not afterwards."""
        server = MainPortServer(unread_listings=20_000)
        for number in range(100):
            server.run(server.realm.register(f"{'a' * 20}{number}"))
        slow = TextClient(server, "classic")
        slow.transport.capacity = 1_000
        slow.send(classic.encode(classic.LIST))
        for _ in range(40):
            client = TextClient(server, "classic")
            client.transport.capacity = 0
            client.send(classic.encode(classic.LIST))
            slow.transport.capacity = 10
            slow.transport._flush()
        self.assertFalse(slow.transport.disconnecting)
        slow.transport.drain()
        self.assertIn(LAST, slow.transport.output)


class BeforeLogin(SynchronousTestCase):
    """Clients that are not logged in, where others can reach the daemon."""

    def setUp(self) -> None:
        self.server = MainPortServer()
        self.server.realm.policy = Policy(list_before_login=False)
        self.server.run(self.server.realm.register("ann"))

    def request(self, client: TextClient, *frame: str | int) -> bytes:
        """What a classic client is answered."""
        client.transport.output = b""
        number, *fields = frame
        client.send(classic.encode(int(number), *map(str, fields)))
        return bytes(client.transport.output)

    def test_accounts_are_listed_after_login_only(self) -> None:
        """By classic and by ops, whose connections go on."""
        client = TextClient(self.server, "classic")
        refusal = "attempting to list accounts before logging in"
        for pattern in ("", "*", "ann", "/*"):
            answer = self.request(client, classic.LIST, pattern)
            self.assertEqual(answer, classic.encode(classic.RESPONSE, refusal))
        self.request(client, classic.LOGIN, "ann")
        self.assertIn(b"ann", self.request(client, classic.LIST))
        other = TextClient(self.server, "ops")
        for command in ("2", "2|", "2|a.*"):
            self.assertEqual(
                other.request(command), "create or login your account before you list others\n"
            )
        other.request("0|ann123")
        self.assertEqual(other.request("2"), "Showing all accounts: ann\n")

    def test_fence_of_the_classic_client_is_answered_before_login(self) -> None:
        """Its DELETE has no reply of its own; no name is listed for it."""
        client = TextClient(self.server, "classic")
        self.request(client, classic.LOGIN, "ann")
        empty = classic.encode(classic.LISTRESPONSE)
        self.assertEqual(self.request(client, classic.LIST, classic.FENCE), empty)
        self.assertEqual(self.request(client, classic.DELETE), b"")
        self.assertEqual(self.request(client, classic.LIST, classic.FENCE), empty)
