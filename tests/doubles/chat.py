"""`ChatTestCase`: a chat on a `FakeScreen`, with a `FakeClient` instead of a server."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.chat import Chat
from chatd.client.cli.login import Login
from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.output.jsonlines import JsonLines
from chatd.client.cli.output.output import Output
from chatd.client.cli.output.plain import PlainOutput
from tests.doubles.client import SINCE, FakeClient
from tests.doubles.screen import FakeScreen


class ChatTestCase(SynchronousTestCase):
    """A chat of the account alice; `begin` starts it.

    `interactive`: a person at a terminal, else a script. `json`: a program that reads JSON lines.
    """

    interactive = True
    json = False

    def setUp(self) -> None:
        self.client = FakeClient()
        self.clock = Clock()
        self.clock.advance(SINCE / 1000)

    def begin(self, password: str | None = None) -> None:
        """Log in; the lines printed so far become `greeting`, the requests are dropped."""
        self.screen = FakeScreen(self.interactive)
        cache = MessageCache()
        output: Output = JsonLines(self.screen)
        if not self.json:
            output = PlainOutput(self.screen, cache, self.clock, times=False, zone=UTC)

        async def connect(
            name: str, password: str | None, register: bool, invite: str | None
        ) -> Any:
            return self.client

        login = Login(self.screen, output, connect, "alice", password)
        self.chat = Chat(self.screen, output, cache, login, self.clock, "chat://localhost:65432")
        self.ended: Deferred[int] = self.chat.start()
        self.greeting = self.printed()
        self.requests()

    def type(self, *lines: str) -> list[str]:
        """Type lines; returns the lines printed since the last call."""
        for line in lines:
            self.screen.type(line)
        return self.printed()

    def printed(self) -> list[str]:
        """The lines printed since the last call."""
        lines, self.screen.lines = self.screen.lines, []
        return lines

    def requests(self) -> list[Any]:
        """The requests sent since the last call, with `ref` 0 and without keys."""
        requests, self.client.asked = self.client.asked, []
        for message in requests:
            message.ref = 0
            if hasattr(message, "key"):
                message.key = None
        return requests
