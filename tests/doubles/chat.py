"""One person, script or program at a screen that only remembers, with a client that has no
server."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.chat import Chat
from chatd.client.cli.login import Arrival
from chatd.client.cli.message_cache import Seen
from chatd.client.cli.output.jsonlines import JsonLines
from chatd.client.cli.output.output import Output
from chatd.client.cli.output.plain import Showing
from tests.doubles.client import SINCE, FakeClient
from tests.doubles.screen import FakeScreen


class Talk(SynchronousTestCase):
    """What the cases share."""

    interactive = True
    json = False

    def setUp(self) -> None:
        self.client = FakeClient()
        self.clock = Clock()
        self.clock.advance(SINCE / 1000)

    def begin(self, password: str | None = None) -> None:
        """Log in, and look away from what was shown and asked for that."""
        self.screen = FakeScreen(self.interactive)
        seen = Seen()
        output: Output = JsonLines(self.screen)
        if not self.json:
            output = Showing(self.screen, seen, self.clock, times=False, zone=UTC)

        async def enter(name: str, password: str | None, register: bool, invite: str | None) -> Any:
            return self.client

        arrival = Arrival(self.screen, output, enter, "alice", password)
        self.chat = Chat(self.screen, output, seen, arrival, self.clock, "chat://localhost:65432")
        self.ended: Deferred[int] = self.chat.start()
        self.greeting = self.shown()
        self.asked()

    def type(self, *lines: str) -> list[str]:
        """Type lines; what was shown since the last time."""
        for line in lines:
            self.screen.type(line)
        return self.shown()

    def shown(self) -> list[str]:
        """What was shown since the last time."""
        lines, self.screen.lines = self.screen.lines, []
        return lines

    def asked(self) -> list[Any]:
        """What was asked of the server since the last time, with `ref` 0, without keys."""
        asked, self.client.asked = self.client.asked, []
        for message in asked:
            message.ref = 0
            if hasattr(message, "key"):
                message.key = None
        return asked
