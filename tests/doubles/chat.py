"""`ChatTestCase`: a chat on a `FakeScreen`, with a `FakeClient` instead of a server.

`CommandTestCase` is a chat for tests of slash commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.chat import Chat
from chatd.client.cli.commands import table
from chatd.client.cli.login import Login
from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.output.jsonlines import JsonLines
from chatd.client.cli.output.output import Output
from chatd.client.cli.output.plain import PlainOutput
from chatd.codecs import v1_messages as c
from tests.doubles.client import SINCE, FakeClient, pushed, state
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

    def begin(self, password: str | None = None, new_password: str | None = None) -> None:
        """Log in; the lines printed so far become `greeting`, the requests are dropped."""
        self.screen = FakeScreen(self.interactive)
        cache = MessageCache()
        output: Output = JsonLines(self.screen)
        if not self.json:
            output = PlainOutput(
                self.screen, cache, self.clock, lambda: SINCE, times=False, zone=UTC
            )

        async def connect(
            name: str, password: str | None, register: bool, invite: str | None
        ) -> Any:
            return self.client

        login = Login(self.screen, output, connect, "alice", password)
        address = "chat://localhost:65432"
        self.chat = Chat(
            self.screen, output, cache, login, self.clock, address, new_password=new_password
        )
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


RequestCase = tuple[str, list[Any]]
"""a line with a command, and the requests that it sends; further lines answer its questions"""


class CommandTestCase(ChatTestCase):
    """A person in the lobby, with three messages in it. The account has the password ``secret``."""

    def setUp(self) -> None:
        super().setUp()
        self.client.answers |= {
            c.Join: c.RoomState(0, state("#Garden", 3, "Seeds")),
            c.CreateRoom: c.RoomState(0, state("#Garden")),
            c.FindRooms: c.Rooms(0, []),
            c.FindAccounts: c.Names(0, []),
            c.GetReceipts: c.Receipts(0, "@bob", [c.ReceiptState(1, True, False)]),
            c.History: c.Page(0, "#lobby", []),
            c.Ping: c.Pong(0),
        }
        self.begin(password="secret")
        self.client.tell(
            pushed("#lobby", "bob", "one", seq=1),
            pushed("#lobby", "alice", "two", seq=2),
            pushed("#lobby", "bob", "three", seq=3),
        )
        self.clock.advance(1)
        self.requests()
        self.printed()

    def check_requests(self, cases: Sequence[RequestCase]) -> None:
        """Type the lines of each case; check its requests, and that no error is printed."""
        for line, requests in cases:
            printed = self.type(*line.split("\n"))
            self.assertEqual(self.requests(), requests, line)
            self.assertFalse(any(text.startswith("!") for text in printed), (line, printed))

    def check_usage(self, *lines: str) -> None:
        """Check that each line prints the usage of its command, and that nothing is requested."""
        for line in lines:
            usage = table.parse(line)[0].usage
            self.assertEqual(self.type(line), [f"! Usage: {usage}"], line)
        self.assertEqual(self.requests(), [])
