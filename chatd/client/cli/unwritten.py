"""The output that the operating system has not taken yet: when it is written, and back-pressure."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

MAX_UNWRITTEN = 65_536
"""bytes that may wait to be written before a throttled source is paused"""


@implementer(IPullProducer)
class UnwrittenOutput:
    """Writes to a transport, and knows when everything is written.

    A transport buffers what the reader of the output has no room for. As the transport's pull
    producer, this object is notified whenever the buffer has become empty.
    """

    def __init__(self) -> None:
        self._transport: Any = None
        self._size = 0
        self._waiters: list[Deferred[None]] = []
        self._source: IPushProducer | None = None
        self._source_paused = False

    def attach(self, transport: Any) -> None:
        """Write to this transport."""
        self._transport = transport
        transport.registerProducer(self, False)

    def detach(self) -> None:
        """Let the transport close when its buffer is empty."""
        self._transport.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Write to the transport, and pause the source if too much waits."""
        self._size += len(data)
        self._transport.write(data)
        if self._source is not None and self._size > MAX_UNWRITTEN and not self._source_paused:
            self._source_paused = True
            self._source.pauseProducing()

    def written(self) -> Deferred[None]:
        """Fires when the operating system has taken all output."""
        if not self._size:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def throttle(self, source: IPushProducer) -> None:
        """Pause `source`, which produces most of the output, while too much waits."""
        self._source = source

    def resumeProducing(self) -> None:
        """The buffer of the transport is empty."""
        self._size = 0
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)
        if self._source is not None and self._source_paused and not self._size:
            self._source_paused = False
            self._source.resumeProducing()

    def stopProducing(self) -> None:
        """The output is closed: what waits is lost, and `written` does not fire."""
