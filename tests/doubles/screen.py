"""`FakeScreen`, a screen in memory, and `RecordingComposer`, the composer of its lines."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IPushProducer

from chatd.client.cli.output.style import StyledLine
from chatd.client.cli.screen import Completion, Composer, EndOfInput


class FakeScreen:
    """A screen that records its lines; a mark at the beginning shows how each was printed."""

    def __init__(self, interactive: bool) -> None:
        self.interactive = interactive
        self.lines: list[str] = []
        self.prompt = ""
        self.hidden = False
        self.complete: Completion | None = None
        self.composer: Composer | None = None
        self.source: IPushProducer | None = None
        self.writing: Deferred[None] | None = None
        """what `written` returns; None: everything is written at once"""
        self._reply: Deferred[str] | None = None
        self._input_ended = False

    def ask(
        self, prompt: str, *, hidden: bool = False, complete: Completion | None = None
    ) -> Deferred[str]:
        """Record the prompt; `type` answers it."""
        if self._input_ended:
            return fail(EndOfInput())
        self.prompt, self.hidden, self.complete = prompt, hidden, complete
        self._reply = Deferred()
        return self._reply

    def compose(self, prompt: str, composer: Composer) -> Deferred[str]:
        """Record the prompt and the composer; `type` answers."""
        self.composer = composer
        return self.ask(prompt, complete=composer.complete)

    def set_prompt(self, prompt: str) -> None:
        """Record the prompt."""
        self.prompt = prompt

    def type(self, line: str) -> None:
        """Answer the prompt."""
        reply, self._reply, self.prompt = self._reply, None, ""
        assert reply is not None, "there is no prompt"
        reply.callback(line)

    def fail(self, error: Exception) -> None:
        """Fail the prompt."""
        reply, self._reply, self.prompt = self._reply, None, ""
        assert reply is not None, "there is no prompt"
        reply.errback(error)

    def show_styled(self, line: StyledLine) -> None:
        """Record the line without styles."""
        self.lines.append("".join(span.text for span in line))

    def note(self, line: str) -> None:
        """Record the line in brackets."""
        self.lines.append(f"({line})")

    def show(self, line: str) -> None:
        """Record the line."""
        self.lines.append(line)

    def show_error(self, sentence: str) -> None:
        """Record the sentence after an exclamation mark."""
        self.lines.append(f"! {sentence}")

    def show_message(self, sender: str, text: str) -> None:
        """Record the message after its sender."""
        self.lines.append(f"{sender}> {text}")

    def show_sent(self, recipient: str, text: str) -> None:
        """Record the message after its recipient."""
        self.lines.append(f">{recipient} {text}")

    def end_input(self) -> None:
        """End the input: this and every later `ask` fails."""
        self._input_ended = True
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.errback(EndOfInput())

    def throttle(self, source: IPushProducer) -> None:
        """Record the source."""
        self.source = source

    def written(self) -> Deferred[None]:
        """See `Screen.written`."""
        return self.writing or succeed(None)


class RecordingComposer:
    """A composer that records the texts it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def complete(self, text: str) -> list[str]:
        """Complete with one name."""
        return [f"{text}bert: "]

    def text_changed(self, text: str) -> None:
        """Record the text."""
        self.texts.append(text)

    def stays_on_screen(self, line: str) -> bool:
        """Keep commands."""
        return line.startswith("/")
