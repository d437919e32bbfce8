"""The reactor of a simulated daemon, and the schedule that it shares with everything around it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import Clock
from twisted.logger import Logger
from zope.interface import implementer

from tests.simulation.network import Port
from tests.simulation.work import Work

logger = Logger(namespace="tests.simulation")

LONGEST_TURN = 0.1
"""the seconds for which the daemon may work without returning to the reactor"""
_CLOCK_COST = 20e-6
"""the seconds that the daemon works between two looks at the clock: about a simple request"""
_EPOCH = 1_800_000_000.0
"""the wall clock at the beginning, in seconds since 1970"""


@implementer(IReactorTime, IReactorFromThreads)
class SimulatedReactor(Clock):
    """A reactor whose calls are made by a `Schedule`.

    Its clock is monotonic, as `chatd.core.clocks.use_monotonic_clock` makes that of the daemon.
    """

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule
        self.thread_calls: deque[tuple[Callable[..., Any], Any, Any]] = deque()
        self.ports: list[Port] = []
        self.stopped = False

    def seconds(self) -> float:
        """See IReactorTime. Time passes while the daemon works: a little each time that it asks."""
        self._schedule.now += _CLOCK_COST
        return self._schedule.now

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """See IReactorFromThreads."""
        self.thread_calls.append((callable, args, kwargs))

    def callWhenRunning(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """See IReactorCore; the reactor is running from its first turn on."""
        self.thread_calls.append((callable, args, kwargs))

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        """See IReactorTCP. The number of the port identifies it among those of the daemon."""
        listening = Port(factory, IPv4Address("TCP", interface or "127.0.0.1", port))
        self.ports.append(listening)
        return listening

    def stop(self) -> None:
        """See IReactorCore."""
        self.stopped = True

    def run_thread_calls(self) -> None:
        """Make the calls that threads have requested."""
        while self.thread_calls:
            function, args, kwargs = self.thread_calls.popleft()
            self.guarded(function, *args, **kwargs)

    def run_timer(self) -> None:
        """Make the call of the next timer."""
        call = self.calls.pop(0)
        call.called = 1
        self.guarded(call.func, *call.args, **call.kw)

    def guarded(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a function as a reactor does: an error is logged."""
        work = self._schedule.work
        work.begin()
        try:
            function(*args, **kwargs)
        except Exception:
            logger.failure("An error reached the reactor")
        finally:
            work.end()


class Schedule:
    """What happens next, on the network, on disks, in threads and at the timers of the daemon.

    `now` is the monotonic time in seconds, `wall` the wall clock, which can be set; `counts_work`
    is whether the calls of functions are counted, which takes time.
    """

    def __init__(self, counts_work: bool = True) -> None:
        self.now = 0.0
        self._offset = _EPOCH
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.reactor: SimulatedReactor | None = None
        self.turns = 0
        self.on_turn: Callable[[], None] = lambda: None
        self.work = Work(counts_work)
        self.on_long_turn: Callable[[float], None] = lambda work: None
        """called with the work of a turn that has delayed everything else for too long"""

    @property
    def wall(self) -> float:
        """The wall clock, in seconds since 1970."""
        return self.now + self._offset

    def set_wall_clock(self, seconds: float) -> None:
        """Let the wall clock jump by so many seconds."""
        self._offset += seconds

    def after(self, delay: float, function: Callable[[], None]) -> None:
        """Call a function after so many seconds of monotonic time."""
        self.at(self.now + delay, function)

    def at(self, time: float, function: Callable[[], None]) -> None:
        """Call a function at a monotonic time; those of one time in the order of these calls."""
        self._count += 1
        heappush(self._events, (time, self._count, function))

    def run_for(self, seconds: float) -> None:
        """Let everything happen that is due within so many seconds."""
        end = self.now + seconds
        events = self._events
        self.on_turn()
        while True:
            reactor = self.reactor
            timer = inf
            if reactor is not None:
                if reactor.thread_calls:
                    self._turn(reactor.run_thread_calls)
                    continue
                if reactor.calls:
                    timer = max(self.now, reactor.calls[0].getTime())
            event = events[0][0] if events else inf
            if event <= end and event <= timer:
                if event > self.now:
                    self.now = event
                self._turn(heappop(events)[2])
            elif timer <= end:
                assert reactor is not None
                self.now = timer
                self._turn(reactor.run_timer)
            else:
                break
        self.now = max(self.now, end)

    def _turn(self, function: Callable[[], None]) -> None:
        self.turns += 1
        if self.turns > 400_000:
            raise RuntimeError("the simulation does not come to rest")
        self.work.begin_turn()
        function()
        seconds = self.work.seconds
        if seconds > LONGEST_TURN:
            self.on_long_turn(seconds)
        self.on_turn()
