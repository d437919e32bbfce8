"""`Listings`: how many are made at a time, who shares them; `UnreadListings`: what they take."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.errors import StoreUnavailable
from chatd.realm.requester import Disconnected, Requester, examine
from chatd.server.listings import Listings, UnreadListings
from chatd.server.turns import TURN, Turns


class Asking:
    """A client of an address."""

    def __init__(self, network: str = "192.0.2.1") -> None:
        self.network = network
        self.disconnected = False
        self.charged = 0.0

    def charge(self, commands: float) -> None:
        """See `Requester`."""
        self.charged += commands


class ListingsCase(SynchronousTestCase):
    """Listings that end when the test lets them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.listings = Listings(Turns(self.clock))
        self.begun: list[str] = []
        self.held: dict[str, Deferred[str]] = {}

    def ask(self, key: str, client: Asking | None = None) -> Deferred[str]:
        """Ask for a listing that is called `key`, and examines 100 names at its end."""

        async def make(requester: Requester) -> str:
            self.begun.append(key)
            held = self.held[key] = Deferred()
            answer = await held
            examine(requester, 100)
            return answer

        return Deferred.fromCoroutine(self.listings.get(client or Asking(), key, make))

    def finish(self, *keys: str) -> None:
        """End the listings of these keys."""
        for key in keys:
            self.held[key].callback(f"names of {key}")


class Making(ListingsCase):
    """How many listings are made at a time, and in which order."""

    def test_few_are_made_at_a_time(self) -> None:
        """The others wait."""
        answers = [self.ask(str(number)) for number in range(9)]
        self.assertEqual((self.begun, len(self.listings)), (["0", "1", "2", "3"], 5))
        self.finish("1", "0")
        self.assertEqual(self.begun[4:], ["4", "5"])
        self.assertEqual([answer.called for answer in answers[:3]], [True, True, False])
        self.finish("2", "3", "4", "5", "6", "7", "8")
        self.assertEqual(self.successResultOf(answers[8]), "names of 8")
        self.assertEqual(len(self.listings), 0)

    def test_clients_that_wait_for_the_same_share_one(self) -> None:
        """It was begun after each of them asked; one that is under way may be too old."""
        for key in "abcd":
            self.ask(key)
        answers = [self.ask(key) for key in ("x", "y", "x", "x", "a")]
        self.finish(*"abcd")
        self.assertEqual(self.begun[4:], ["x", "y", "a"])
        self.finish("x")
        self.clock.advance(0)
        results = [self.successResultOf(answer) for answer in (answers[0], *answers[2:4])]
        self.assertEqual(results, ["names of x"] * 3)
        self.assertNoResult(answers[4])

    def test_addresses_take_turns(self) -> None:
        """However many listings one of them waits for."""
        for number in range(4):
            self.ask(f"first {number}")
        for number in range(9):
            self.ask(f"many {number}")
        self.ask("one", Asking("192.0.2.2"))
        self.finish("first 0", "first 1", "first 2")
        self.assertEqual(self.begun[4:], ["many 0", "one", "many 1"])

    def test_answers_of_many_are_written_in_turns(self) -> None:
        """A few milliseconds at a time, each of which may write a long answer."""
        for key in "abcd":
            self.ask(key)
        answers = [self.ask("x") for _ in range(5)]
        for answer in answers:
            answer.addCallback(lambda _: self.clock.advance(TURN))
        self.finish("a")
        self.finish("x")
        self.assertEqual([answer.called for answer in answers], [True] + [False] * 4)
        self.clock.advance(0)
        self.assertTrue(answers[1].called)

    def test_refusal_reaches_every_client(self) -> None:
        """And the next listing begins."""
        for key in "abcd":
            self.ask(key)
        answers = [self.ask("x"), self.ask("x")]
        self.finish("a")
        self.held["x"].errback(StoreUnavailable())
        self.clock.advance(0)
        for answer in answers:
            self.failureResultOf(answer, StoreUnavailable)
        self.ask("y")
        self.assertEqual(self.begun[-1], "y")


