"""The simulated network: ports, and connections whose bytes arrive in pieces, late, or never."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionLost

from tests.simulation.transport import ServerTransport

if TYPE_CHECKING:
    from tests.simulation.reactor import Schedule


class Client(Protocol):
    """The client's end of a link."""

    def received(self, data: bytes) -> None:
        """Bytes have been read."""

    def disconnected(self) -> None:
        """The connection is closed: nothing more arrives."""


class Port:
    """A listening port. Connections wait until it accepts."""

    def __init__(self, factory: Any, address: Any) -> None:
        self.factory = factory
        self._address = address
        self._accepting = True
        self._waiting: list[Callable[[], None]] = []
        self.listening = True

    def startListening(self) -> None:
        """Nothing to do: it listens from the beginning."""

    def startReading(self) -> None:
        """Accept connections."""
        self._accepting = True
        waiting, self._waiting = self._waiting, []
        for accept in waiting:
            accept()

    def stopReading(self) -> None:
        """Let connections wait."""
        self._accepting = False

    def stopListening(self) -> None:
        """Accept no more connections."""
        self.listening = False
        self.startReading()

    def getHost(self) -> Any:
        """See IListeningPort."""
        return self._address

    def when_accepting(self, accept: Callable[[], None]) -> None:
        """Call a function now, or as soon as the port accepts connections."""
        if self._accepting:
            accept()
        else:
            self._waiting.append(accept)


