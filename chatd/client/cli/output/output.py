"""What the dialogue tells: in words to people (`chatd.client.cli.output.plain`), as JSON to
programs (`jsonlines`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chatd.client.library.events import Event
from chatd.codecs import v1_messages as c


class Output(Protocol):
    """Texts are as they came from the network. `ref` is the number that a program gave its request,
    if any; else 0."""

    programmatic: bool
    """whether requests may be given as JSON"""

    def entered(self, welcome: c.Welcome, name: str, logs: Sequence[str]) -> None:
        """Logged in, for the first time."""

    def entry(self, entry: c.Pushed | c.Sent) -> None:
        """An entry came; it has not been remembered yet."""

    def event(self, event: Event) -> None:
        """Anything else happened."""

    def accepted(
        self, request: c.Message, answer: c.Accepted, entry: c.Pushed | None, ref: int
    ) -> None:
        """A message of ours is durable, as `entry`, which is there if nobody is going to push
        it."""

    def answer(
        self, request: c.Message, answer: c.Message, sentence: str = "", ref: int = 0
    ) -> None:
        """A request was answered; `sentence` says to people what that means, if there is need
        to."""

    def history(self, entries: Sequence[c.Pushed], more: bool) -> None:
        """Entries of a log or a conversation, oldest first; `more`: there are earlier ones."""

    def members(
        self, room: str, members: Sequence[c.Member], people: Mapping[str, c.Person]
    ) -> None:
        """Who is in a room, and how some of them are, by their names in lower case."""

    def states(self, texts: Sequence[tuple[c.ReceiptState, str]]) -> None:
        """What became of these messages."""

    def line(self, text: str) -> None:
        """What was asked for and comes from this program."""

    def note(self, sentence: str) -> None:
        """What only a person wants to know."""

    def refuse(self, code: str, sentence: str, request: Any = None, ref: int = 0) -> None:
        """What went wrong, perhaps with a request of the catalogue."""
