"""Counters: what the daemon has refused, which bounds were met, and how long its queues are.

Each part of the daemon counts here what operators should see (`chatd.realm.operations.Statistics`).
Nothing is counted for each message: refusals are rare, and the length of a queue is asked for when
an operator looks.
"""

from __future__ import annotations

from collections.abc import Callable

_NAMES = 1_000
"""different names that are counted; more can only be a mistake"""


class Counters:
    """What has been counted since the daemon started.

    `refusals` are by the code of the refusal (`chatd.core.errors`), `quotas_met` by the name of the
    bound, which is that of its field in `chatd.core.limits.Limits`.
    """

    def __init__(self) -> None:
        self.refusals: dict[str, int] = {}
        self.quotas_met: dict[str, int] = {}
        self._lengths: dict[str, Callable[[], int]] = {}

    def refused(self, code: str, quota: str = "") -> None:
        """A request or a connection was refused; `quota` is the bound that was met, if any."""
        _count(self.refusals, code)
        if quota:
            self.quota_met(quota)

    def quota_met(self, name: str) -> None:
        """A bound was met, so that something was refused, delayed, closed or dropped."""
        _count(self.quotas_met, name)

    def watch_queue(self, name: str, length: Callable[[], int]) -> None:
        """Have the statistics show the length of a queue, as `length` gives it then."""
        self._lengths[name] = length

    @property
    def queues(self) -> dict[str, int]:
        """The length of each queue at this moment."""
        return {name: length() for name, length in self._lengths.items()}


def _count(counts: dict[str, int], name: str) -> None:
    if name in counts or len(counts) < _NAMES:
        counts[name] = counts.get(name, 0) + 1
