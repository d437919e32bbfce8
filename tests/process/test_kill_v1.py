"""A daemon killed while clients of version 1 write and read: every message once, in order."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from chatd.client import Client, Pushed, connect
from chatd.client.library import client as library_client
from tests.doubles.daemon_process import Daemon
from tests.doubles.folders import folder

ROUNDS = 6
A_ROUND = 60
"""messages of each writer to each recipient before the daemon is killed"""
WRITERS = ("ann", "bob", "cyd")
LAST = "that was all"


class Reader:
    """What the clients of one account read, one after another."""

    def __init__(self) -> None:
        self.read: dict[str, list[tuple[str, str]]] = {"mailbox": [], "#lobby": []}
        self._left = 2 * len(WRITERS)
        self._waiting: list[tuple[int, Deferred[None]]] = []

    @property
    def count(self) -> int:
        """The number of messages."""
        return sum(map(len, self.read.values()))

    def after(self, count: int) -> Deferred[None]:
        """Fires when so many messages were read."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((count, waiting))
        return waiting

    async def listen(self, client: Client) -> None:
        """Read until every writer has sent its last message to both logs, or until `drop`."""
        async for event in client.events():
            if not isinstance(event, Pushed) or event.kind != "text":
                continue
            self.read["mailbox" if event.log.startswith("@") else event.log].append(
                (event.sender, event.body)
            )
            self._left -= event.body == LAST
            for count, waiting in self._waiting:
                if self.count >= count and not waiting.called:
                    waiting.callback(None)
            if not self._left:
                return

    def check(self, test: TestCase) -> None:
        """Check that every message was read once, each writer's in order."""
        expected = [str(number) for number in range(ROUNDS * A_ROUND)] + [LAST]
        for log, read in self.read.items():
            for name in WRITERS:
                test.assertEqual(
                    [body for sender, body in read if sender == name], expected, (log, name)
                )


class Killed(TestCase):
    """Writers and a reader with two clients, one of which is dropped too."""

    timeout = 60

    def setUp(self) -> None:
        """Start a daemon on a file. It is killed again so soon that the clients' delays would not
        begin anew."""
        self.patch(library_client, "STABLE_TIME", 0.0)
        self.store = f"sqlite:{folder(self)}/chatd.db"
        self.daemon = Daemon(self, self.store)

    async def join(self, name: str, **options: Any) -> Client:
        """Connect a client, which joins the lobby."""
        client = await connect(
            f"chat://127.0.0.1:{self.daemon.port}", name, register=True, reactor=reactor, **options
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        await client.join("#lobby")
        return client

    def kill(self) -> None:
        """Kill the daemon, and start another on the same file and port."""
        port = self.daemon.port
        self.daemon.kill()
        options = ["--port", str(port), "--store", self.store, "--rate", "none"]
        self.daemon = Daemon(
            self, self.store, command=["twistd", "-n", "--pidfile=", "chatd", *options]
        )

    async def write(self, client: Client, first: int) -> None:
        """Send a round's messages, each after the one before was accepted."""
        for number in range(first, first + A_ROUND):
            for recipient in ("reader", "#lobby"):
                await client.send(recipient, str(number))

    async def test_messages_are_read_exactly_once(self) -> None:
        """Over lost connections, killed daemons and a dropped client of the reader."""
        steady, mortal = Reader(), Reader()
        listening = Deferred.fromCoroutine(steady.listen(await self.join("reader")))
        device = await self.join("reader")
        again = Deferred.fromCoroutine(mortal.listen(device))
        writers = [await self.join(name) for name in WRITERS]
        in_a_round = 2 * A_ROUND * len(WRITERS)
        for number in range(ROUNDS):
            some_read = steady.after(number * in_a_round + in_a_round // 3)
            writing = [
                Deferred.fromCoroutine(self.write(each, number * A_ROUND)) for each in writers
            ]
            await some_read
            self.kill()
            await gatherResults(writing)
            device.drop()
            await again
            device = await self.join("reader", positions=device.positions)
            again = Deferred.fromCoroutine(mortal.listen(device))
        for writer in writers:
            for recipient in ("reader", "#lobby"):
                await writer.send(recipient, LAST)
        await gatherResults([listening, again])
        steady.check(self)
        mortal.check(self)
