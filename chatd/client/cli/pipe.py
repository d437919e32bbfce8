"""The screen of a script: lines in, plain lines out, one for each thing that happened.

Nothing is prompted for and no menu is shown. What was refused goes to the error output only.
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

from chatd.client.cli.output.style import Line
from chatd.client.cli.screen import Completion, EndOfInput, Writer
from chatd.client.cli.terminal.sanitize import one_line

_ENOUGH = 256
"""lines that may wait before no more are read"""


@implementer(IHalfCloseableProtocol)
class PipeScreen(Protocol):
    """Standard input and output, neither of them necessarily a terminal; run by `stdio.StandardIO`.

    `complain` writes a line to the error output; without it, refusals go where everything goes.
    When nobody reads the output any more, `lost` is called.
    """

    interactive = False
    transport: Any = None

    def __init__(self, complain: Callable[[str], None] | None, lost: Callable[[], None]) -> None:
        self._complain = complain
        self._lost = lost
        self._unfinished = b""
        self._lines: deque[str] = deque()
        self._ended = False
        self._source: IPushProducer | None = None
        self._paused = False
        self._asking: Deferred[str] | None = None
        self._closed: Deferred[None] | None = None
        self._gone = False

    def ask(
        self, prompt: str, *, hidden: bool = False, complete: Completion | None = None
    ) -> Deferred[str]:
        """The next line."""
        if self._lines:
            line = self._lines.popleft()
            self._pace()
            return succeed(line)
        if self._ended:
            return fail(EndOfInput())
        self._asking = Deferred()
        return self._asking

    def compose(self, prompt: str, writer: Writer) -> Deferred[str]:
        """The next line."""
        return self.ask(prompt)

    def reprompt(self, prompt: str) -> None:
        """Nothing is prompted for."""

    def put(self, line: Line) -> None:
        """Write a line."""
        self._write("".join(one_line(span.text) for span in line))

    def note(self, line: str) -> None:
        """Scripts need no menus and no hints."""

    def show(self, line: str) -> None:
        """Write a line; a tab at its begin is ours."""
        tab = "\t" if line.startswith("\t") else ""
        self._write(tab + one_line(line.removeprefix("\t")))

    def refuse(self, sentence: str) -> None:
        """Write a line to the error output."""
        (self._complain or self._write)(one_line(sentence))

    def message(self, sender: str, text: str) -> None:
        """Write a message as one line."""
        self._write(f"{one_line(sender)}: {one_line(text)}")

    def sent(self, recipient: str, text: str) -> None:
        """Write one line about a message that is stored."""
        self._write(f"Sent to {one_line(recipient)}: {one_line(text)}")

    def end(self) -> None:
        """Drop the lines that nobody will ask for."""
        self._lines.clear()
        self._ended = True
        self._answer()

    def throttle(self, source: IPushProducer) -> None:
        """Pause `source` while nobody reads what is written."""
        self._source = source
        if self.transport is not None:
            self.transport.registerProducer(source, True)

    def close(self) -> Deferred[None]:
        """Write what is left, and let go; fires when it is out."""
        self._ended = True
        if self._gone or self.transport is None:
            return succeed(None)
        self._closed = Deferred()
        if self._source is not None:
            self.transport.unregisterProducer()
        self.transport.loseConnection()
        return self._closed

    def dataReceived(self, data: bytes) -> None:
        """Some of the input."""
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        self._lines.extend(str(line, "utf-8", "replace").removesuffix("\r") for line in lines)
        self._answer()
        self._pace()

    def readConnectionLost(self) -> None:
        """The input has ended, perhaps in the middle of a line."""
        if self._unfinished:
            self.dataReceived(b"\n")
        self._ended = True
        self._answer()

    def writeConnectionLost(self) -> None:
        """Nobody reads the output."""
        self._gone = True
        self._lost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Both are closed."""
        self._gone = True
        if self._closed is not None:
            self._closed.callback(None)
        else:
            self.end()

    def _write(self, line: str) -> None:
        if self.transport is not None:
            self.transport.write(line.encode("utf-8", "replace") + b"\n")

    def _answer(self) -> None:
        if self._asking is not None and (self._lines or self._ended):
            asking, self._asking = self._asking, None
            if self._lines:
                asking.callback(self._lines.popleft())
            else:
                asking.errback(EndOfInput())

    def _pace(self) -> None:
        """Stop reading while enough lines wait, and go on when few do."""
        if self.transport is None or self._ended:
            return
        if not self._paused and len(self._lines) > _ENOUGH:
            self._paused = True
            self.transport.pauseProducing()
        elif self._paused and len(self._lines) < _ENOUGH // 2:
            self._paused = False
            self.transport.resumeProducing()