class Leaving(ListingsCase):
    """Clients that disconnect before their answer."""

    def test_every_client_of_a_listing_is_charged_for_it(self) -> None:
        """Sharing does not make it cheaper."""
        clients = [Asking(), Asking()]
        for key in "abcd":
            self.ask(key)
        answers = [self.ask("x", client) for client in clients]
        self.finish("a")
        self.finish("x")
        self.clock.advance(0)
        self.assertEqual([client.charged for client in clients], [1.0, 1.0])
        self.assertEqual(len(set(map(self.successResultOf, answers))), 1)

    def test_listing_ends_when_all_its_clients_have_left(self) -> None:
        """It goes on for those that have not, and one that has no client is not begun."""
        clients = [Asking() for _ in range(4)]
        for key in "abcd":
            self.ask(key)
        answers = [self.ask(key, client) for key, client in zip("xxyy", clients, strict=True)]
        clients[0].disconnected = clients[2].disconnected = clients[3].disconnected = True
        self.finish("a", "b")
        self.assertEqual(self.begun[4:], ["x"])
        self.finish("x")
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(answers[1]), "names of x")
        for answer in answers[2:]:
            self.failureResultOf(answer, Disconnected)

    def forget(self, client: Asking) -> None:
        """The client disconnects."""
        client.disconnected = True
        self.listings.forget(client)

    def test_client_that_leaves_waits_no_longer(self) -> None:
        """Neither for a listing that is under way, which ends, nor for one that is not begun."""
        clients = [Asking() for _ in range(6)]
        answers = [self.ask(str(number), client) for number, client in enumerate(clients)]
        for client in (clients[0], clients[4], clients[5]):
            self.forget(client)
        for number in (0, 4, 5):
            self.failureResultOf(answers[number], Disconnected)
        self.finish("0", "1")
        self.assertEqual(self.begun, ["0", "1", "2", "3"])
        self.assertEqual((clients[0].charged, clients[1].charged), (0.0, 1.0))
        self.forget(clients[1])

    def test_client_that_leaves_before_its_turn_gets_nothing_more(self) -> None:
        """Its answer is not written after the others."""
        for key in "abcd":
            self.ask(key)
        client = Asking()
        answers = [self.ask("x"), self.ask("x", client)]
        self.finish("a")
        self.finish("x")
        self.forget(client)
        self.clock.advance(0)
        self.failureResultOf(answers[1], Disconnected)


class Reading:
    """A connection of an address, which has been sent a listing."""

    def __init__(self, network: str = "192.0.2.1") -> None:
        self.network = network
        self.arrived = 0

    def bytes_arrived(self) -> int:
        """See `Reader`."""
        return self.arrived


class Unread(SynchronousTestCase):
    """Listings of 10 bytes, of which clients may leave 100 unread."""

    def setUp(self) -> None:
        self.dropped: list[Any] = []
        self.unread = UnreadListings(100, self.dropped.append)

    def add(self, count: int, network: str = "192.0.2.1") -> list[Reading]:
        """Clients that have been sent a listing each."""
        readers = [Reading(network) for _ in range(count)]
        for reader in readers:
            self.unread.add(reader, 10)
        return readers

    def test_oldest_is_dropped_beyond_the_limit(self) -> None:
        """One for each further listing."""
        readers = self.add(13)
        self.assertEqual((self.dropped, self.unread.size), (readers[:3], 100))

    def test_client_that_reads_is_not_dropped(self) -> None:
        """Unless all others read, too."""
        readers = self.add(10)
        for reader in readers[:9]:
            reader.arrived = 5
        (further,) = self.add(1)
        self.assertEqual(self.dropped, [readers[9]])
        for reader in (*readers[:9], further):
            reader.arrived += 1
        newest = Reading()
        self.unread.add(newest, 10)
        self.assertIn(self.dropped[1], (*readers, further, newest))
        self.assertEqual(self.unread.size, 100)

    def test_address_with_most_of_them_loses_its_own(self) -> None:
        """Those of others stay, although they are older."""
        others = self.add(4, "192.0.2.2")
        readers = self.add(9)
        self.assertEqual(self.dropped, readers[:3])
        self.assertEqual(self.unread.size, 100)
        self.assertFalse(set(others) & set(self.dropped))

    def test_listing_that_was_read_counts_no_longer(self) -> None:
        """Nor does one of a connection that is closed; another one of the client replaces it."""
        readers = self.add(10)
        self.unread.add(readers[0], 10)
        self.unread.discard(readers[1])
        self.unread.discard(readers[1])
        self.assertEqual(self.unread.size, 90)
        self.add(1)
        self.assertEqual(self.dropped, [])

    def test_a_few_may_be_unread_however_large_they_are(self) -> None:
        """Or on a server with very many accounts no two clients could list them."""
        readers = [Reading() for _ in range(9)]
        for reader in readers:
            self.unread.add(reader, 1000)
        self.assertEqual((self.dropped, self.unread.size), (readers[:1], 8000))
