"""The wall clock, and reactors that are given a monotonic one."""

from __future__ import annotations

import asyncio
import time

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

from chatd.core.clocks import end_to_the_minute, now, use_monotonic_clock
from tests.doubles.jumping_reactor import JUMPS, WallClockReactor


class WallClock(SynchronousTestCase):
    """`now`."""

    def test_now_is_in_milliseconds_and_follows_the_wall_clock(self) -> None:
        """Also if it is set back."""
        for seconds in (1_800_000_000.25, 1_700_000_000.0):
            self.patch(time, "time", lambda seconds=seconds: seconds)
            self.assertEqual(now(), int(seconds * 1000))


class Ends(SynchronousTestCase):
    """`end_to_the_minute`."""

    def test_end_is_rounded_up_to_the_minute(self) -> None:
        """A full minute stays."""
        for until, shown in ((0, 0), (1, 60_000), (60_000, 60_000), (60_001, 120_000)):
            self.assertEqual(end_to_the_minute(until), shown)


class MonotonicClock(SynchronousTestCase):
    """`use_monotonic_clock`, on a reactor whose clocks the test moves."""

    def setUp(self) -> None:
        self.reactor = WallClockReactor()
        self.reactor.wall = 1_800_000_000.0
        self.reactor.elapsed = 77.0
        self.calls: list[str] = []

    def use(self) -> None:
        """Make the clock monotonic."""
        use_monotonic_clock(self.reactor, lambda: self.reactor.elapsed)

    def test_timers_are_due_after_their_delay_whatever_the_wall_clock_does(self) -> None:
        """Neither earlier nor later."""
        self.use()
        for jump in JUMPS:
            self.reactor.callLater(2.0, self.calls.append, "due")
            self.reactor.wall += jump
            self.reactor.advance(1.0)
            self.assertEqual((self.calls, self.reactor.timeout()), ([], 1.0), jump)
            self.reactor.advance(1.0)
            self.assertEqual(self.calls, ["due"], jump)
            self.calls.clear()

    def test_timers_that_exist_already_stay_valid(self) -> None:
        """Those that wait, that are reset, and that are cancelled."""
        self.reactor.callLater(10.0, self.calls.append, "waits")
        later = self.reactor.callLater(10.0, self.calls.append, "reset to later")
        sooner = self.reactor.callLater(30.0, self.calls.append, "reset to sooner")
        self.reactor.advance(1.0)
        self.reactor.callLater(1.0, self.calls.append, "cancelled").cancel()
        self.use()
        self.reactor.wall -= 3600.0
        later.reset(20.0)
        sooner.reset(5.0)
        for expected in ([], ["reset to sooner", "waits"], [], [], ["reset to later"]):
            self.reactor.advance(4.5)
            self.assertEqual(self.calls, expected)
            self.calls.clear()

    def test_clock_is_made_monotonic_while_timers_run(self) -> None:
        """A timer may do it; those that are not due do not run."""
        self.reactor.callLater(1.0, self.use)
        self.reactor.callLater(2.0, self.calls.append, "later")
        self.reactor.advance(1.5)
        self.assertEqual(self.calls, [])
        self.reactor.wall -= 15.0
        self.reactor.advance(0.5)
        self.assertEqual(self.calls, ["later"])

    def test_clock_continues(self) -> None:
        """Times that were noted before remain comparable."""
        before = self.reactor.seconds()
        self.use()
        self.assertEqual(self.reactor.seconds(), before)
        self.reactor.wall += 3600.0
        self.reactor.elapsed += 1.0
        self.assertEqual(self.reactor.seconds(), before + 1.0)

    def test_reactor_with_a_clock_of_its_own_is_left_alone(self) -> None:
        """A second call must not continue from a wall clock that has jumped."""
        self.use()
        clock = self.reactor.seconds
        self.reactor.wall += 3600.0
        self.use()
        self.assertIs(self.reactor.seconds, clock)


class Reactors(SynchronousTestCase):
    """Reactors of Twisted, on the clocks of this machine."""

    def use(self, reactor: PosixReactorBase) -> None:
        """Make the clock of a reactor monotonic, and let a timer run while the wall clock of
        Twisted is an hour behind."""
        shift = 0.0
        self.patch(type(reactor), "seconds", staticmethod(lambda: time.time() + shift))
        use_monotonic_clock(reactor)
        calls: list[str] = []
        reactor.callLater(0.001, calls.append, "due")
        shift = -3600.0
        begin = time.monotonic()
        while not calls and time.monotonic() - begin < 5.0:
            reactor.iterate(0.01)
        self.assertEqual(calls, ["due"])
        reactor.removeAll()
        reactor.waker.connectionLost(None)

    def test_select(self) -> None:
        """The one that every system has."""
        self.use(SelectReactor())

    def test_epoll(self) -> None:
        """The one that Linux has."""
        reactor = EPollReactor()
        self.addCleanup(reactor._poller.close)
        self.use(reactor)

    def test_asyncio(self) -> None:
        """The one for gRPC, whose event loop has a monotonic clock of its own."""
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        self.use(AsyncioSelectorReactor(loop))
