"""`Unauthenticated`: the share of an address, and that nothing is left of connections that end."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.addresses import LOCAL
from chatd.core.limits import Limits
from chatd.server.unauthenticated import Unauthenticated

LIMITS = Limits(unauthenticated=6, address_unauthenticated=2, login_time=10)
ADDRESSES = ("192.0.2.1", "192.0.2.2", "2001:db8::/64", LOCAL)


class Item:
    """A connection."""

    def __init__(self, network: str) -> None:
        self.network = network


class Counting:
    """What is counted, and what was closed or has expired."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock = Clock()
        self.closed: list[tuple[Item, str]] = []
        self.expired: list[Item] = []
        self.counted: Unauthenticated[Item] = Unauthenticated(
            self.clock, limits, self.expired.append, lambda item, bound: self.close(item, bound)
        )

    def close(self, item: Item, bound: str) -> None:
        """See `Unauthenticated`."""
        self.closed.append((item, bound))

    def connect(self, network: str) -> Item:
        """A new connection, a moment after the one before."""
        self.clock.advance(0.01)
        item = Item(network)
        self.counted.touch(item)
        return item


class Shares(SynchronousTestCase):
    """Which connection is closed when there are too many."""

    def test_address_that_opens_too_many_loses_its_own(self) -> None:
        """Those of other addresses stay, although they have been idle longer."""
        counting = Counting()
        honest = counting.connect("192.0.2.1")
        flood = [counting.connect("192.0.2.2") for _ in range(50)]
        self.assertEqual(
            counting.closed, [(item, "address_unauthenticated") for item in flood[:-2]]
        )
        self.assertIn(honest, counting.counted)

    def test_idle_longest_of_the_address_is_closed(self) -> None:
        """A connection that has sent something is not idle."""
        counting = Counting()
        first, second = counting.connect("192.0.2.1"), counting.connect("192.0.2.1")
        counting.clock.advance(1)
        counting.counted.touch(first)
        counting.connect("192.0.2.1")
        self.assertEqual(counting.closed, [(second, "address_unauthenticated")])

    def test_of_too_many_in_all_the_address_with_most_loses_one(self) -> None:
        """So several addresses together do not push out one that has few."""
        counting = Counting(Limits(unauthenticated=6, address_unauthenticated=3))
        honest = counting.connect("192.0.2.1")
        floods = [[counting.connect(f"192.0.2.{number}") for _ in range(3)] for number in (2, 3, 4)]
        self.assertEqual(len(counting.closed), 4)
        self.assertEqual({bound for _, bound in counting.closed}, {"unauthenticated"})
        self.assertIn(honest, counting.counted)
        self.assertEqual(
            [sum(item in counting.counted for item in each) for each in floods], [1, 2, 2]
        )

    def test_connection_whose_address_changes_is_counted_there(self) -> None:
        """A proxy sends the address of its client after it has connected."""
        counting = Counting()
        other = counting.connect("192.0.2.1")
        proxied = [counting.connect(LOCAL) for _ in range(2)]
        for item in proxied:
            item.network = "192.0.2.1"
            counting.counted.touch(item)
        self.assertEqual(counting.closed, [(other, "address_unauthenticated")])
        for item in proxied:
            counting.counted.discard(item)
        self.assertEqual((len(counting.counted), counting.counted._shares), (0, {}))

    def test_clients_on_this_machine_may_have_all(self) -> None:
        """Beyond that, the one of all that has been idle longest is closed."""
        counting = Counting()
        items = [counting.connect(LOCAL) for _ in range(7)]
        self.assertEqual(counting.closed, [(items[0], "unauthenticated")])

    def test_share_can_be_unlimited(self) -> None:
        """An address may then have all, too."""
        counting = Counting(Limits(unauthenticated=3, address_unauthenticated=None))
        items = [counting.connect("192.0.2.1") for _ in range(4)]
        self.assertEqual(counting.closed, [(items[0], "unauthenticated")])


class Counts(RuleBasedStateMachine):
    """Connections that come, send, log in, leave and expire in any order, against a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.counting = Counting()
        self.model: OrderedDict[Item, None] = OrderedDict()

    @rule(network=st.sampled_from(ADDRESSES))
    def connect(self, network: str) -> None:
        """A new connection."""
        before = len(self.counting.closed)
        self.model[self.counting.connect(network)] = None
        own = [item for item in self.model if item.network == network]
        expected = []
        if network != LOCAL and len(own) > 2:
            expected = [(own[0], "address_unauthenticated")]
        closed = self.counting.closed[before:]
        if not expected and len(self.model) > 6:
            sizes = {each.network: 0 for each in self.model}
            for each in self.model:
                sizes[each.network] += 1
            ((victim, bound),) = closed
            assert bound == "unauthenticated"
            assert sizes[victim.network] == max(sizes.values())
            own = [item for item in self.model if item.network == victim.network]
            expected = [(own[0], bound)]
        assert closed == expected
        for item, _ in expected:
            del self.model[item]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """A connection is not idle."""
        item = data.draw(st.sampled_from(list(self.model)))
        self.counting.counted.touch(item)
        self.model.move_to_end(item)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """A connection logs in or ends, which may be noticed twice."""
        item = data.draw(st.sampled_from(list(self.model)))
        self.counting.counted.discard(item)
        self.counting.counted.discard(item)
        del self.model[item]

    @rule(seconds=st.sampled_from((0.5, 4.0, 11.0)))
    def wait(self, seconds: float) -> None:
        """Some expire."""
        self.counting.clock.advance(seconds)
        for item in self.counting.expired:
            del self.model[item]
        self.counting.expired.clear()

    @invariant()
    def same_connections(self) -> None:
        """What is counted of each address, and in all, is what there is; nothing else is left."""
        counted = self.counting.counted
        assert list(counted._touched) == list(self.model)
        shares = {network: list(items) for network, items in counted._shares.items()}
        expected: dict[str, list[Item]] = {}
        for item in self.model:
            expected.setdefault(item.network, []).append(item)
        assert shares == expected
        sizes: dict[int, set[str]] = {}
        for network, items in expected.items():
            sizes.setdefault(len(items), set()).add(network)
        assert {size: set(networks) for size, networks in counted._sizes.items()} == sizes
        assert counted._greatest == max(sizes, default=0)
        assert len(counted._networks) == len(self.model)


CountsTest: Any = Counts.TestCase
CountsTest.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
