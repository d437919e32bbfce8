"""The screen of a person: a prompt with line editing at the bottom, all output above it.

Twisted's `insults` parses the keys. Its `recvline` is not used: it resets the terminal and can
edit neither lines that wrap nor text that is not ASCII.
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

from chatd.client.cli.output.style import StyledLine, styled_text
from chatd.client.cli.screen import Completion, Composer, EndOfInput
from chatd.client.cli.terminal import key_bindings as keys
from chatd.client.cli.terminal.prompt import Prompt
from chatd.client.cli.terminal.sanitize import block, one_line
from chatd.client.cli.terminal.wrap import Wrapped
from chatd.client.cli.unwritten import UnwrittenOutput

_PASTE_ON = "\x1b[?2004h"
PASTE_OFF = "\x1b[?2004l"
"""switches off the bracketed paste mode that the screen switches on"""
_ERASE_DOWN = "\x1b[J"
_CLEAR = "\x1b[H\x1b[2J"
_TAB = "    "


class Terminal(ServerProtocol):
    """The transport of a `TerminalScreen`: parses keys, and finds pasted texts by the marks around
    them. Unlike its parent it does not clear the terminal when it closes."""

    transport: Any = None
    _pasting = False
    _partial_mark = b""

    def dataReceived(self, data: bytes) -> None:
        """Handle keys and pasted texts, and draw the prompt once."""
        data = self._partial_mark + data
        self._partial_mark = b""
        while data:
            mark = keys.PASTE_END if self._pasting else keys.PASTE_START
            before, found, data = data.partition(mark)
            if not found:
                before, self._partial_mark = _split_partial(before, mark)
            if self._pasting:
                self.terminalProtocol.paste(before, bool(found))  # type: ignore[union-attr]
            else:
                super().dataReceived(before)  # type: ignore[no-untyped-call]
            if found:
                self._pasting = not self._pasting
                self.state = b"data"  # ESC before the mark changes no key after it.
        if self.terminalProtocol is not None:
            self.terminalProtocol.draw()

    def loseConnection(self) -> None:
        """Close without resetting the terminal."""
        self.transport.loseConnection()


class TerminalScreen(TerminalProtocol):
    """A terminal in raw mode.

    `size` returns its columns and lines, `interrupted` is called for Ctrl-C, and `colours` tells
    whether styled lines are printed in colour. Keys typed while there is no prompt answer the
    prompts that follow.
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
        self._prompt: Prompt | None = None
        self._histories: dict[str, list[str]] = {}
        self._typed_ahead: deque[str] = deque()
        self._after_carriage_return = False
        self._input_ended = False
        self._disconnected = False
        self._closing: Deferred[None] | None = None
        self._unwritten = UnwrittenOutput()
        # What is drawn of the prompt: its text and the index of the cursor in it (None: nothing is
        # drawn), the first row drawn, and the cursor's row below that.
        self._drawn: tuple[Wrapped, int] | None = None
        self._top_row = 0
        self._cursor_row = 0

    def connectionMade(self) -> None:
        """Switch on bracketed paste."""
        self._unwritten.attach(self.terminal.transport)
        self._write(_PASTE_ON)

    # Screen

    def ask(
        self, prompt: str, *, hidden: bool = False, complete: Completion | None = None
    ) -> Deferred[str]:
        """Read one line, which contains line breaks if a text with line breaks was pasted."""
        history = [] if hidden else self._histories.setdefault(prompt, [])
        return self._start(Prompt(prompt, history, hidden, complete))

    def compose(self, prompt: str, composer: Composer) -> Deferred[str]:
        """Read one line of a conversation, with the history of all conversations."""
        history = self._histories.setdefault("", [])
        return self._start(Prompt(prompt, history, composer=composer))

    def set_prompt(self, prompt: str) -> None:
        """Change the prompt of the line that is being composed."""
        current = self._prompt
        if current is not None and current.composer is not None and current.text != prompt:
            current.text = prompt
            self.draw()

    def show_styled(self, line: StyledLine) -> None:
        """Print a line, in colours if they are wanted."""
        style = styled_text if self._colours else lambda text, _: text
        self._print("".join(style(block(span.text), span.style) for span in line))

    def note(self, line: str) -> None:
        """Print a line."""
        self._print(one_line(line))

    def show(self, line: str) -> None:
        """Print a line; a leading tab is kept."""
        tab = "\t" if line.startswith("\t") else ""
        self._print(tab + one_line(line.removeprefix("\t")))

    def show_error(self, sentence: str) -> None:
        """Print a line."""
        self._print(one_line(sentence))

    def show_message(self, sender: str, text: str) -> None:
        """Print a received message, with its sender above and an empty line below."""
        self._print(f"New message from {one_line(sender)}: \n{block(text)}\n")

    def show_sent(self, recipient: str, text: str) -> None:
        """Print a sent message, with its recipient above and an empty line below."""
        self._print(f"Sent to {one_line(recipient)}: \n{block(text)}\n")

    def end_input(self) -> None:
        """Stop reading."""
        self._input_ended = True
        prompt = self._prompt
        if prompt is not None:
            self._finish_prompt()
            prompt.reply.errback(EndOfInput())

    def throttle(self, source: IPushProducer) -> None:
        """Pause `source` while the terminal is behind."""
        self._unwritten.throttle(source)

    def written(self) -> Deferred[None]:
        """Fires when the terminal has taken all output."""
        return self._unwritten.written()

    # Called by the process

    def resized(self) -> None:
        """The terminal has a new size: draw the prompt again."""
        if self._drawn is not None:
            wrapped, cursor = self._drawn
            # Terminals wrap their content again, so the cursor is where the new width puts it.
            rewrapped = Wrapped(wrapped.text, self._size()[0])
            top_row = rewrapped.position(wrapped.rows[self._top_row])[0]
            self._cursor_row = max(rewrapped.position(cursor)[0] - top_row, 0)
            self._erase()
        self.draw()

    def continued(self) -> None:
        """The process was stopped, and goes on: draw the prompt again below what others wrote."""
        self._write(_PASTE_ON)
        self._drawn = None
        self.draw()

    def close(self) -> Deferred[None]:
        """Flush the output and close; fires when everything is written."""
        self.end_input()
        if self._disconnected:
            return succeed(None)
        self._closing = Deferred()
        self._write(PASTE_OFF)
        self._unwritten.detach()
        self.terminal.loseConnection()
        return self._closing

    # Called by insults

    def keystrokeReceived(self, keyID: bytes, modifier: bytes | None) -> None:
        """Handle a key, or one byte of a character."""
        action = keys.key_action(keyID, modifier)
        if action == keys.INTERRUPT:
            self._finish_prompt()
            self._interrupted()
        elif action is not None:
            self._press(action)
        else:
            self._type(keyID)

    def unhandledControlSequence(self, seq: bytes) -> None:
        """Handle a key that insults does not parse."""
        action = keys.sequence_action(seq)
        if action is not None:
            self._press(action)

    def paste(self, data: bytes, ended: bool) -> None:
        """Insert a part of a pasted text, the last one if `ended`: line breaks do not enter the
        line, and control characters are ignored."""
        text = self._decoder.decode(data, ended)
        if self._after_carriage_return:
            text = text.removeprefix("\n")
        if data or ended:
            self._after_carriage_return = not ended and data.endswith(b"\r")
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", _TAB)
        text = "".join(char for char in text if char == "\n" or char.isprintable())
        prompt = self._prompt
        if prompt is None:
            self._typed_ahead.extend(text)
        elif text:
            prompt.editor.insert(text.replace("\n", "") if prompt.hidden else text)
            if prompt.composer is not None:
                prompt.composer.text_changed(prompt.editor.text)

    def connectionLost(self, reason: Failure) -> None:
        """The terminal is closed."""
        self._disconnected = True
        if self._closing is not None:
            self._closing.callback(None)
        else:
            self.end_input()

    # Keys

    def _start(self, prompt: Prompt) -> Deferred[str]:
        """Show a prompt and apply the keys typed ahead; fails if the input has ended."""
        if self._input_ended:
            return fail(EndOfInput())
        prompt.reply = Deferred(lambda _: self._finish_prompt())
        self._prompt = prompt
        while self._typed_ahead and self._prompt is prompt:
            self._press(self._typed_ahead.popleft())
        self.draw()
        return prompt.reply

    def _type(self, key: bytes) -> None:
        """Handle one byte of a character; unbound function keys are ignored."""
        if len(key) == 1:
            for char in self._decoder.decode(key):
                if char.isprintable():
                    self._press(char)

    def _press(self, key: str) -> None:
        """Apply an action, or a character, to the prompt; keep it if there is none."""
        prompt = self._prompt
        if prompt is None:
            self._typed_ahead.append(key)
            return
        if len(key) == 1:
            if key != "\n" or not prompt.hidden:
                prompt.editor.insert(key)
        elif key == keys.ENTER:
            self._enter(prompt)
            return
        elif key == keys.END and not prompt.editor.text:
            self.end_input()
            return
        elif key == keys.CLEAR:
            self._write(_CLEAR)
            self._drawn = None
        elif key == keys.COMPLETE:
            self._complete(prompt)
        else:
            keys.EDITS[key](prompt.editor)
        if prompt.composer is not None:
            prompt.composer.text_changed(prompt.editor.text)

    def _enter(self, prompt: Prompt) -> None:
        """Finish the prompt and pass its line on."""
        text = prompt.editor.enter().rstrip("\n")
        if prompt.composer is not None and not prompt.composer.stays_on_screen(text):
            self._erase()
            self._prompt = None
        self._finish_prompt()
        prompt.reply.callback(text)

    def _complete(self, prompt: Prompt) -> None:
        """Insert what all completions have in common; if that is nothing, list them."""
        editor = prompt.editor
        before = editor.text[: editor.cursor]
        completions = prompt.complete(before) if prompt.complete else []
        completions = [text for text in completions if text.isprintable()]
        prefix = _common_prefix(completions)
        if len(completions) == 1 or len(prefix) > len(before):
            editor.replace(prefix)
        elif completions:
            self._print("  ".join(text.split()[-1] for text in completions))

    # Drawing

    def draw(self) -> None:
        """Draw the prompt with its line and its cursor; write only what has changed."""
        if self._prompt is None or self._disconnected:
            return
        text, cursor = self._prompt.content()
        width, height = self._size()
        wrapped = Wrapped(text, width)
        if self._drawn is not None:
            old, old_cursor = self._drawn
            if (
                old.width == width
                and len(wrapped.rows) == len(old.rows)
                and text.startswith(old.text)
            ):
                if old_cursor == cursor and text == old.text:
                    return
                if old_cursor == len(old.text) and cursor == len(text):
                    self._write(text[old_cursor:])
                    self._drawn = wrapped, cursor
                    return
            self._erase()
        row_count = len(wrapped.rows)
        visible_rows = max(height - 1, 1)
        row, column = wrapped.position(cursor)
        top = max(min(row - visible_rows // 2, row_count - visible_rows), 0)
        bottom = min(top + visible_rows, row_count)
        # At the margin a terminal wraps only when the next character comes: write a space.
        margin = " " if bottom == row_count and wrapped.full else ""
        self._write(
            wrapped.slice(top, bottom) + margin + _up(bottom - 1 - row) + "\r" + _right(column)
        )
        self._drawn = wrapped, cursor
        self._top_row = top
        self._cursor_row = row - top

    def _erase(self) -> None:
        """Remove the prompt from the screen."""
        if self._drawn is not None:
            self._write("\r" + _up(self._cursor_row) + _ERASE_DOWN)
            self._drawn = None

    def _finish_prompt(self) -> None:
        """End the prompt: leave it on the screen and move the cursor below it."""
        if self._prompt is not None:
            self._prompt.editor.end()
            self.draw()
            if self._drawn is not None and not self._drawn[0].full:
                self._write("\n")
            self._prompt = None
            self._drawn = None

    def _print(self, text: str) -> None:
        """Print a text above the prompt."""
        self._erase()
        self._write(text + "\n")
        self.draw()

    def _write(self, text: str) -> None:
        if not self._disconnected:
            # Terminals expect a carriage return before each line feed.
            self._unwritten.write(text.encode("utf-8", "replace").replace(b"\n", b"\r\n"))


def _split_partial(data: bytes, mark: bytes) -> tuple[bytes, bytes]:
    """Split off the last bytes of `data` that may be the beginning of `mark`."""
    size = next(size for size in range(len(mark), -1, -1) if data.endswith(mark[:size]))
    return data[: len(data) - size], data[len(data) - size :]


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows else ""


def _right(columns: int) -> str:
    return f"\x1b[{columns}C" if columns else ""


def _common_prefix(texts: list[str]) -> str:
    """The longest prefix that all of `texts` share."""
    first, last = min(texts, default=""), max(texts, default="")
    difference = next(
        (index for index, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1),
        None,
    )
    return first[:difference] if difference is not None else first[: len(last)]
