"""The daemon's end of a simulated connection, with the buffers of its kernel."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from tests.simulation.network import Link

_READ_SIZE = 65_536


class _Socket:
    """The socket of a connection, as far as the daemon asks it: it has no options of TCP, and tells
    who the operator at the admin socket is."""

    family = socket.AF_UNIX

    def __init__(self) -> None:
        self.credentials = struct.pack("3i", 1, 0, 0)

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        """See socket.socket."""
        assert option == socket.SO_PEERCRED
        return self.credentials


@implementer(ITransport)
class ServerTransport:
    """The daemon's end of a link: a `TrackedTransport` that behaves as Twisted's TCP transport."""

    def __init__(self, link: Link, protocol: Any, peer: Any) -> None:
        self.protocol = protocol
        self.socket = _Socket()
        self._link = link
        self._peer = peer
        self._buffer = b""
        self._inbox: list[bytes | None] = []
        self._reading = True
        self._read_scheduled = False
        self._taken = 0
        self._sent = 0
        self._kernel = b""
        self.bytes_at_client = 0
        self.bytes_read_by_client = 0
        self._producer: Any = None
        self._producer_paused = False
        self._write_closing = self._write_closed = False
        self.disconnecting = False
        self.disconnected = False
        self._aborting = False
        self._dead = False
        # Whether the kernel sends the end of the stream after what it has taken.
        self._finishing = False
        self._watches_window = True
        self._arrived_at_end: int | None = None
        self._write_scheduled = False

    # Input

    def arrived_from_client(self, data: bytes | None) -> None:
        """Bytes have arrived in the kernel; None: the end of the stream."""
        if not self.disconnected and not self._dead:
            self._inbox.append(data)
            self._schedule_read()

    def _schedule_read(self) -> None:
        if self._reading and self._inbox and not self._read_scheduled:
            self._read_scheduled = True
            self._link.schedule.after(0.0, self._read)

    def _read(self) -> None:
        self._read_scheduled = False
        if not self._reading or self.disconnected or self._dead or not self._inbox:
            return
        if self._inbox[0] is None:
            # Reading again finds the end again.
            self._reading = False
            half_close = IHalfCloseableProtocol(self.protocol, None)
            if half_close is None:
                self._guard(lambda: self._connection_lost(ConnectionDone()))
            else:
                self._guard(half_close.readConnectionLost)
            return
        parts: list[bytes] = []
        size = 0
        while self._inbox and self._inbox[0] is not None and size < _READ_SIZE:
            part = self._inbox.pop(0)
            assert part is not None
            parts.append(part)
            size += len(part)
        data = b"".join(parts)
        self._link.schedule.work.transfer(len(data))
        self._guard(lambda: self.protocol.dataReceived(data))
        self._schedule_read()

    def _guard(self, function: Callable[[], Any]) -> None:
        """Call the protocol as a reactor does: an error ends the connection, and is logged."""
        reactor = self._link.schedule.reactor
        assert reactor is not None
        failed: list[bool] = []

        def guarded() -> None:
            try:
                function()
            except Exception:
                failed.append(True)
                raise

        reactor.guarded(guarded)
        if failed:
            self.lost(ConnectionLost())

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        self._reading = False

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        if not self.disconnected and not self.disconnecting:
            self._reading = True
            self._schedule_read()

    # Output

    def write(self, data: bytes) -> None:
        """See ITransport."""
        if self.disconnected or self._dead or self._write_closed or self._aborting or not data:
            return
        self._link.schedule.work.transfer(len(data))
        self._buffer += data
        self._fill_kernel()
        if self._buffer or (self._watches_window and self._kernel):
            self._schedule_write()
            if self._producer is not None and not self._producer_paused:
                self._producer_paused = True
                self._producer.pauseProducing()

    def writeSequence(self, parts: Any) -> None:
        """See ITransport."""
        self.write(b"".join(parts))

    def _fill_kernel(self) -> None:
        room = self._link.conditions.send - (self._taken - self.bytes_at_client)
        if room > 0 and self._buffer:
            part, self._buffer = self._buffer[:room], self._buffer[room:]
            self._taken += len(part)
            self._kernel += part
        self.transmit()

    def transmit(self) -> None:
        """Send what the client's window permits."""
        if self._kernel:
            room = self._link.conditions.window - (self._sent - self.bytes_read_by_client)
            if room > 0:
                part, self._kernel = self._kernel[:room], self._kernel[room:]
                self._sent += len(part)
                self._link.carry_down(part)
        if self._finishing and not self._kernel:
            self._finishing = False
            self._link.carry_down(None)
        if not self._dead:
            self._schedule_write()

    def _schedule_write(self) -> None:
        closing = self.disconnecting or (self._write_closing and not self._write_closed)
        waits = self._buffer or self._producer_paused or closing
        if waits and not (self._write_scheduled or self.disconnected or self._aborting):
            full = self._taken - self.bytes_at_client >= self._link.conditions.send
            if full if self._buffer else self._kernel:
                return
            self._write_scheduled = True
            self._link.schedule.after(0.0, self._writable)

    def _writable(self) -> None:
        """The kernel can take more: as `FileDescriptor.doWrite` does."""
        self._write_scheduled = False
        if self.disconnected or self._dead or self._aborting:
            return
        self._fill_kernel()
        if self._buffer or self._kernel:
            return
        if self._producer is not None and self._producer_paused:
            self._producer_paused = False
            self._guard(self._producer.resumeProducing)
            return
        if self.disconnecting:
            self._guard(lambda: self._connection_lost(ConnectionDone()))
        elif self._write_closing and not self._write_closed:
            self._write_closed = True
            self._link.carry_down(None)
            half_close = IHalfCloseableProtocol(self.protocol, None)
            if half_close is not None:
                self._guard(half_close.writeConnectionLost)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See IConsumer."""
        if self.disconnected:
            producer.stopProducing()
        else:
            self._producer = producer

    def unregisterProducer(self) -> None:
        """See IConsumer."""
        self._producer = None
        self._producer_paused = False
        self._schedule_write()

    # Closing

    def loseConnection(self) -> None:
        """See ITransport."""
        if self.disconnected or self.disconnecting or self._dead:
            return
        self._reading = False
        self.disconnecting = True
        self._schedule_write()

    def loseWriteConnection(self) -> None:
        """See IHalfCloseableDescriptor."""
        self._write_closing = True
        self._schedule_write()

    def abortConnection(self) -> None:
        """See IAbortableTransport."""
        if self.disconnected or self._aborting or self._dead:
            return
        self._aborting = True
        self._reading = False
        reactor: Any = self._link.schedule.reactor
        reactor.callLater(0, self._connection_lost, ConnectionAborted())

    def lost(self, reason: Exception) -> None:
        """The kernel reports that the connection is lost."""
        if not self.disconnected and not self._dead:
            self._guard(lambda: self._connection_lost(reason))

    def _connection_lost(self, reason: Exception) -> None:
        if self.disconnected:
            return
        reset = isinstance(reason, ConnectionAborted) or self.input_waits()
        self._arrived_at_end = self.bytes_at_client
        self.disconnected = True
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        if reset:
            self._link.break_off(0.0, self._link._delay())
        elif not self._write_closed:
            self._finishing = True
            self.transmit()
        self.protocol.connectionLost(Failure(reason))

    def die(self) -> None:
        """The process is killed: what it had not given to the kernel is lost."""
        self._dead = True
        self._buffer = b""
        self._finishing = not self._write_closed
        self.transmit()

    # What has arrived (`TrackedTransport`)

    def bytes_written(self) -> int:
        """See `TrackedTransport`."""
        return self._taken + len(self._buffer)

    def bytes_sent(self) -> int:
        """See `TrackedTransport`."""
        return self._sent

    def bytes_arrived(self) -> int:
        """See `TrackedTransport`."""
        return self.bytes_at_client if self._arrived_at_end is None else self._arrived_at_end

    def longest_read(self) -> int:
        """See `TrackedTransport`."""
        return _READ_SIZE

    def input_waits(self) -> bool:
        """See `TrackedTransport`."""
        return any(part is not None for part in self._inbox)

    def close_resets(self) -> bool:
        """See `TrackedTransport`."""
        return self.input_waits()

    def hung_up(self) -> bool:
        """See `TrackedTransport`."""
        return self.disconnected or None in self._inbox

    def watch_window(self, watch: bool) -> None:
        """See `TrackedTransport`."""
        self._watches_window = watch

    def getHandle(self) -> _Socket:
        """See ISystemHandle."""
        return self.socket

    def getPeer(self) -> Any:
        """See ITransport."""
        return self._peer

    def getHost(self) -> Any:
        """See ITransport."""
        return IPv4Address("TCP", "127.0.0.1", 65432)
