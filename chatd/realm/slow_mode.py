"""Slow mode of a room: when each member has sent its last text."""

from __future__ import annotations

_FEW = 64
"""members of which no room looks whether they have waited long enough to be forgotten"""


class SlowMode:
    """When members of a room, given by their ids, have sent last, by a monotonic clock in seconds.

    It is in memory: after a restart of the daemon, each member can send once without waiting.
    """

    __slots__ = ("_forget_at", "_last")

    def __init__(self) -> None:
        # The time, and the sender's own key, of the last text of each account.
        self._last: dict[int, tuple[float, str | None]] = {}
        self._forget_at = _FEW

    def wait(self, account: int, key: str | None, interval: int, now: float) -> float:
        """How many seconds an account has to wait before it can send a text; 0 or less: none.

        The last text can be sent again with its key, because the sender may not know that it is
        stored.
        """
        last = self._last.get(account)
        if last is None or (key is not None and key == last[1]):
            return 0.0
        return last[0] + interval - now

    def sent(self, account: int, key: str | None, interval: int, now: float) -> None:
        """An account has sent a text, after it has waited."""
        last = self._last.get(account)
        if last is not None and key is not None and key == last[1]:
            return
        self._last[account] = (now, key)
        if len(self._last) >= self._forget_at:
            self._last = {
                id: entry for id, entry in self._last.items() if entry[0] + interval > now
            }
            self._forget_at = max(_FEW, 2 * len(self._last))
