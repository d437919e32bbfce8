"""examples/client.js with a daemon process, which is killed in some tests."""

from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import SEND, encode
from tests.doubles.admin import run_command
from tests.doubles.daemon_process import Daemon, SocketClient, sent
from tests.doubles.folders import folder
from tests.doubles.node import PATIENCE, JsClient

ROUNDS = 3
MESSAGES = 400
"""messages of each client in each direction and round"""
SPECIAL = "Grüße, 世界 🌱👩‍👩‍👧 \u202eabc\u202c ||| \\n {} 'x' \"y\" \ufeff \U0010ffff \ufffd"


class DaemonCase(SynchronousTestCase):
    """A daemon with a store in a file, which can be started again on the same port."""

    def setUp(self) -> None:
        self.store = f"sqlite:{folder(self)}/chatd.db"
        self.daemon = Daemon(self, self.store)

    def restart(self) -> None:
        """Start the daemon again after it was killed."""
        options = ["--port", str(self.daemon.port), "--store", self.store, "--rate", "none"]
        self.daemon = Daemon(
            self, self.store, command=["twistd", "-n", "--pidfile=", "chatd", *options]
        )

    def join(self, name: str, *password: str) -> JsClient:
        """Start a client, and wait until it has joined the lobby."""
        client = JsClient(self, self.daemon.port, name, *password)
        client.type(f"#lobby {name} is here")
        self.assertEqual(client.next_line(), f"#lobby {name}: {name} is here")
        return client

    def end(self, *clients: JsClient) -> None:
        """End the input of clients, and wait until they exit."""
        for client in clients:
            client.end_input()
        for client in clients:
            self.assertEqual(client.exit_status(), 0)


class MessageTests(DaemonCase):
    """Messages between clients."""

    def test_messages_in_both_directions(self) -> None:
        """Private messages and the lobby, with any characters; one client has a password."""
        ann = self.join("Ann", "s3cret")
        bob = self.join("Bob")
        self.assertEqual(ann.next_line(), "#lobby Bob: Bob is here")
        ann.type(f"@BOB {SPECIAL}")
        self.assertEqual(bob.next_line(), f"Ann: {SPECIAL}")
        bob.type(f"@ann {SPECIAL}{SPECIAL}")
        self.assertEqual(ann.next_line(), f"Bob: {SPECIAL}{SPECIAL}")
        ann.type("@bob " + "🌱" * 16_384, "#Lobby " + SPECIAL, "@bob " + "🌱" * 16_385, "@bob end")
        self.assertEqual(bob.next_line(), "Ann: " + "🌱" * 16_384)
        self.assertEqual(bob.next_line(), f"#lobby Ann: {SPECIAL}")
        self.assertEqual(bob.next_line(), "Ann: end")
        self.assertIn("not sent to bob: text too long", ann.next_error())
        self.end(bob)
        ann.end_input()
        self.assertEqual(ann.exit_status(), 1)

    def test_messages_with_a_classic_client(self) -> None:
        """Characters that a classic client cannot read are replaced."""
        ann = self.join("Ann")
        old = SocketClient(self, self.daemon).create("Old")
        old.send_text("Old", "Ann", "Hello from long ago")
        self.assertEqual(ann.next_line(), "Old: Hello from long ago")
        ann.type("@old Hi! Tschüß")
        self.assertEqual(old.receive(), sent("Ann", "Old", "Hi! Tsch??"))
        self.end(ann)
        old.send(encode(SEND, "Old", "Ann", "for later"))
        old.receive()
        again = JsClient(self, self.daemon.port, "Ann")
        self.assertEqual(again.next_line(), "Old: for later")
        self.end(again)

    def test_messages_wait_for_an_offline_client(self) -> None:
        """Those that were printed before are not printed again."""
        ann, bob = self.join("Ann"), self.join("Bob")
        ann.type("@bob 1", "@bob 2")
        self.assertEqual([bob.next_line(), bob.next_line()], ["Ann: 1", "Ann: 2"])
        self.end(bob)
        ann.type("@bob 3", "#lobby 4")
        self.end(ann)
        again = JsClient(self, self.daemon.port, "bob")
        self.assertEqual([again.next_line(), again.next_line()], ["Ann: 3", "#lobby Ann: 4"])
        self.end(again)
        self.assertEqual(len(again.printed), 2)

    def test_wrong_password_ends_the_client(self) -> None:
        """So does a missing one."""
        self.end(self.join("Ann", "s3cret"))
        for wrong in (["guess"], []):
            client = JsClient(self, self.daemon.port, "ann", *wrong)
            self.assertEqual(client.exit_status(), 1)
            self.assertIn("password", client.next_error())

    def test_access_token_replaces_the_password(self) -> None:
        """Over several connections, until it is revoked."""
        self.end(self.join("Ann", "s3cret"))
        admin = ("--admin", f"{self.store.removeprefix('sqlite:')}.admin", "token")
        words = ("create", "ann", "--name", "js", "--scope", "all")
        token = run_command(*admin, *words, cwd=folder(self)).stdout.strip()
        bot = JsClient(self, self.daemon.port, "ann", token=token)
        bot.type("#lobby one")
        self.assertEqual(bot.next_line(), "#lobby Ann: one")
        self.daemon.kill()
        self.restart()
        bot.type("#lobby two")
        self.assertEqual(bot.next_line(), "#lobby Ann: two")
        run_command(*admin, "revoke", "ann", "js", cwd=folder(self))
        self.assertEqual(bot.exit_status(), 1)


