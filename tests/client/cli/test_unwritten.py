"""Output that the operating system has not taken yet."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.internet.error import ConnectionDone
from twisted.internet.process import ProcessWriter
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.client.cli.unwritten import MAX_UNWRITTEN, UnwrittenOutput


class UnwrittenOutputTests(SynchronousTestCase):
    """`UnwrittenOutput` with a transport whose buffer the test empties."""

    def setUp(self) -> None:
        self.transport = StringTransport()
        self.output = UnwrittenOutput()
        self.output.attach(self.transport)

    def test_output_is_written_when_the_buffer_is_empty(self) -> None:
        """All that wait for it are notified."""
        self.successResultOf(self.output.written())
        self.output.write(b"hi\n")
        self.assertEqual(self.transport.value(), b"hi\n")
        first, second = self.output.written(), self.output.written()
        self.assertNoResult(first)
        self.output.resumeProducing()
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.output.written())

    def test_source_is_paused_while_too_much_waits(self) -> None:
        """It continues when everything is written."""
        source = StringTransport()
        self.output.throttle(source)
        self.output.write(bytes(MAX_UNWRITTEN))
        self.assertEqual(source.producerState, "producing")
        self.output.write(b"x")
        self.assertEqual(source.producerState, "paused")
        self.output.resumeProducing()
        self.assertEqual(source.producerState, "producing")

    def test_closed_output_is_not_written(self) -> None:
        """Nothing waits any more."""
        self.output.write(b"hi\n")
        waiting = self.output.written()
        self.output.stopProducing()
        self.assertNoResult(waiting)


class PipeTests(TestCase):
    """`UnwrittenOutput` with a pipe."""

    async def test_output_in_the_buffer_of_the_transport_is_not_written(self) -> None:
        """It is when the reader has made room for it."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        os.set_blocking(read, False)
        writer = ProcessWriter(reactor, self, "write", write)
        self.addCleanup(writer.connectionLost, Failure(ConnectionDone()))
        output = UnwrittenOutput()
        output.attach(writer)
        output.write(b"x" * 1000)
        await output.written()
        self.assertEqual(os.read(read, 2000), b"x" * 1000)
        output.write(b"x" * 200_000)
        waiting = output.written()
        writer.doWrite()
        self.assertNoResult(waiting)
        while os.read(read, 65_536) and not waiting.called:
            writer.doWrite()
        await waiting

    def childConnectionLost(self, name: str, reason: Failure) -> None:
        """The writer is closed."""
