"""A question that stands at a terminal, with as much of its answer as has been typed."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.client.cli.screen import Completion, Writer
from chatd.client.cli.terminal.line_editor import Line


class Question:
    """A prompt, the line that answers it so far, and who wants to know."""

    def __init__(
        self,
        prompt: str,
        history: list[str],
        hidden: bool = False,
        complete: Completion | None = None,
        writer: Writer | None = None,
    ) -> None:
        self.prompt = prompt
        self.line = Line(history)
        self.hidden = hidden
        self.complete = writer.complete if writer is not None else complete
        self.writer = writer
        self.reply: Deferred[str] = Deferred()

    def drawn(self) -> tuple[str, int]:
        """What stands on the screen, and the index of the cursor in it."""
        shown, cursor = ("", 0) if self.hidden else (self.line.text, self.line.cursor)
        return self.prompt + shown, len(self.prompt) + cursor