class KillTests(DaemonCase):
    """The daemon is killed while two clients send to each other and to the lobby."""

    def test_messages_are_delivered_exactly_once(self) -> None:
        """In every round, to both clients; nothing is left for a later client of either account."""
        names = ("ann", "bob")
        clients = [self.join(name) for name in names]
        self.assertEqual(clients[0].next_line(), "#lobby bob: bob is here")
        other = {"ann": "bob", "bob": "ann"}
        printed: dict[str, list[str]] = {name: [] for name in names}
        for turn in range(ROUNDS):
            writers = [
                threading.Thread(target=self.write, args=(client, other[name], turn), daemon=True)
                for name, client in zip(names, clients, strict=True)
            ]
            for writer in writers:
                writer.start()
            for name, client in zip(names, clients, strict=True):
                printed[name] += [client.next_line() for _ in range(MESSAGES // 2 + 100 * turn)]
            self.daemon.kill()
            self.restart()
            for name, client in zip(names, clients, strict=True):
                printed[name] += [
                    client.next_line()
                    for _ in range(3 * MESSAGES * (turn + 1) - len(printed[name]))
                ]
            for writer in writers:
                writer.join(PATIENCE)
                self.assertFalse(writer.is_alive())
        self.end(*clients)
        expected = [str(number) for number in range(ROUNDS * MESSAGES)]
        for name, client in zip(names, clients, strict=True):
            lines = printed[name]
            for _ in range(ROUNDS):
                self.assertIn("; connecting again", client.next_error())
            self.assertEqual(len(client.printed), 2 - (name == "bob") + len(lines))
            for prefix in (f"{other[name]}: ", f"#lobby {name}: ", f"#lobby {other[name]}: "):
                self.assertEqual(
                    [line[len(prefix) :] for line in lines if line.startswith(prefix)], expected
                )
        self.check_nothing_waits(names)

    def write(self, client: JsClient, to: str, turn: int) -> None:
        """Type numbers to the other account and to the lobby."""
        for number in range(turn * MESSAGES, (turn + 1) * MESSAGES):
            client.type(f"@{to} {number}", f"#lobby {number}")

    def check_nothing_waits(self, names: tuple[str, ...]) -> None:
        """All entries are acknowledged: a new client of an account gets its own message only."""
        for name in names:
            client = JsClient(self, self.daemon.port, name)
            client.type(f"@{name} last")
            self.assertEqual(client.next_line(), f"{name}: last")
            self.end(client)
            self.assertEqual(len(client.printed), 1)
