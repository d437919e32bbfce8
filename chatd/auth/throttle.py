"""Throttling of log-in attempts, per account and per address."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from chatd.core.addresses import LOCAL
from chatd.core.errors import Busy
from chatd.core.names import NAME_LENGTH


class LoginThrottle:
    """How long each attempt to log in must wait.

    Attempts for one account, or from one address, are spaced out, so that many at once gain
    nothing. The first three need not wait; then the gap after each attempt doubles from 0.5 s, up
    to 10 s for an account (its owner has to wait, too) and 60 s for an address. The count starts
    again after a right password, or after an hour without an attempt.

    The clients of a unix socket have no address (`LOCAL`), and may be those of a proxy: their
    attempts are spaced out per account only, so that one of them cannot lock all others out.
    """

    _FREE_ATTEMPTS = 3
    _FIRST_GAP = 0.5
    _LONGEST_ACCOUNT_GAP = 10.0
    _LONGEST_ADDRESS_GAP = 60.0
    _LONGEST_WAIT = 60.0
    _FORGET_AFTER = 3600.0
    _CAPACITY = 10_000

    def __init__(self, clock: Any) -> None:
        self._now: Callable[[], float] = IReactorTime(clock).seconds
        # By account and by address: the number of attempts, and the time of the next free slot.
        self._attempts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def attempt(self, account: str, address: str) -> float:
        """The seconds that this attempt must wait. Raises `Busy` if it would wait too long."""
        now = self._now()
        gaps = self._longest_gaps(account, address)
        wait = max(self._attempts.get(key, (0, now))[1] - now for key in gaps)
        if wait > self._LONGEST_WAIT:
            raise Busy("too many attempts to log in; try again later")
        for key, longest in gaps.items():
            count, slot = self._attempts.pop(key, (0, now))
            if now - slot > self._FORGET_AFTER:
                count = 0
            gap = (
                min(longest, self._FIRST_GAP * 2.0 ** min(count - self._FREE_ATTEMPTS, 16))
                if count >= self._FREE_ATTEMPTS
                else 0.0
            )
            self._attempts[key] = (count + 1, max(now, slot) + gap)
        while len(self._attempts) > self._CAPACITY:
            self._attempts.popitem(last=False)
        return max(0.0, wait)

    def succeeded(self, account: str, address: str) -> None:
        """The password was right: forget the attempts for the account, and this one attempt from
        the address. Forgetting all from the address would let the owner of one account guess the
        passwords of others without end."""
        account_key, address_key = _account_key(account), _address_key(address)
        self._attempts.pop(account_key, None)
        count, slot = self._attempts.get(address_key, (0, 0.0))
        if count:
            self._attempts[address_key] = (count - 1, slot)

    def _longest_gaps(self, account: str, address: str) -> dict[str, float]:
        """The keys under which an attempt counts, each with the longest gap after an attempt."""
        gaps = {_account_key(account): self._LONGEST_ACCOUNT_GAP}
        if address != LOCAL:
            gaps[_address_key(address)] = self._LONGEST_ADDRESS_GAP
        return gaps


# A client may give any text as a name: no account key may be that of an address.


def _account_key(account: str) -> str:
    # No name is longer.
    return "account " + account[:NAME_LENGTH].lower()


def _address_key(address: str) -> str:
    return "address " + address
