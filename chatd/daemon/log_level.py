"""How much the daemon logs: every line has a level, and those below a chosen one are dropped."""

from __future__ import annotations

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
)


class LogFilter:
    """Drops the events of a log publisher that are below a level, of all loggers.

    twistd chooses where the log is written before the daemon starts, so each of its observers gets
    a filter in front of it.
    """

    def __init__(self, publisher: LogPublisher) -> None:
        self._publisher = publisher
        self._predicate = LogLevelFilterPredicate()
        self._filters: list[tuple[ILogObserver, ILogObserver]] = []
        self.level = "info"
        """the least important level that is written"""

    def set(self, level: str) -> None:
        """Write this level, one of `chatd.config.option_types.LOG_LEVELS`, and those above it."""
        self.level = level
        self._predicate.setLogLevelForNamespace("", LogLevel.levelWithName(level))

    def start(self, level: str) -> None:
        """Filter what the present observers of the publisher get."""
        self.set(level)
        for observer in list(self._publisher._observers):
            filtering = FilteringLogObserver(observer, [self._predicate])
            self._filters.append((observer, filtering))
            self._replace(observer, filtering)

    def stop(self) -> None:
        """Filter nothing any more."""
        for observer, filtering in self._filters:
            if filtering in self._publisher._observers:
                self._replace(filtering, observer)
        self._filters.clear()

    def _replace(self, old: ILogObserver, new: ILogObserver) -> None:
        self._publisher.removeObserver(old)
        self._publisher.addObserver(new)
