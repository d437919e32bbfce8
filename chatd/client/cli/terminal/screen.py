"""The screen of a person: a prompt with line editing at the bottom, everything else above it.

Twisted's `insults` parses the keys. Its `recvline` is not used: it resets the terminal, and edits
neither lines that wrap nor anything but ASCII.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.conch.insults.insults import ServerProtocol, TerminalProtocol
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from chatd.client.cli.output.style import Line as StyledLine
from chatd.client.cli.output.style import painted
from chatd.client.cli.screen import Completion, EndOfInput, Writer
from chatd.client.cli.terminal import key_bindings as keys
from chatd.client.cli.terminal.prompt import Question
from chatd.client.cli.terminal.sanitize import block, one_line
from chatd.client.cli.terminal.wrap import Wrapped

_PASTE_ON = "\x1b[?2004h"
PASTE_OFF = "\x1b[?2004l"
"""ends what the terminal was asked for when the screen began"""
_ERASE_DOWN = "\x1b[J"
_CLEAR = "\x1b[H\x1b[2J"
_TAB = "    "


class Terminal(ServerProtocol):
    """The transport of a `TerminalScreen`: parses keys; unlike its parent it does not wipe what was
    said."""

    transport: Any = None

    def dataReceived(self, data: bytes) -> None:
        """Keys, a pasted text perhaps; it is drawn once."""
        super().dataReceived(data)  # type: ignore[no-untyped-call]
        if self.terminalProtocol is not None:
            self.terminalProtocol.draw()

    def loseConnection(self) -> None:
        """Close without a reset of the terminal."""
        self.transport.loseConnection()


class TerminalScreen(TerminalProtocol):
    """A terminal in raw mode; `size` gives its columns and lines, `interrupted` is called for
    Ctrl-C; `colours`: what is put there may have some.

    What is typed while nothing is asked answers the questions that follow.
    """

    interactive = True
    terminal: Terminal

    def __init__(
        self,
        size: Callable[[], tuple[int, int]],
        interrupted: Callable[[], None],
        colours: bool = False,
    ) -> None:
        self._colours = colours
        self._size = size
        self._interrupted = interrupted
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._question: Question | None = None
        self._histories: dict[str, list[str]] = {}
        self._ahead: deque[str] = deque()
        self._pasting = False
        self._after_return = False
        self._ended = False
        self._gone = False
        self._closed: Deferred[None] | None = None
        self._throttled = False
        # What stands on the screen of the question: its text, where the cursor is in it, which of
        # its rows is the topmost drawn and which one the cursor is in. None: nothing.
        self._drawn: tuple[Wrapped, int] | None = None
        self._top = 0
        self._row = 0

    def connectionMade(self) -> None:
        """The terminal is there."""
        self._write(_PASTE_ON)

    # What the conversation wants

    def ask(
        self, prompt: str, *, hidden: bool = False, complete: Completion | None = None
    ) -> Deferred[str]:
        """The next line typed, which may hold line breaks if it was pasted."""
        history = [] if hidden else self._histories.setdefault(prompt, [])
        return self._begin(Question(prompt, history, hidden, complete))

    def compose(self, prompt: str, writer: Writer) -> Deferred[str]:
        """The same, for a line of a conversation."""
        history = self._histories.setdefault("", [])
        return self._begin(Question(prompt, history, writer=writer))

    def reprompt(self, prompt: str) -> None:
        """Change the prompt of the line that is being composed."""
        question = self._question
        if question is not None and question.writer is not None and question.prompt != prompt:
            question.prompt = prompt
            self.draw()

    def put(self, line: StyledLine) -> None:
        """Show a line, in colours if there are any."""
        style = painted if self._colours else lambda text, _: text
        self._print("".join(style(block(span.text), span.style) for span in line))

    def note(self, line: str) -> None:
        """Show a line."""
        self._print(one_line(line))

    def show(self, line: str) -> None:
        """Show a line; a tab at its begin is ours."""
        tab = "\t" if line.startswith("\t") else ""
        self._print(tab + one_line(line.removeprefix("\t")))

    def refuse(self, sentence: str) -> None:
        """Show a line."""
        self._print(one_line(sentence))

    def message(self, sender: str, text: str) -> None:
        """Show a message, with its sender above and an empty line below."""
        self._print(f"New message from {one_line(sender)}: \n{block(text)}\n")

    def sent(self, recipient: str, text: str) -> None:
        """Show a message that was sent, in the same form."""
        self._print(f"Sent to {one_line(recipient)}: \n{block(text)}\n")

    def end(self) -> None:
        """Read no more."""
        self._ended = True
        question = self._question
        if question is not None:
            self._dismiss()
            question.reply.errback(EndOfInput())

    def throttle(self, source: IPushProducer) -> None:
        """Pause `source` while the terminal is behind."""
        self._throttled = True
        self.terminal.transport.registerProducer(source, True)

    # What the program wants

    def resized(self) -> None:
        """The terminal has another size: draw the question anew."""
        if self._drawn is not None:
            wrapped, cursor = self._drawn
            # Terminals wrap what is on them anew as well, so the cursor is where it would be now.
            again = Wrapped(wrapped.text, self._size()[0])
            self._row = max(again.place(cursor)[0] - again.place(wrapped.rows[self._top])[0], 0)
            self._erase()
        self.draw()

    def close(self) -> Deferred[None]:
        """Write what is left, and let go; fires when it is out."""
        self.end()
        if self._gone:
            return succeed(None)
        self._closed = Deferred()
        self._write(PASTE_OFF)
        if self._throttled:
            self.terminal.transport.unregisterProducer()
        self.terminal.loseConnection()
        return self._closed

    # What the terminal tells

    def keystrokeReceived(self, keyID: bytes, modifier: bytes | None) -> None:
        """A key, or one byte of a character."""
        name = keys.named(keyID, modifier)
        if name == keys.INTERRUPT:
            self._dismiss()
            self._interrupted()
        elif self._pasting:
            self._paste(keyID)
        elif name is not None:
            self._press(name)
        else:
            self._type(keyID)

    def unhandledControlSequence(self, seq: bytes) -> None:
        """A key that insults does not know, or an end of what is pasted."""
        if seq in (keys.PASTE_BEGINS, keys.PASTE_ENDS):
            self._pasting = seq == keys.PASTE_BEGINS
            self._after_return = False
            return
        name = keys.sequence(seq)
        if name is not None and not self._pasting:
            self._press(name)

    def connectionLost(self, reason: Failure) -> None:
        """The terminal is gone."""
        self._gone = True
        if self._closed is not None:
            self._closed.callback(None)
        else:
            self.end()

    # Keys

    def _begin(self, question: Question) -> Deferred[str]:
        """Ask, unless nobody can answer any more."""
        if self._ended:
            return fail(EndOfInput())
        question.reply = Deferred(lambda _: self._dismiss())
        self._question = question
        while self._ahead and self._question is question:
            self._press(self._ahead.popleft())
        self.draw()
        return question.reply

    def _type(self, key: bytes) -> None:
        """One byte of a character; of function keys without a meaning nothing."""
        if len(key) == 1:
            for char in self._decoder.decode(key):
                if char.isprintable():
                    self._press(char)

    def _paste(self, key: bytes) -> None:
        """One byte of a pasted text: its line breaks end no line, its control characters mean
        nothing."""
        if key == b"\r" or (key == b"\n" and not self._after_return):
            self._press("\n")
        elif key == b"\t":
            for blank in _TAB:
                self._press(blank)
        else:
            self._type(key)
        self._after_return = key == b"\r"

    def _press(self, key: str) -> None:
        """The name of a key, or a character."""
        question = self._question
        if question is None:
            self._ahead.append(key)
            return
        if len(key) == 1:
            if key != "\n" or not question.hidden:
                question.line.insert(key)
        elif key == keys.ENTER:
            self._enter(question)
            return
        elif key == keys.END and not question.line.text:
            self.end()
            return
        elif key == keys.CLEAR:
            self._write(_CLEAR)
            self._drawn = None
        elif key == keys.COMPLETE:
            self._complete(question)
        else:
            keys.EDITS[key](question.line)
        if question.writer is not None:
            question.writer.typed(question.line.text)

    def _enter(self, question: Question) -> None:
        """The line is complete."""
        text = question.line.enter().rstrip("\n")
        if question.writer is not None and not question.writer.keeps(text):
            self._erase()
            self._question = None
        self._dismiss()
        question.reply.callback(text)

    def _complete(self, question: Question) -> None:
        """Complete as far as there is one way to go on; else show the ways there are."""
        line = question.line
        before = line.text[: line.cursor]
        found = question.complete(before) if question.complete else []
        found = [text for text in found if text.isprintable()]
        common = _common_begin(found)
        if len(found) == 1 or len(common) > len(before):
            line.replace(common)
        elif found:
            self._print("  ".join(text.split()[-1] for text in found))

    # Drawing

    def draw(self) -> None:
        """Show the question as it is now, with the cursor in its place."""
        if self._question is None or self._gone:
            return
        text, cursor = self._question.drawn()
        width, height = self._size()
        wrapped = Wrapped(text, width)
        if self._drawn is not None:
            old, stood = self._drawn
            if (
                old.width == width
                and len(wrapped.rows) == len(old.rows)
                and text.startswith(old.text)
            ):
                if stood == cursor and text == old.text:
                    return
                if stood == len(old.text) and cursor == len(text):
                    self._write(text[stood:])
                    self._drawn = wrapped, cursor
                    return
            self._erase()
        rows = len(wrapped.rows)
        room = max(height - 1, 1)
        row, column = wrapped.place(cursor)
        top = max(min(row - room // 2, rows - room), 0)
        bottom = min(top + room, rows)
        # At the margin a terminal waits for the next character before it wraps: give it one.
        margin = " " if bottom == rows and wrapped.full else ""
        self._write(
            wrapped.slice(top, bottom) + margin + _up(bottom - 1 - row) + "\r" + _right(column)
        )
        self._drawn = wrapped, cursor
        self._top = top
        self._row = row - top

    def _erase(self) -> None:
        """Take the question off the screen."""
        if self._drawn is not None:
            self._write("\r" + _up(self._row) + _ERASE_DOWN)
            self._drawn = None

    def _dismiss(self) -> None:
        """The question is over: leave it on the screen and go below it."""
        if self._question is not None:
            self._question.line.end()
            self.draw()
            if self._drawn is not None and not self._drawn[0].full:
                self._write("\n")
            self._question = None
            self._drawn = None

    def _print(self, text: str) -> None:
        """Put a text above the question."""
        self._erase()
        self._write(text + "\n")
        self.draw()

    def _write(self, text: str) -> None:
        if not self._gone:
            self.terminal.write(text.encode("utf-8", "replace"))  # type: ignore[no-untyped-call]


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows else ""


def _right(columns: int) -> str:
    return f"\x1b[{columns}C" if columns else ""


def _common_begin(texts: list[str]) -> str:
    """What all of `texts` begin with."""
    first, last = min(texts, default=""), max(texts, default="")
    same = next(
        (at for at, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), None
    )
    return first[:same] if same is not None else first[: len(last)]
