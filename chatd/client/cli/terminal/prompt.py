"""The prompt at the bottom of a terminal, with as much of its answer as has been typed."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.client.cli.screen import Completion, Composer
from chatd.client.cli.terminal.line_editor import LineEditor


class Prompt:
    """A prompt's text, the editor of its answer, and the Deferred that the answer goes to.

    `hidden`: the answer is not drawn. `complete` completes the answer; a `composer` does that
    itself.
    """

    def __init__(
        self,
        text: str,
        history: list[str],
        hidden: bool = False,
        complete: Completion | None = None,
        composer: Composer | None = None,
    ) -> None:
        self.text = text
        self.editor = LineEditor(history)
        self.hidden = hidden
        self.complete = composer.complete if composer is not None else complete
        self.composer = composer
        self.reply: Deferred[str] = Deferred()

    def content(self) -> tuple[str, int]:
        """The text to draw, and the index of the cursor in it."""
        answer, cursor = ("", 0) if self.hidden else (self.editor.text, self.editor.cursor)
        return self.text + answer, len(self.text) + cursor
