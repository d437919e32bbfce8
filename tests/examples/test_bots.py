"""The bots among the examples, as processes, and the examples in docs/library.md."""

from __future__ import annotations

import queue
import re
import threading
from subprocess import STDOUT
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.client import Client, Pushed, connect
from tests.doubles.daemon_process import PATIENCE, Daemon
from tests.doubles.folders import folder
from tests.doubles.program import CHECKOUT, Program, environment


class Bot:
    """An example that has said its first line."""

    def __init__(self, case: TestCase, name: str, *arguments: str) -> None:
        self.process = Program(
            [str(CHECKOUT / "examples" / name), *arguments],
            cwd=CHECKOUT,
            env=environment(),
            stderr=STDOUT,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        case.addCleanup(self.kill)
        self.first = self._lines.get(timeout=PATIENCE)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def kill(self) -> None:
        """As by `kill -9`."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Bots(TestCase):
    """Real bots, real daemons."""

    timeout = 60

    def daemon(self) -> tuple[Daemon, str]:
        """A daemon and its store."""
        store = f"sqlite:{folder(self)}/chatd.db"
        return Daemon(self, store), store

    async def come(self, daemon: Daemon, name: str, room: str = "") -> Client:
        """A client, perhaps in a room."""
        client = await connect(
            f"chat://127.0.0.1:{daemon.port}", name, register=True, reactor=reactor
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        if room:
            await client.join(room)
        return client

    async def texts(self, client: Client, count: int) -> list[tuple[str, str]]:
        """(sender, text) of the next messages of others."""
        found: list[tuple[str, str]] = []
        async for event in client.events():
            if isinstance(event, Pushed) and event.kind == "text" and event.sender != client.name:
                found.append((event.sender, event.body))
                if len(found) == count:
                    break
        return found

    async def test_echo(self) -> None:
        """It answers what is said to it, in a room only when it is meant."""
        daemon, _ = self.daemon()
        bot = Bot(self, "echo_bot.py", "echo", f"chat://127.0.0.1:{daemon.port}", "#lobby")
        self.assertEqual(bot.first, "echo is listening")
        ann = await self.come(daemon, "ann", "#lobby")
        await ann.send("#lobby", "not for you")
        await ann.send("#lobby", "echo: hello")
        self.assertEqual(await self.texts(ann, 1), [("echo", "ann: hello")])
        await ann.send("echo", "hi 🌱")
        self.assertEqual(await self.texts(ann, 1), [("echo", "hi 🌱")])

    async def test_bridge(self) -> None:
        """Two rooms are one; a daemon is killed, then the bridge: nothing is lost or doubled."""
        here, _ = self.daemon()
        there, store = self.daemon()
        ends = [
            f"chat://127.0.0.1:{here.port}",
            "#lobby",
            f"chat://127.0.0.1:{there.port}",
            "#lobby",
        ]
        bridge = Bot(self, "bridge.py", "bridge", *ends)
        self.assertEqual(bridge.first, "#lobby and #lobby are one")
        ann, bob = await self.come(here, "ann", "#lobby"), await self.come(there, "bob", "#lobby")
        await ann.send("#lobby", "1")
        self.assertEqual(await self.texts(bob, 1), [("bridge", "<ann> 1")])
        await bob.send("#lobby", "2")
        self.assertEqual(await self.texts(ann, 1), [("bridge", "<bob> 2")])
        there.kill()
        for number in range(10):
            await ann.send("#lobby", f"away {number}")
        options = ["--port", str(there.port), "--store", store]
        Daemon(self, store, command=["twistd", "-n", "--pidfile=", "chatd", *options])
        expected = [("bridge", f"<ann> away {number}") for number in range(10)]
        self.assertEqual(await self.texts(bob, 10), expected)
        bridge.kill()
        for number in range(10):
            await bob.send("#lobby", f"late {number}")
        Bot(self, "bridge.py", "bridge", *ends)
        await bob.send("#lobby", "last")
        expected = [("bridge", f"<bob> late {number}") for number in range(10)]
        self.assertEqual(await self.texts(ann, 11), [*expected, ("bridge", "<bob> last")])
        await ann.send("#lobby", "end")
        self.assertEqual(await self.texts(bob, 1), [("bridge", "<ann> end")])


class Document(SynchronousTestCase):
    """docs/library.md."""

    def test_examples(self) -> None:
        """They compile, and what they import is there."""
        text = (CHECKOUT / "docs/library.md").read_text()
        examples = re.findall(r"```python\n(.*?)```", text, re.S)
        self.assertEqual(len(examples), 3)
        for example in examples:
            names: dict[str, Any] = {}
            without_run = example.replace("\nreact(", "\n(lambda *_: None)(")
            exec(compile(without_run, "docs/library.md", "exec"), names)
        readme = re.findall(r"```python\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.S)
        self.assertEqual(len(readme), 1)
        compile(readme[0], "README.md", "exec")

    def test_every_request_is_named(self) -> None:
        """The list of methods is complete."""
        text = (CHECKOUT / "docs/library.md").read_text()
        listed = set(
            re.findall(
                r"`([a-z_]+)`", text[text.index("## Requests") : text.index("The first four")]
            )
        )
        from chatd.client.library.requests import Requests

        methods = {name for name in vars(Requests) if not name.startswith("_")}
        self.assertEqual(listed, methods - {"request", "post", "new_key"})
