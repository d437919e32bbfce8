"""The Python examples as processes, and the examples in docs/library.md and README.md."""

from __future__ import annotations

import queue
import re
import socket
import subprocess
import threading
from importlib.util import module_from_spec, spec_from_file_location
from subprocess import STDOUT
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.client import Client, Pushed, connect
from chatd.client.library.requests import Requests
from tests.doubles.client import FakeClient, pushed
from tests.doubles.daemon_process import PATIENCE, Daemon
from tests.doubles.folders import folder
from tests.doubles.node import node
from tests.doubles.program import CHECKOUT, Program, environment, run

BLOCKED = "The recipient does not accept messages from you."


class Bot:
    """An example as a process; `first` is the first line of its output."""

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
        self.first = self.next_line()

    def next_line(self) -> str:
        """Wait for the next line of the output."""
        return self._lines.get(timeout=PATIENCE)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def kill(self) -> None:
        """Kill the process, as by `kill -9`."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


class BotTests(TestCase):
    """Example processes with daemon processes."""

    timeout = 60

    def daemon(self) -> tuple[Daemon, str]:
        """Start a daemon; return it and its store."""
        store = f"sqlite:{folder(self)}/chatd.db"
        return Daemon(self, store), store

    async def connect(self, daemon: Daemon, name: str, room: str = "") -> Client:
        """Return a client that is a member of `room`, unless that is empty."""
        client = await connect(
            f"chat://127.0.0.1:{daemon.port}", name, register=True, reactor=reactor
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        if room:
            await client.join(room)
        return client

    async def texts(self, client: Client, count: int) -> list[tuple[str, str]]:
        """Wait for messages of other accounts; return (sender, text) of each."""
        messages: list[tuple[str, str]] = []
        async for event in client.events():
            if isinstance(event, Pushed) and event.kind == "text" and event.sender != client.name:
                messages.append((event.sender, event.body))
                if len(messages) == count:
                    client.mark_handled()
                    break
        return messages

    async def test_echo_bot_answers(self) -> None:
        """Private messages, and messages in a room that begin with its name."""
        daemon, _ = self.daemon()
        bot = Bot(self, "echo_bot.py", "echo", f"chat://127.0.0.1:{daemon.port}", "#lobby")
        self.assertEqual(bot.first, "echo is listening")
        ann = await self.connect(daemon, "ann", "#lobby")
        await ann.send("#lobby", "not for you")
        await ann.send("#lobby", "echo: hello")
        self.assertEqual(await self.texts(ann, 1), [("echo", "ann: hello")])
        await ann.send("echo", "hi 🌱")
        self.assertEqual(await self.texts(ann, 1), [("echo", "hi 🌱")])

    async def test_echo_bot_survives_refused_answers(self) -> None:
        """An account blocks the bot and writes to it; an answer becomes longer than a message may
        be."""
        daemon, _ = self.daemon()
        bot = Bot(self, "echo_bot.py", "echo", f"chat://127.0.0.1:{daemon.port}", "#lobby")
        annie = await self.connect(daemon, "annie", "#lobby")
        await annie.block("echo")
        await annie.send("echo", "hi")
        self.assertEqual(bot.next_line(), f"annie got no answer: {BLOCKED}")
        await annie.send("#lobby", "echo:" + "x" * (annie.welcome.limits.text - 5))
        self.assertIn("annie got no answer: ", bot.next_line())
        await annie.send("#lobby", "echo: still there?")
        self.assertEqual(await self.texts(annie, 1), [("echo", "annie: still there?")])

    async def test_bridge_survives_kills(self) -> None:
        """A daemon is killed, then the bridge: no message is lost or sent twice."""
        here, _ = self.daemon()
        there, store = self.daemon()
        ends = [
            f"chat://127.0.0.1:{here.port}",
            "#lobby",
            f"chat://127.0.0.1:{there.port}",
            "#lobby",
        ]
        bridge = Bot(self, "bridge.py", "bridge", *ends)
        self.assertEqual(bridge.first, "#lobby and #lobby are connected")
        ann, bob = (
            await self.connect(here, "ann", "#lobby"),
            await self.connect(there, "bob", "#lobby"),
        )
        await ann.send("#lobby", "1")
        self.assertEqual(await self.texts(bob, 1), [("bridge", "[bridged] <ann> 1")])
        await bob.send("#lobby", "2")
        self.assertEqual(await self.texts(ann, 1), [("bridge", "[bridged] <bob> 2")])
        there.kill()
        for number in range(10):
            await ann.send("#lobby", f"away {number}")
        options = ["--port", str(there.port), "--store", store]
        Daemon(self, store, command=["twistd", "-n", "--pidfile=", "chatd", *options])
        expected = [("bridge", f"[bridged] <ann> away {number}") for number in range(10)]
        self.assertEqual(await self.texts(bob, 10), expected)
        bridge.kill()
        for number in range(10):
            await bob.send("#lobby", f"late {number}")
        Bot(self, "bridge.py", "bridge", *ends)
        await bob.send("#lobby", "last")
        expected = [("bridge", f"[bridged] <bob> late {number}") for number in range(10)]
        self.assertEqual(await self.texts(ann, 11), [*expected, ("bridge", "[bridged] <bob> last")])
        await ann.send("#lobby", "end")
        self.assertEqual(await self.texts(bob, 1), [("bridge", "[bridged] <ann> end")])

    async def test_two_bridges_do_not_loop(self) -> None:
        """Each carries a message once; here between two rooms of one server. A bridge that is
        removed from its room ends."""
        daemon, _ = self.daemon()
        address = f"chat://127.0.0.1:{daemon.port}"
        ann = await self.connect(daemon, "ann", "#lobby")
        bob = await self.connect(daemon, "bob")
        await bob.create_room("#Garden")
        bridges = [
            Bot(self, "bridge.py", name, address, "#lobby", address, "#Garden")
            for name in ("one", "two")
        ]
        for sender, reader, room in ((ann, bob, "#lobby"), (bob, ann, "#garden")) * 2:
            await sender.send(room, "hi")
            carried = sorted(await self.texts(reader, 2))
            text = f"[bridged] <{sender.name}> hi"
            self.assertEqual(carried, [("one", text), ("two", text)])
        await bob.kick("#garden", "one")
        self.assertEqual(bridges[0].next_line(), "one is no longer a member of #Garden")
        self.assertEqual(bridges[0].process.wait(PATIENCE), 1)


class OneServerTests(SynchronousTestCase):
    """A bridge between two rooms of one server."""

    def test_account_has_one_client(self) -> None:
        """A second one would acknowledge what the first has not sent on."""
        spec = spec_from_file_location("bridge", CHECKOUT / "examples/bridge.py")
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        clients: list[Any] = []

        async def connect(address: str, name: str, *_: object, **__: object) -> Any:
            clients.append(MemberOfRooms(name, ("#lobby", "#Garden")))
            return clients[-1]

        self.patch(module, "connect", connect)
        address = "chat://127.0.0.1"
        bridge = module.bridge("bridge", address, "#lobby", address, "#Garden")
        Deferred.fromCoroutine(bridge)
        self.assertEqual(len(clients), 1)
        clients[0].tell(pushed("#lobby", "ann", "1"), pushed("#garden", "bob", "2"))
        sent = [(message.recipient, message.text) for message in clients[0].asked]
        self.assertEqual(sent, [("#Garden", "[bridged] <ann> 1"), ("#lobby", "[bridged] <bob> 2")])


class MemberOfRooms(FakeClient, Requests):
    """A client that is a member of the rooms that it joins."""

    async def join(self, room: str) -> Any:
        """Do nothing."""


def run_example(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end."""
    command = [str(CHECKOUT / "examples" / name), *arguments]
    if name.endswith(".py"):
        return run(command, cwd=CHECKOUT, env=environment(), timeout=PATIENCE)
    return subprocess.run(
        [node(), *command], capture_output=True, text=True, env=environment(), timeout=PATIENCE
    )


