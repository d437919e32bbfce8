"""`LogFilter`: what is logged at which level."""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, LogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.config.option_types import LOG_LEVELS
from chatd.daemon.log_level import LogFilter


class LogLevelTests(SynchronousTestCase):
    """A publisher with one observer, as twistd starts it."""

    def setUp(self) -> None:
        self.logged: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            self.logged.append(event["log_level"].name)

        self.publisher = LogPublisher(observe)
        self.filter = LogFilter(self.publisher)

    def log_all(self) -> list[str]:
        """The levels that are written, if an event of each is logged."""
        for namespace in ("chatd", "twisted.internet"):
            logger = Logger(namespace=namespace, observer=self.publisher)
            for level in LOG_LEVELS:
                logger.emit(LogLevel.levelWithName(level), "")
        logged, self.logged = self.logged, []
        self.assertEqual(logged[: len(logged) // 2], logged[len(logged) // 2 :])
        return logged[: len(logged) // 2]

    def test_lines_below_the_level_are_dropped(self) -> None:
        """Those of Twisted as well."""
        self.filter.start("warn")
        self.assertEqual(self.log_all(), ["warn", "error", "critical"])
        self.assertEqual(self.filter.level, "warn")

    def test_level_can_be_changed_at_run_time(self) -> None:
        """In both directions."""
        self.filter.start("info")
        self.assertEqual(self.log_all(), ["info", "warn", "error", "critical"])
        for level, logged in (("critical", ["critical"]), ("debug", list(LOG_LEVELS))):
            self.filter.set(level)
            self.assertEqual(self.log_all(), logged)

    def test_nothing_is_filtered_when_the_daemon_has_stopped(self) -> None:
        """The observers are those of before."""
        before = list(self.publisher._observers)
        self.filter.start("critical")
        self.filter.stop()
        self.assertEqual(self.publisher._observers, before)
        self.assertEqual(self.log_all(), list(LOG_LEVELS))
