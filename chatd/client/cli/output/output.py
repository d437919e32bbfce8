"""The interface of the output, which `plain` and `jsonlines` implement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chatd.client.library.events import Event
from chatd.codecs import v1_messages as c


class Output(Protocol):
    """Prints what happens. Texts may be passed as they were received.

    `ref` is the number that a program gave its request; 0: none.
    """

    accepts_requests: bool
    """whether a line of the input may be a request as JSON"""

    def logged_in(self, welcome: c.Welcome, name: str, logs: Sequence[str]) -> None:
        """The client has logged in for the first time."""

    def entry(self, entry: c.Pushed | c.Sent) -> None:
        """An entry arrived; it is not yet in the message cache."""

    def event(self, event: Event) -> None:
        """An event other than an entry happened."""

    def accepted(
        self, request: c.Message, answer: c.Accepted, entry: c.Pushed | None, ref: int
    ) -> None:
        """A message is stored. `entry` is given if the server will not push it to this client."""

    def answer(
        self, request: c.Message, answer: c.Message, sentence: str = "", ref: int = 0
    ) -> None:
        """A request was answered; `sentence` explains the result to people, if it needs that."""

    def history(self, entries: Sequence[c.Pushed], more: bool) -> None:
        """Print entries of a log or a conversation, oldest first; `more`: there are older ones."""

    def members(
        self, room: str, members: Sequence[c.Member], people: Mapping[str, c.Person]
    ) -> None:
        """Print the members of a room; `people` is the presence of some, by name in lower case."""

    def receipts(self, texts: Sequence[tuple[c.ReceiptState, str]]) -> None:
        """Print which messages have been delivered and read, with their texts."""

    def line(self, text: str) -> None:
        """Print a line that answers a command and is composed by the client."""

    def note(self, sentence: str) -> None:
        """Print a hint for people."""

    def error(self, code: str, sentence: str, request: Any = None, ref: int = 0) -> None:
        """Print an error; `request` is the request that was refused, if there is one."""
