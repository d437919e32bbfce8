"""The daemon's signals: stopping, and reading certificates again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.signals import reload_on_signal, stop_on_signals
from chatd.server.tls import Certificate


class RecordingReactor:
    """A reactor that calls functions from signal handlers when the test says so."""

    def __init__(self) -> None:
        self.queued: list[Callable[[], Any]] = []
        self.stops = 0

    def callFromThread(self, function: Callable[[], Any]) -> None:
        """Queue a call, as a signal handler must do it."""
        self.queued.append(function)

    def stop(self) -> None:
        """Count the call."""
        self.stops += 1

    def run(self) -> None:
        """Make the queued calls."""
        queued, self.queued = self.queued, []
        for function in queued:
            function()


class RecordingCertificate:
    """A certificate that counts how often it is read again."""

    reloads = 0

    def reload(self) -> None:
        """Count the call."""
        self.reloads += 1


class SignalTests(SynchronousTestCase):
    """This process gets the signals; its own handlers are restored."""

    def setUp(self) -> None:
        self.reactor = RecordingReactor()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def test_sigterm_and_sigint_stop_the_reactor(self) -> None:
        """The call is made in the reactor's thread, not in the signal handler."""
        for number in (signal.SIGTERM, signal.SIGINT):
            reactor = RecordingReactor()
            stop_on_signals(reactor)
            signal.raise_signal(number)
            self.assertEqual(reactor.stops, 0, number)
            reactor.run()
            self.assertEqual(reactor.stops, 1, number)

    def test_further_signals_are_ignored_while_stopping(self) -> None:
        """A reactor that stops cannot be stopped again."""
        stop_on_signals(self.reactor)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
        self.reactor.run()
        self.assertEqual(self.reactor.stops, 1)

    def test_sighup_reads_every_certificate_again(self) -> None:
        """Each time; the daemon continues."""
        certificates = [RecordingCertificate(), RecordingCertificate()]
        reload_on_signal(self.reactor, cast("list[Certificate]", certificates))
        for count in (1, 2):
            signal.raise_signal(signal.SIGHUP)
            self.reactor.run()
            self.assertEqual([certificate.reloads for certificate in certificates], [count] * 2)
        self.assertEqual(self.reactor.stops, 0)
