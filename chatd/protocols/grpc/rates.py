"""The rates of calls: of the connection that makes a call, and of the account that it is made for.

A call counts for its connection before anything is proven, and for the account when the caller has
proven that it may use it: otherwise a stranger could use up the rate of any account.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from chatd.core.addresses import network_of
from chatd.core.errors import Busy
from chatd.core.limits import Limits
from chatd.core.names import NAME_LENGTH
from chatd.protocols.grpc.account import GrpcAccount
from chatd.protocols.grpc.caller import Caller
from chatd.server.listings import ListingRequester
from chatd.server.rate_limit import TokenBucket, account_bucket, new_bucket

_MAX_CONNECTIONS = 20_000
"""connections whose rates are remembered"""
_WAITING = 2_000
"""calls of an account that may wait because it is over its rate"""


class Rates:
    """Counts calls, and delays those over a rate (`chatd.core.limits.Limits.rate`)."""

    def __init__(self, limits: Limits, clock: Any) -> None:
        self._limits = limits
        self._clock = IReactorTime(clock)
        self._connections: dict[str, TokenBucket] = {}

    async def wait_for_connection(self, caller: Caller, account: str) -> None:
        """Count a call that names an account against the rate of its connection, and wait while
        that is over it; a coroutine of asyncio. Connections to a unix socket cannot be told apart
        by their address: a call of one of them counts against the rate of the account that it
        names."""
        # No name is longer.
        peer = f"account {account[:NAME_LENGTH].lower()}" if caller.local else caller.peer
        now = self._clock.seconds()
        bucket = self._connections.pop(peer, None) or new_bucket(self._limits, now)
        if bucket is None:
            return
        caller.token_bucket = self._connections[peer] = bucket
        while len(self._connections) > _MAX_CONNECTIONS:
            del self._connections[next(iter(self._connections))]
        wait = bucket.consume(1, now)
        if wait:
            await asyncio.sleep(wait)

    def client(self, caller: Caller, account: GrpcAccount) -> ListingRequester:
        """The call of a caller who may use an account: its work counts against both rates, and
        delays later calls."""
        return _Call(caller, account, self._limits, self._clock)

    async def wait_for_account(self, account: GrpcAccount) -> bool:
        """Count a call against the rate of all sessions of an account, those of other protocols
        included, and wait while the account is over it; a coroutine of Twisted.

        Returns whether it has waited. A call for an account without a session counts for its
        connection only. Raises `Busy` if too many calls of the account wait.
        """
        if account.session is None:
            return False
        now = self._clock.seconds()
        bucket = account_bucket(account.session.mailbox, self._limits, now)
        if bucket is None:
            return False
        if account.waiting_calls >= _WAITING:
            raise Busy("The account has too many calls that wait; make fewer at a time.")
        wait = bucket.consume(1, now)
        if not wait:
            return False
        account.waiting_calls += 1
        try:
            with account.used():
                await deferLater(self._clock, wait)
        finally:
            account.waiting_calls -= 1
        return True


class _Call:
    """A call as a `chatd.server.listings.ListingRequester`."""

    def __init__(
        self, caller: Caller, account: GrpcAccount, limits: Limits, clock: IReactorTime
    ) -> None:
        self._caller = caller
        self._account = account
        self._limits = limits
        self._clock = clock

    @property
    def disconnected(self) -> bool:
        """See `Requester`."""
        return self._caller.disconnected

    @property
    def network(self) -> str:
        """See `ListingRequester`."""
        return network_of(self._caller.address)

    def charge(self, commands: float) -> None:
        """See `Requester`."""
        now = self._clock.seconds()
        buckets = [self._caller.token_bucket]
        if self._account.session is not None:
            buckets.append(account_bucket(self._account.session.mailbox, self._limits, now))
        for bucket in buckets:
            if bucket is not None:
                bucket.consume(commands, now)
