"""`FakeScreen`: a screen in memory."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IPushProducer

from chatd.client.cli.output.style import StyledLine
from chatd.client.cli.screen import Completion, Composer, EndOfInput


class FakeScreen:
    """A screen: what was shown, marked with where it went, and the question that is being asked."""

    def __init__(self, interactive: bool) -> None:
        self.interactive = interactive
        self.lines: list[str] = []
        self.prompt = ""
        self.hidden = False
        self.complete: Completion | None = None
        self.composer: Composer | None = None
        self.source: IPushProducer | None = None
        self._reply: Deferred[str] | None = None
        self._ended = False

    def ask(
        self, prompt: str, *, hidden: bool = False, complete: Completion | None = None
    ) -> Deferred[str]:
        """Remember the question."""
        if self._ended:
            return fail(EndOfInput())
        self.prompt, self.hidden, self.complete = prompt, hidden, complete
        self._reply = Deferred()
        return self._reply

    def compose(self, prompt: str, composer: Composer) -> Deferred[str]:
        """Remember the question."""
        self.composer = composer
        return self.ask(prompt, complete=composer.complete)

    def set_prompt(self, prompt: str) -> None:
        """Remember it."""
        self.prompt = prompt

    def show_styled(self, line: StyledLine) -> None:
        """Remember it."""
        self.lines.append("".join(span.text for span in line))

    def type(self, line: str) -> None:
        """Answer the question."""
        reply, self._reply, self.prompt = self._reply, None, ""
        assert reply is not None, "nothing is being asked"
        reply.callback(line)

    def note(self, line: str) -> None:
        """Remember it."""
        self.lines.append(f"({line})")

    def show(self, line: str) -> None:
        """Remember it."""
        self.lines.append(line)

    def show_error(self, sentence: str) -> None:
        """Remember it."""
        self.lines.append(f"! {sentence}")

    def show_message(self, sender: str, text: str) -> None:
        """Remember it."""
        self.lines.append(f"{sender}> {text}")

    def show_sent(self, recipient: str, text: str) -> None:
        """Remember it."""
        self.lines.append(f">{recipient} {text}")

    def end_input(self) -> None:
        """No more lines."""
        self._ended = True
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.errback(EndOfInput())

    def throttle(self, source: IPushProducer) -> None:
        """Remember it."""
        self.source = source
