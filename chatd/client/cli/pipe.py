"""The screen of a script: lines in, plain lines out, one line for each event.

Prompts, menus and hints are not printed. Errors go to the error output only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.client.cli.output.style import StyledLine
from chatd.client.cli.screen import Completion, Composer, EndOfInput, InvalidLine
from chatd.client.cli.terminal.sanitize import one_line
from chatd.client.cli.unwritten import UnwrittenOutput

_MAX_QUEUED_LINES = 256
"""input lines that may be queued before reading pauses"""
MAX_LINE = 1 << 20
"""bytes of a line of the input; no request of a longer one fits into a frame of a server"""


@implementer(IHalfCloseableProtocol)
class PipeScreen(Protocol):
    """Standard input and output when they are not both a terminal; run by `stdio.StandardIO`.

    `write_error` writes a line to the error output; if it is None, errors go to the output.
    `output_closed` is called when the reader of the output has closed it.
    """

    interactive = False
    transport: Any = None

    def __init__(
        self, write_error: Callable[[str], None] | None, output_closed: Callable[[], None]
    ) -> None:
        self._write_error = write_error
        self._output_closed = output_closed
        self._partial_line = b""
        self._lines: deque[str | InvalidLine] = deque()
        self._lines_read = 0
        self._input_ended = False
        self._unwritten = UnwrittenOutput()
        self._reading_paused = False
        self._reply: Deferred[str] | None = None
        self._closing: Deferred[None] | None = None
        self._disconnected = False

    def ask(
        self, prompt: str, *, hidden: bool = False, complete: Completion | None = None
    ) -> Deferred[str]:
        """Read the next line; the prompt is not printed."""
        if self._lines:
            line = self._lines.popleft()
            self._update_reading()
            return succeed(line) if isinstance(line, str) else fail(line)
        if self._input_ended:
            return fail(EndOfInput())
        self._reply = Deferred()
        return self._reply

    def compose(self, prompt: str, composer: Composer) -> Deferred[str]:
        """Read the next line; the prompt is not printed."""
        return self.ask(prompt)

    def set_prompt(self, prompt: str) -> None:
        """Do nothing: prompts are not printed."""

    def show_styled(self, line: StyledLine) -> None:
        """Write a line without styles."""
        self._write("".join(one_line(span.text) for span in line))

    def note(self, line: str) -> None:
        """Do nothing: menus and hints are for people."""

    def show(self, line: str) -> None:
        """Write a line; a leading tab is kept."""
        tab = "\t" if line.startswith("\t") else ""
        self._write(tab + one_line(line.removeprefix("\t")))

    def show_error(self, sentence: str) -> None:
        """Write a line to the error output."""
        (self._write_error or self._write)(one_line(sentence))

    def show_message(self, sender: str, text: str) -> None:
        """Write a received message as one line."""
        self._write(f"{one_line(sender)}: {one_line(text)}")

    def show_sent(self, recipient: str, text: str) -> None:
        """Write one line for a message that is stored."""
        self._write(f"Sent to {one_line(recipient)}: {one_line(text)}")

    def end_input(self) -> None:
        """Stop reading and drop the queued lines."""
        self._lines.clear()
        self._input_ended = True
        self._answer()

    def throttle(self, source: IPushProducer) -> None:
        """Pause `source` while the reader of the output is behind."""
        self._unwritten.throttle(source)

    def written(self) -> Deferred[None]:
        """Fires when the operating system has taken all output."""
        return self._unwritten.written()

    def close(self) -> Deferred[None]:
        """Flush the output and close; fires when everything is written."""
        self._input_ended = True
        if self._disconnected or self.transport is None:
            return succeed(None)
        self._closing = Deferred()
        self._unwritten.detach()
        self.transport.loseConnection()
        return self._closing

    def connectionMade(self) -> None:
        """Write to standard output from now on."""
        self._unwritten.attach(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Queue the lines of the input."""
        if len(self._partial_line) > MAX_LINE:  # It is refused: only its end matters.
            end = data.find(b"\n")
            if end < 0:
                return
            data = data[end:]
        *lines, self._partial_line = (self._partial_line + data).split(b"\n")
        self._lines.extend(map(self._decoded, lines))
        self._answer()
        self._update_reading()

    def _decoded(self, line: bytes) -> str | InvalidLine:
        self._lines_read += 1
        if len(line) > MAX_LINE:
            return InvalidLine(self._lines_read, f"is longer than {MAX_LINE} bytes")
        try:
            return str(line, "utf-8").removesuffix("\r")
        except UnicodeDecodeError:
            return InvalidLine(self._lines_read, "is not valid UTF-8")

    def readConnectionLost(self) -> None:
        """The input has ended; a last line without a line break counts."""
        if self._partial_line:
            self.dataReceived(b"\n")
        self._input_ended = True
        self._answer()

    def writeConnectionLost(self) -> None:
        """The reader has closed the output."""
        self._disconnected = True
        self._output_closed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Input and output are closed."""
        self._disconnected = True
        if self._closing is not None:
            self._closing.callback(None)
        else:
            self.end_input()

    def _write(self, line: str) -> None:
        if self.transport is not None:
            self._unwritten.write(line.encode("utf-8", "replace") + b"\n")

    def _answer(self) -> None:
        """Complete the pending `ask`, if a line is queued or the input has ended."""
        if self._reply is not None and (self._lines or self._input_ended):
            reply, self._reply = self._reply, None
            line = self._lines.popleft() if self._lines else EndOfInput()
            if isinstance(line, str):
                reply.callback(line)
            else:
                reply.errback(line)

    def _update_reading(self) -> None:
        """Pause reading while the queue of lines is full; resume when it is half empty."""
        if self.transport is None or self._input_ended:
            return
        if not self._reading_paused and len(self._lines) > _MAX_QUEUED_LINES:
            self._reading_paused = True
            self.transport.pauseProducing()
        elif self._reading_paused and len(self._lines) < _MAX_QUEUED_LINES // 2:
            self._reading_paused = False
            self.transport.resumeProducing()
