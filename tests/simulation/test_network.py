"""The simulated network behaves as TCP does below Twisted."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.server.tracked_transport import TrackedTransport
from tests.simulation.network import Conditions, Link, Port
from tests.simulation.reactor import Schedule, SimulatedReactor


@implementer(IHalfCloseableProtocol, IPushProducer)
class Recorder(Protocol):
    """The daemon's side: records what happens to it."""

    transport: Any

    def __init__(self) -> None:
        self.data = b""
        self.events: list[str] = []
        self.reason: type[BaseException] | None = None

    def connectionMade(self) -> None:
        """See `Protocol`."""
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """See `Protocol`."""
        self.data += data

    def readConnectionLost(self) -> None:
        """See IHalfCloseableProtocol."""
        self.events.append("end of input")

    def writeConnectionLost(self) -> None:
        """See IHalfCloseableProtocol."""
        self.events.append("end of output")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `Protocol`."""
        self.reason = reason.type

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        self.events.append("pause")

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        self.events.append("resume")

    def stopProducing(self) -> None:
        """See IPushProducer."""


class Reader:
    """The client's side."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def received(self, data: bytes) -> None:
        """See `Client`."""
        self.data += data

    def disconnected(self) -> None:
        """See `Client`."""
        self.closed = True


class Links(SynchronousTestCase):
    """One link between a client and a protocol, in small and late pieces."""

    def setUp(self) -> None:
        self.schedule = Schedule()
        self.schedule.reactor = SimulatedReactor(self.schedule)
        self.protocol = Recorder()
        self.client = Reader()
        conditions = Conditions(Random(1))
        conditions.delay, conditions.piece = 0.01, 7
        conditions.send, conditions.window = 50, 30
        self.link = Link(self.schedule, conditions, self.client, 1)
        self.link.connect(Port(Factory.forProtocol(lambda: self.protocol), None))
        self.schedule.run_for(1.0)

    def test_both_directions_in_order(self) -> None:
        """All bytes arrive, in order, and the producer is paused while some wait."""
        self.link.write(bytes(range(200)))
        self.protocol.transport.write(bytes(range(200)))
        self.schedule.run_for(10.0)
        self.assertEqual((self.protocol.data, self.client.data), (bytes(range(200)),) * 2)
        self.assertEqual(self.protocol.events, ["pause", "resume"])
        self.assertIsInstance(self.protocol.transport, TrackedTransport)
        self.assertEqual(self.protocol.transport.bytes_arrived(), 200)

    def test_client_that_does_not_read(self) -> None:
        """What its buffer does not take has not arrived."""
        self.link.set_reading(False)
        self.protocol.transport.write(bytes(200))
        self.schedule.run_for(10.0)
        transport = self.protocol.transport
        self.assertEqual((transport.bytes_written(), transport.bytes_arrived()), (200, 30))
        self.assertEqual(self.protocol.events, ["pause"])
        self.link.set_reading(True)
        self.schedule.run_for(10.0)
        self.assertEqual(len(self.client.data), 200)

    def test_half_close(self) -> None:
        """The daemon can still write, then closes."""
        self.link.write(b"request")
        self.link.half_close()
        self.schedule.run_for(1.0)
        self.assertEqual((self.protocol.data, self.protocol.events), (b"request", ["end of input"]))
        self.protocol.transport.write(b"answer")
        self.protocol.transport.loseConnection()
        self.schedule.run_for(1.0)
        self.assertEqual((self.client.data, self.client.closed), (b"answer", True))
        self.assertIs(self.protocol.reason, ConnectionDone)

    def test_abort(self) -> None:
        """Both ends are closed at once."""
        self.protocol.transport.abortConnection()
        self.schedule.run_for(1.0)
        self.assertIs(self.protocol.reason, ConnectionAborted)
        self.assertTrue(self.client.closed)

    def test_break(self) -> None:
        """Nothing arrives any more, and each end notices that at its time."""
        self.link.break_off(5.0, 9.0)
        self.protocol.transport.write(b"lost")
        self.schedule.run_for(6.0)
        self.assertEqual((self.protocol.reason, self.client.closed), (ConnectionLost, False))
        self.schedule.run_for(6.0)
        self.assertEqual((self.client.data, self.client.closed), (b"", True))

    def test_killed_process(self) -> None:
        """What the kernel had taken arrives, and nothing else."""
        self.protocol.transport.write(bytes(200))
        self.link.daemon_died(machine=False)
        self.schedule.run_for(10.0)
        self.assertEqual((len(self.client.data), self.client.closed), (50, True))

    def test_jump_of_the_wall_clock(self) -> None:
        """Neither the timers nor the network follow it."""
        fired: list[float] = []
        reactor = self.schedule.reactor
        assert reactor is not None
        for jump in (90.0, -180.0):
            begin, wall = self.schedule.now, self.schedule.wall
            reactor.callLater(100.0, lambda: fired.append(self.schedule.now))
            self.schedule.set_wall_clock(jump)
            self.schedule.run_for(101.0)
            self.assertAlmostEqual(fired.pop(), begin + 100.0, 3)
            self.assertAlmostEqual(self.schedule.wall, wall + jump + 101.0, 3)
