"""Listings of names: a few are made at a time, and clients that wait for the same share one.

A listing takes time in proportion to the names that there are, and one of all of them takes memory,
while it is made and until its client has read it. However many clients ask, `_AT_ONCE` are made at
a time; addresses take turns, so that the clients of one do not delay those of another. What clients
have not read is bounded (`UnreadListings`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.realm.requester import Disconnected, Requester, check_connected
from chatd.server.turns import Turns

T = TypeVar("T")

_AT_ONCE = 4
"""listings that are made at a time"""
_FEWEST = 8
"""listings that may be unread in any case, however large they are"""


class ListingRequester(Requester, Protocol):
    """A client that asks for a listing."""

    @property
    def network(self) -> str:
        """As what it is counted (`chatd.core.addresses.network_of`)."""


class _Listing:
    """One listing, and its clients, who asked for it before it was begun. It is their requester:
    each is charged for the whole, and it ends when all have disconnected."""

    def __init__(self, make: Callable[[Requester], Awaitable[Any]]) -> None:
        self.make = make
        self.answers: dict[ListingRequester, Deferred[Any]] = {}

    @property
    def disconnected(self) -> bool:
        """See `Requester`."""
        return all(client.disconnected for client in self.answers)

    def charge(self, commands: float) -> None:
        """See `Requester`."""
        for client in self.answers:
            client.charge(commands)


class Listings:
    """The listings that are made, and those that wait for that."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._under_way = 0
        self._beginning = False
        # Those that wait, by the address of the first client, and by what they list.
        self._queues: OrderedDict[str, deque[Hashable]] = OrderedDict()
        self._waiting: dict[Hashable, _Listing] = {}
        # The listing that a client waits for.
        self._asked: dict[ListingRequester, _Listing] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def get(
        self, client: ListingRequester, key: Hashable, make: Callable[[Requester], Awaitable[T]]
    ) -> T:
        """Return what `make` returns, for this client or for another one that gave the same key.

        `make` is given the requester to charge. A client asks for one listing at a time. Raises
        what `make` does, and `Disconnected`.
        """
        listing = self._waiting.get(key)
        if listing is None:
            listing = self._waiting[key] = _Listing(make)
            self._queues.setdefault(client.network, deque()).append(key)
        answer: Deferred[T] = Deferred()
        listing.answers[client] = answer
        self._asked[client] = listing
        self._begin()
        return await answer

    def forget(self, client: ListingRequester) -> None:
        """A client has disconnected: what it waits for raises `Disconnected`."""
        listing = self._asked.pop(client, None)
        if listing is not None:
            listing.answers.pop(client).errback(Failure(Disconnected()))

    def _begin(self) -> None:
        """Begin listings that wait, while not too many are under way."""
        if self._beginning:
            return
        self._beginning = True
        while self._under_way < _AT_ONCE and self._queues:
            network, queue = self._queues.popitem(last=False)
            listing = self._waiting.pop(queue.popleft())
            if queue:
                # The next one of this address begins after those of all others.
                self._queues[network] = queue
            self._under_way += 1
            Deferred.fromCoroutine(self._make(listing))
        self._beginning = False

    async def _make(self, listing: _Listing) -> None:
        outcome: Any
        try:
            check_connected(listing)
            outcome = await listing.make(listing)
        except Exception:
            outcome = Failure()
        self._under_way -= 1
        # The answers of many clients are written in turns.
        for number, client in enumerate(list(listing.answers)):
            answer = partial(self._answer, listing, client, outcome)
            if number:
                self._turns.wait(answer)
            else:
                answer()
        self._begin()

    def _answer(self, listing: _Listing, client: ListingRequester, outcome: Any) -> None:
        answer = listing.answers.pop(client, None)
        if answer is not None:
            del self._asked[client]
            answer.callback(outcome)


class Reader(Protocol):
    """A connection that has been sent a listing."""

    @property
    def network(self) -> str:
        """See `ListingRequester`."""

    def bytes_arrived(self) -> int:
        """How much of its output has arrived at its client."""


class UnreadListings:
    """The listings that clients have not read yet. They may have `limit` bytes, or as many as
    `_FEWEST` of them have.

    Over that, one of the address that has the most of them is dropped: the oldest of which nothing
    has arrived since that was looked at last. `dropped` is called with its connection.
    """

    def __init__(self, limit: int, dropped: Callable[[Any], None]) -> None:
        self._limit = limit
        self._dropped = dropped
        # The size of each, and what had arrived.
        self._unread: OrderedDict[Reader, tuple[int, int]] = OrderedDict()
        self._sizes: dict[str, int] = {}

    @property
    def size(self) -> int:
        """The bytes that they have together."""
        return sum(self._sizes.values())

    def add(self, reader: Reader, size: int) -> None:
        """A listing of so many bytes was written to a client, which has not read all of it."""
        self.discard(reader)
        self._unread[reader] = size, reader.bytes_arrived()
        self._sizes[reader.network] = self._sizes.get(reader.network, 0) + size
        while self.size > max(self._limit, _FEWEST * size):
            stalled = self._stalled(max(self._sizes, key=self._sizes.__getitem__))
            self.discard(stalled)
            self._dropped(stalled)

    def _stalled(self, network: str) -> Reader:
        """The oldest of an address that does not read; if all do, the oldest."""
        readers = [reader for reader in self._unread if reader.network == network]
        for reader in readers:
            size, before = self._unread[reader]
            arrived = reader.bytes_arrived()
            if arrived == before:
                return reader
            self._unread[reader] = size, arrived
            self._unread.move_to_end(reader)
        return readers[0]

    def discard(self, reader: Reader) -> None:
        """A client has read its listing, or has disconnected."""
        size, _ = self._unread.pop(reader, (0, 0))
        if size:
            network = reader.network
            self._sizes[network] -= size
            if not self._sizes[network]:
                del self._sizes[network]
