"""Throttling of log-in attempts, per account and per address."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from chatd.core.errors import Busy


class LoginThrottle:
    """When the next attempt at an account, or from an address, is looked at.

    Each attempt takes the next free moment, so that many at once gain nothing. The first three are
    free; then the gap after each doubles from half a second, up to 10 s for an account (its owner
    has to wait, too) and 60 s for an address. The right password, or an hour's peace, forgives.
    """

    _FREE = 3
    _FIRST = 0.5
    _LONGEST_WAIT = 60.0
    _PEACE = 3600.0
    _REMEMBERED = 10_000

    def __init__(self, clock: Any) -> None:
        self._now: Callable[[], float] = IReactorTime(clock).seconds
        # How many attempts there were, and when the next one may be looked at.
        self._attempts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def attempt(self, account: str, address: str) -> float:
        """How many seconds this attempt has to wait. Raises `Busy` when too many are waiting."""
        now = self._now()
        account_key, address_key = self._keys(account, address)
        wait = max(self._attempts.get(key, (0, now))[1] - now for key in (account_key, address_key))
        if wait > self._LONGEST_WAIT:
            raise Busy("too many attempts to log in; try again later")
        for key, longest in ((account_key, 10.0), (address_key, 60.0)):
            count, free = self._attempts.pop(key, (0, now))
            if now - free > self._PEACE:
                count = 0
            gap = (
                min(longest, self._FIRST * 2.0 ** min(count - self._FREE, 16))
                if count >= self._FREE
                else 0.0
            )
            self._attempts[key] = (count + 1, max(now, free) + gap)
        while len(self._attempts) > self._REMEMBERED:
            self._attempts.popitem(last=False)
        return max(0.0, wait)

    def succeeded(self, account: str, address: str) -> None:
        """The right password came: the account's attempts are forgiven, of the address's just this
        one, or whoever has an account could guess at those of others without end."""
        account_key, address_key = self._keys(account, address)
        self._attempts.pop(account_key, None)
        count, free = self._attempts.get(address_key, (0, 0.0))
        if count:
            self._attempts[address_key] = (count - 1, free)

    def _keys(self, account: str, address: str) -> tuple[str, str]:
        return account.lower(), "from " + address
