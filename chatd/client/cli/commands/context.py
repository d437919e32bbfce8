"""The interface between a command and the chat that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from twisted.internet.interfaces import IReactorTime

from chatd.client.cli.blocking import Blocking
from chatd.client.cli.message_cache import CachedMessage, MessageCache
from chatd.client.cli.outbox import KeyedRequest
from chatd.client.cli.output.output import Output
from chatd.client.cli.screen import Screen
from chatd.client.library.client import Client
from chatd.codecs import v1_messages as c


@dataclass(frozen=True)
class HistoryPosition:
    """How far ``/history`` has gone back in a conversation."""

    conversation: str
    first_seq: int
    """the seq of the first entry that was looked at"""
    first_time: int
    """the time of the first message that was shown"""


class CommandContext(Protocol):
    """What a command may use. `chatd.client.cli.chat.Chat` implements it."""

    screen: Screen
    output: Output
    cache: MessageCache
    client: Client
    blocking: Blocking
    clock: IReactorTime
    address: str
    """the URL of the server"""
    password: str | None
    """the password of the account; None: it is open"""
    new_password: str | None
    """what ``/passwd`` of a script changes the password to; None: the script cannot change it"""
    away_text: str | None
    """the text of ``/away``; None: the account is not away"""
    history_position: HistoryPosition | None
    """set if the previous line was ``/history``"""

    @property
    def target(self) -> str:
        """The room or account that messages are sent to; empty: none."""

    def set_target(self, target: str) -> None:
        """Send messages to this room or account from now on; empty: to none."""

    async def request(self, request: Any) -> Any:
        """Send a request and return its answer. Raises `Refused` and `Fatal`."""

    async def request_and_show(self, request: Any, sentence: str = "") -> Any:
        """Send a request, print its answer and `sentence`, and return the answer.

        Raises `Refused` and `Fatal`.
        """

    async def enter_room(self, request: c.Join | c.CreateRoom) -> c.RoomState:
        """Join or create a room. Raises `Refused` and `Fatal`."""

    async def send(self, target: str, text: str) -> None:
        """Send a message; wait only while too many are unanswered. Raises `UsageProblem`."""

    async def post(self, request: KeyedRequest, about: CachedMessage | None = None) -> None:
        """Send a keyed request that refers to the message `about`; wait only while too many are
        unanswered. Raises `UsageProblem`."""

    async def confirm(self, question: str) -> bool:
        """Ask a person a question; a script agrees to everything."""

    def quit(self) -> None:
        """End the chat after this command."""


Handler: TypeAlias = Callable[[CommandContext, str], Awaitable[None]]
"""Carries out a command with the text after its name. Raises `UsageProblem`, `Refused`, `Fatal`."""
