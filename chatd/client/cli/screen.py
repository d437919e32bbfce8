"""What a dialogue needs of a screen: the interface that terminal and pipe implement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer

from chatd.client.cli.output.style import StyledLine
from chatd.core.errors import Refused

Completion = Callable[[str], list[str]]
"""Maps the text before the cursor to all texts that it can be completed to."""


class EndOfInput(Exception):
    """The input has ended: no more lines will be read."""


class InvalidLine(Refused):
    """A line of the input cannot be read; the lines after it can."""

    code = "malformed"

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"Line {number} of the input {reason}.")


class Composer(Protocol):
    """The receiver of the line of a conversation, while it is being typed."""

    def complete(self, text: str) -> list[str]:
        """All texts that `text` can be completed to: a `Completion`."""

    def text_changed(self, text: str) -> None:
        """The line under edit is now `text`."""

    def stays_on_screen(self, line: str) -> bool:
        """Whether an entered line stays on the screen; otherwise its answer takes its place."""


class Screen(Protocol):
    """Where a dialogue prints its lines and reads its answers.

    Texts may be passed as they were received: the screen replaces control characters.
    """

    interactive: bool
    """whether a person can be asked questions"""

    def ask(
        self, prompt: str, *, hidden: bool = False, complete: Completion | None = None
    ) -> Deferred[str]:
        """Read one line, without its end. `hidden`: typed characters are not shown.

        Fails with `EndOfInput` or `InvalidLine`.
        """

    def compose(self, prompt: str, composer: Composer) -> Deferred[str]:
        """Read one line of a conversation. All such lines share one history, whatever the prompt.

        Fails with `EndOfInput` or `InvalidLine`.
        """

    def set_prompt(self, prompt: str) -> None:
        """Change the prompt of the line that is being composed."""

    def show_styled(self, line: StyledLine) -> None:
        """Print a line with styles."""

    def note(self, line: str) -> None:
        """Print a line for people only: a menu, a hint or a confirmation."""

    def show(self, line: str) -> None:
        """Print a line that answers a command."""

    def show_error(self, sentence: str) -> None:
        """Print an error."""

    def show_message(self, sender: str, text: str) -> None:
        """Print a received message."""

    def show_sent(self, recipient: str, text: str) -> None:
        """Print a message of one's own that is stored."""

    def end_input(self) -> None:
        """Stop reading: this and every later `ask` fails with `EndOfInput`."""

    def throttle(self, source: IPushProducer) -> None:
        """Pause `source`, which produces most of the output, while the screen is behind."""

    def written(self) -> Deferred[None]:
        """Fires when the operating system has taken all that was printed."""
