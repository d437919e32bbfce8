"""Which connections the ports accept: as many as leave a reserve of open files.

Each connection is an open file, and the system allows a process a number of them. The store and the
admin socket need some at any time, so the ports pause before clients take the last ones. Clients
that connect then wait in the kernel.
"""

from __future__ import annotations

import sys
from typing import Protocol

from twisted.logger import Logger

from chatd.realm.counters import Counters

logger = Logger(namespace="chatd")


class AcceptingPort(Protocol):
    """A port that can pause."""

    def pause(self) -> None:
        """Accept no connections; those that are made wait in the kernel."""

    def resume(self) -> None:
        """Accept connections again, if the port does."""


class Admission:
    """Pauses the ports while there are `most` connections, until a twentieth of them is closed."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._ports: list[AcceptingPort] = []
        self._count = 0
        self.most = sys.maxsize
        self.paused = False

    def add(self, port: AcceptingPort) -> None:
        """Pause and resume this port, too."""
        self._ports.append(port)

    @property
    def room(self) -> int:
        """How many connections may be accepted now."""
        return max(0, self.most - self._count)

    def connections_changed(self, count: int) -> None:
        """There are so many connections now."""
        self._count = count
        if count >= self.most and not self.paused:
            self.paused = True
            self._counters.quota_met("open_files")
            logger.warn(
                "Accepting pauses: {count} connections are open, and the system allows no more "
                "open files (ulimit -n) but those of the store and the admin socket",
                count=count,
            )
            for port in self._ports:
                port.pause()
        elif self.paused and count < self.most - self.most // 20:
            self.paused = False
            logger.warn("Accepting resumes: {count} connections are open", count=count)
            for port in self._ports:
                port.resume()