class Conditions:
    """How a link behaves; drawn once for each link, and changed by faults.

    `delay` is the greatest time in seconds that a piece takes, `piece` its greatest size, `send`
    and `window` are the sizes of the daemon's send buffer and the client's receive buffer. With
    `whole`, what the client writes arrives in one piece.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.delay = random.choice((0.0005, 0.002, 0.02, 0.3))
        self.piece = random.choice((1 << 16, 1 << 16, 200, 30, 7))
        if self.delay > 0.002:
            self.piece = max(self.piece, 2000)
        self.send = random.choice((1 << 16, 1 << 16, 4096, 300))
        self.window = random.choice((1 << 16, 1 << 16, 4096, 300))
        self.whole = False

    def recover(self) -> None:
        """Behave well from now on."""
        self.delay = 0.0005
        self.piece = self.send = self.window = 1 << 16


class Link:
    """One connection: the daemon's end is a `ServerTransport`, the other end a `Client`."""

    def __init__(
        self,
        schedule: Schedule,
        conditions: Conditions,
        client: Client,
        number: int,
        local: bool = False,
    ) -> None:
        self.schedule = schedule
        self.conditions = conditions
        self.client = client
        self.number = number
        self.local = local
        self.transport: ServerTransport | None = None
        self.reading = True
        """whether the client reads"""
        self.stalled = False
        self.broken = False
        self.client_closed = False
        """whether the client knows that the connection is closed, or has closed it"""
        self._up: list[bytes | None] = []
        self._unread: list[bytes] = []
        self._held: list[bytes | None] = []
        self._down_at = self._up_at = 0.0
        self._eof = False
        self.host = 1
        """the last number of the address of the client"""
        self.daemon_start = 0
        """which start of the daemon the link belongs to; 0 if the connection was refused"""

    @property
    def is_well(self) -> bool:
        """Whether what either end writes arrives at once."""
        return not (
            self.broken or self.stalled or self.client_closed or self.conditions.delay > 0.002
        )

    # The client's end

    def connect(self, port: Port | None) -> None:
        """Connect to a port; without one, the connection is refused."""
        if port is None or not port.listening:
            self.daemon_start = 0
            self.schedule.after(self._delay(), self._client_lost)
        else:
            self.schedule.after(
                self._delay(), lambda: port.when_accepting(lambda: self._made(port))
            )

    def _made(self, port: Port) -> None:
        if self.client_closed or self.broken:
            return
        if not port.listening:
            self.daemon_start = 0
            self._client_lost()
            return
        address: Any = IPv4Address("TCP", f"192.0.2.{self.host % 250}", 10_000 + self.number)
        if self.local:
            address = UNIXAddress("")
        protocol = port.factory.buildProtocol(address)
        if protocol is None:
            # The address is banned.
            self.daemon_start = 0
            self._client_lost()
            return
        self.transport = ServerTransport(self, protocol, address)
        protocol.makeConnection(self.transport)
        self._flush_up()

    def write(self, data: bytes) -> None:
        """The client sends bytes."""
        if not self.client_closed:
            self._up.append(data)
            self._flush_up()

    def half_close(self) -> None:
        """The client sends no more, and reads on."""
        if not self.client_closed:
            self._up.append(None)
            self._flush_up()

    def close(self) -> None:
        """The client closes the connection."""
        if not self.client_closed:
            self.client_closed = True
            self._up.append(None)
            self._flush_up()

    def set_reading(self, reading: bool) -> None:
        """Whether the client reads what arrives."""
        self.reading = reading
        if reading and not self.client_closed:
            unread, self._unread = self._unread, []
            for data in unread:
                self._read(data)
            if self._eof:
                self._client_lost()

    @property
    def unread(self) -> bytes:
        """What has arrived at the client, and the client has not read."""
        return b"".join(self._unread)

    # The network

    def _delay(self) -> float:
        return self.conditions.random.random() * self.conditions.delay

    def _flush_up(self) -> None:
        if self.transport is None or self.stalled or self.broken:
            return
        pending, self._up = self._up, []
        size, whole = self.conditions.piece, self.conditions.whole
        random = self.conditions.random
        for data in pending:
            while data is not None and data:
                cut = len(data) if whole else min(len(data), random.randint(1, size))
                self._carry_up(data[:cut])
                data = data[cut:]
            if data is None:
                self._carry_up(None)

    def _carry_up(self, piece: bytes | None) -> None:
        self._up_at = max(self.schedule.now + self._delay(), self._up_at)
        self.schedule.at(self._up_at, lambda: self._arrive_up(piece))

    def _arrive_up(self, piece: bytes | None) -> None:
        if not self.broken and self.transport is not None:
            self.transport.arrived_from_client(piece)

    def carry_down(self, data: bytes | None) -> None:
        """Carry bytes to the client, None: the end of the stream."""
        size = self.conditions.piece
        random = self.conditions.random
        if data is None:
            self._carry_down(None)
            return
        while data:
            cut = min(len(data), random.randint(1, size))
            self._carry_down(data[:cut])
            data = data[cut:]

    def _carry_down(self, piece: bytes | None) -> None:
        self._down_at = max(self.schedule.now + self._delay(), self._down_at)
        self.schedule.at(self._down_at, lambda: self._arrive_down(piece))

    def _arrive_down(self, piece: bytes | None) -> None:
        if self.broken:
            return
        if self.stalled:
            self._held.append(piece)
            return
        if piece is None:
            self._eof = True
            if self.reading or self.client_closed:
                self._client_lost()
            return
        if self.client_closed:
            # A closed socket answers data with a reset.
            self.break_off(self._delay(), 0.0)
            return
        if self.transport is not None:
            self.transport.bytes_at_client += len(piece)
        if self.reading:
            self._read(piece)
        else:
            self._unread.append(piece)
        if self.transport is not None:
            self.transport.transmit()

    def _read(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.bytes_read_by_client += len(data)
            self.transport.transmit()
        if not self.client_closed:
            self.client.received(data)

    def _client_lost(self) -> None:
        if not self.client_closed:
            self.close()
            self.client.disconnected()

    # Faults

    def break_off(self, server_notices: float, client_notices: float) -> None:
        """Nothing arrives any more; each end notices that after so many seconds."""
        if self.broken:
            return
        self.broken = True
        transport = self.transport
        if transport is not None:
            self.schedule.after(server_notices, lambda: transport.lost(ConnectionLost()))
        self.schedule.after(client_notices, self._client_lost)

    def recover(self) -> None:
        """Behave well from now on."""
        self.conditions.recover()
        self.set_reading(True)
        if self.transport is not None:
            self.transport.transmit()

    def stall(self, seconds: float) -> None:
        """Nothing arrives for so many seconds."""
        if not self.stalled:
            self.stalled = True
            self.schedule.after(seconds, self._end_stall)

    def _end_stall(self) -> None:
        self.stalled = False
        self._flush_up()
        held, self._held = self._held, []
        for piece in held:
            self._arrive_down(piece)

    def daemon_died(self, machine: bool) -> None:
        """The daemon's process is killed; with `machine`, by a failure of the whole machine.

        What the kernel had taken arrives, unless there was input that the process had not read.
        """
        transport = self.transport
        if transport is None or transport.disconnected:
            return
        transport.die()
        if machine or transport.input_waits():
            self.break_off(0.0, self._delay())