class FailureTests(SynchronousTestCase):
    """A bot that cannot start prints one sentence and exits with the status 1."""

    def check(self, error: str, name: str, *arguments: str) -> None:
        """Run an example that fails with this sentence."""
        done = run_example(name, *arguments)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", error + "\n"), name)

    def test_room_that_does_not_exist(self) -> None:
        """The sentence is that of the server."""
        daemon = Daemon(self, f"sqlite:{folder(self)}/chatd.db")
        address = f"chat://127.0.0.1:{daemon.port}"
        error = "There is no room with that name, or you need an invitation to it."
        self.check(error, "echo_bot.py", "echo", address, "#nowhere")
        self.check(error, "bridge.py", "bridge", address, "#lobby", address, "#nowhere")

    def test_server_that_does_not_run(self) -> None:
        """The sentence has the reason of the system."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"chat://127.0.0.1:{unused.getsockname()[1]}"
            error = "Connection was refused by other side: 111: Connection refused."
            self.check(error, "echo_bot.py", "echo", address)
            self.check(error, "bridge.py", "bridge", address, "#lobby", address, "#lobby")


class UsageTests(SynchronousTestCase):
    """The usage texts."""

    def test_help_prints_the_usage(self) -> None:
        """To standard output, with the exit status 0; it has the form of an address."""
        for name in ("echo_bot.py", "bridge.py", "client.js"):
            done = run_example(name, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            self.assertRegex(done.stdout, rf"\A[Uu]sage: .*{name} .*NAME")
            self.assertIn("chat://HOST[:PORT]", done.stdout)
            self.assertIn("chats://", done.stdout)

    def test_wrong_arguments_print_the_usage(self) -> None:
        """To standard error, with the exit status 2 as of all programs."""
        for command in (
            ["echo_bot.py"],
            ["echo_bot.py", "--loud", "echo"],
            ["bridge.py", "bridge", "chat://127.0.0.1", "#lobby"],
            ["client.js"],
            ["client.js", "ann", "chat://127.0.0.1", "password"],
            ["client.js", "--loud", "ann"],
        ):
            done = run_example(*command)
            self.assertEqual((done.returncode, done.stdout), (2, ""), command)
            self.assertRegex(done.stderr, rf"\A[Uu]sage: .*{command[0]} ")

    def test_invalid_addresses_are_refused(self) -> None:
        """With a sentence, and nothing is connected to."""
        for address in ("127.0.0.1:65432", "chat://127.0.0.1:x"):
            for command in (
                ["echo_bot.py", "echo", address],
                ["bridge.py", "bridge", address, "#lobby", address, "#garden"],
                ["client.js", "ann", address],
            ):
                done = run_example(*command)
                self.assertEqual((done.returncode, done.stdout), (1, ""), command)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertNotIn("Error:", done.stderr)


class DocumentTests(SynchronousTestCase):
    """docs/library.md and README.md."""

    def test_examples_compile(self) -> None:
        """The names that they import exist."""
        text = (CHECKOUT / "docs/library.md").read_text()
        examples = re.findall(r"```python\n(.*?)```", text, re.S)
        self.assertEqual(len(examples), 4)
        for example in examples:
            names: dict[str, Any] = {}
            without_run = example.replace("\nreact(", "\n(lambda *_: None)(")
            exec(compile(without_run, "docs/library.md", "exec"), names)
        readme = re.findall(r"```python\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.S)
        self.assertEqual(len(readme), 1)
        compile(readme[0], "README.md", "exec")

    def test_every_request_is_documented(self) -> None:
        """docs/library.md lists the method of every request."""
        text = " ".join((CHECKOUT / "docs/library.md").read_text().split())
        section = text[text.index("## Requests") : text.index("The first four")]
        listed = set(re.findall(r"`([a-z_]+)`", section))
        methods = {name for name in vars(Requests) if not name.startswith("_")}
        self.assertEqual(listed, methods - {"request", "post", "new_key"})
