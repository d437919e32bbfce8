"""What a dialogue needs of a screen, be it a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer

from chatd.client.cli.output.style import Line

Completion = Callable[[str], list[str]]
"""From what is typed so far to all that it can become."""


class EndOfInput(Exception):
    """Nobody will type anything any more."""


class Writer(Protocol):
    """Whom a line is for, while it is being typed."""

    def complete(self, text: str) -> list[str]:
        """A `Completion`."""

    def typed(self, text: str) -> None:
        """This is what stands there now."""

    def keeps(self, line: str) -> bool:
        """Whether the line stays on the screen when it is entered, rather than making room for its
        answer."""


class Screen(Protocol):
    """Where the dialogue is shown and where its answers come from.

    Texts may be given as they came from the network: the screen makes them harmless.
    """

    interactive: bool
    """whether a person sits there, who can be asked"""

    def ask(
        self, prompt: str, *, hidden: bool = False, complete: Completion | None = None
    ) -> Deferred[str]:
        """The next line typed, without its end; `EndOfInput` if there is none. `hidden`: it is not
        shown."""

    def compose(self, prompt: str, writer: Writer) -> Deferred[str]:
        """As `ask`, for a line of a conversation; all of them have one history, whatever the
        prompt."""

    def reprompt(self, prompt: str) -> None:
        """Change the prompt of the line that is being composed."""

    def put(self, line: Line) -> None:
        """Show a line as it is."""

    def note(self, line: str) -> None:
        """Show what only a person wants to know: menus, hints, confirmations."""

    def show(self, line: str) -> None:
        """Show what was asked for."""

    def refuse(self, sentence: str) -> None:
        """Show what went wrong."""

    def message(self, sender: str, text: str) -> None:
        """Show a message that came."""

    def sent(self, recipient: str, text: str) -> None:
        """Show that a message was sent and is stored."""

    def end(self) -> None:
        """Read no more: this and every later `ask` ends with `EndOfInput`."""

    def throttle(self, source: IPushProducer) -> None:
        """Pause `source`, which is where most of what is shown comes from, while the screen is
        behind."""
