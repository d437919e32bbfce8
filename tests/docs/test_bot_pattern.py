"""The bot of README.md and docs/library.md runs as long as its server does."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client import connect
from chatd.codecs import v1_messages as c
from tests.docs.pages import blocks
from tests.doubles.v1_server import ScriptedServer


class BotTests(SynchronousTestCase):
    """The first example of each page, with a server in memory."""

    def start(self, page: str) -> tuple[ScriptedServer, Deferred[Any]]:
        """Start the bot."""
        code = next(block for block in blocks(page) if "parrot" in "".join(block.lines))
        source = "\n".join(code.lines).replace("\nreact(", "\n(lambda *_: None)(")
        names: dict[str, Any] = {}
        exec(compile(source, page, "exec"), names)
        server = ScriptedServer()
        endpoint: Any = server
        names["connect"] = partial(
            connect, reactor=Clock(), endpoint=endpoint, random=random.Random(1)
        )
        names["print"] = lambda *_: None
        running = Deferred.fromCoroutine(names["main"](None))
        (registration,) = server.requests
        assert isinstance(registration, c.Register)
        server.requests.clear()
        return server, running

    def test_refusals_do_not_end_the_bot(self) -> None:
        """Any account can cause them, by blocking the bot or by the length of its message."""
        for page in ("README.md", "docs/library.md"):
            server, running = self.start(page)
            server.send(server.entry(1, "blocked"), server.entry(2, "x" * 65_537))
            (answer,) = server.requests
            server.send(c.Refusal(answer.ref, "blocked", "No.", answer.command))
            server.send(server.entry(3, "hi"))
            self.assertEqual([each.text for each in server.requests], ["blocked", "hi"], page)
            self.assertNoResult(running)

    def test_bot_does_not_answer_itself(self) -> None:
        """It would not stop."""
        for page in ("README.md", "docs/library.md"):
            server, _ = self.start(page)
            server.send(c.Pushed("@ann", 1, 1, 0, "Ann", "text", "hi"))
            self.assertEqual(server.requests, [], page)
