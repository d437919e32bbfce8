"""Rate limiting: a token bucket."""

from __future__ import annotations

from chatd.core.limits import Limits
from chatd.realm.mailbox import Mailbox


class TokenBucket:
    """A token bucket: `rate` commands a second on average, `burst` commands at once."""

    __slots__ = ("_burst", "_left", "_rate", "_since")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._since = now

    def consume(self, commands: float, now: float) -> float:
        """Count commands at the time `now`, in seconds.

        Returns how many seconds to wait before the next command; 0 while tokens are left.
        """
        left = min(self._burst, self._left + (now - self._since) * self._rate) - commands
        self._left = left
        self._since = now
        return -left / self._rate if left < 0 else 0.0


def new_bucket(limits: Limits, now: float, share: float = 1.0) -> TokenBucket | None:
    """A bucket for the rate of one connection times `share`; None if there is no limit."""
    if limits.rate is None:
        return None
    rate = limits.rate * share
    return TokenBucket(rate, rate * limits.burst_seconds, now)


def account_bucket(mailbox: Mailbox, limits: Limits, now: float) -> TokenBucket | None:
    """The bucket that all sessions of an account share; None if there is no limit."""
    if mailbox.token_bucket is None:
        mailbox.token_bucket = new_bucket(limits, now, limits.account_rate)
    bucket: TokenBucket | None = mailbox.token_bucket
    return bucket
