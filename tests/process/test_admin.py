"""Operators, a daemon as a process, and clients that notice what operators do.

Most commands run in this process (`tests.doubles.admin.run_command`) over the daemon's socket.
`tests.admin` has what needs no daemon process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from typing import Any

import pexpect

from chatd.admin.command_line import NO_DAEMON, REFUSED, WRONG_USAGE
from chatd.codecs import v1_messages
from chatd.codecs.classic import CREATE, LIST, LOGIN
from chatd.codecs.classic import encode as encode_classic
from chatd.codecs.v1 import client_decoder, encode
from tests.doubles.admin import Completed, run_command
from tests.doubles.daemon_process import PATIENCE, START_PATIENCE, Daemon, SocketClient
from tests.doubles.program import Program, environment
from tests.doubles.startup import Start


class Administered(Start):
    """A daemon in the folder, and commands given there."""

    def start(self, *options: str) -> Daemon:
        """A daemon with the default store."""
        return self.daemon("--port", "0", *options)

    def command(self, *words: str, typed: str = "", **environment: str) -> Completed:
        """A command, to its end."""
        return run_command(*words, cwd=self.folder, environment=environment, typed=typed)

    def output(self, *words: str, typed: str = "") -> str:
        """What a command that is carried out shows."""
        completed = self.command(*words, typed=typed)
        self.assertEqual(completed.status, 0, completed.stderr)
        return completed.stdout

    def json(self, *words: str) -> list[Any]:
        """The objects that a command shows with --json."""
        return [json.loads(line) for line in self.output(*words, "--json").splitlines()]

    def failed(self, status: int, *words: str, typed: str = "") -> str:
        """The one line on standard error of a command that is not carried out."""
        completed = self.command(*words, typed=typed)
        self.assertEqual((completed.status, completed.stdout), (status, ""), completed.stderr)
        self.assertEqual(len(completed.stderr.splitlines()), 1, completed.stderr)
        self.assertTrue(completed.stderr.startswith("chatd.admin: "), completed.stderr)
        return completed.stderr


class Commands(Administered):
    """Commands on accounts that are in use: Ann with a password, bob without."""

    def setUp(self) -> None:
        super().setUp()
        self.running = self.start()
        self.ann = SocketClient(self, self.running).create("Ann", "secret")
        self.bob = SocketClient(self, self.running).create("bob")

    def test_listings(self) -> None:
        """Accounts, sessions with the address of the client, rooms, reports and statistics."""
        lines = self.output("users").splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "LOGIN", "CREATED", "LAST", "SEEN", "SESSIONS"])
        self.assertEqual(
            [line.split()[:2] for line in lines[1:]], [["Ann", "password"], ["bob", "open"]]
        )
        self.assertEqual([user["name"] for user in self.json("users", "b*")], ["bob"])
        sessions = self.json("sessions")
        self.assertEqual([session["name"] for session in sessions], ["Ann", "bob"])
        host, port = self.bob.socket.getsockname()
        self.assertIn(f"{port}", sessions[1]["about"])
        self.assertIn(host, sessions[1]["about"])
        self.assertIn(sessions[0]["about"], self.output("sessions", "ann"))
        self.assertEqual([room["room"] for room in self.json("rooms")], ["#lobby"])
        self.assertIn("#lobby  public", self.output("rooms", "#l*"))
        self.assertEqual(self.output("reports"), "")
        (stats,) = self.json("stats")
        self.assertEqual((stats["accounts"], stats["counts"]["sessions"]), (2, 2))
        self.assertIn("accounts", self.output("stats"))

    def test_ending_sessions_closes_the_connection(self) -> None:
        """The account can log in again."""
        self.assertEqual(
            self.json("end-sessions", "ANN", "that", "is", "enough"), [{"sessions": 1}]
        )
        self.ann.read_to_end()
        SocketClient(self, self.running).login("Ann", "secret")
        self.assertIn("no account", self.failed(REFUSED, "end-sessions", "nobody"))

    def test_a_new_password_replaces_the_old_one(self) -> None:
        """From standard input or a file; --open removes it."""
        self.assertIn(
            "Ann has a new password", self.output("reset-password", "ann", typed="second\nrest\n")
        )
        self.ann.read_to_end()
        self.assertIn(
            "wrong password", SocketClient(self, self.running).refusal(LOGIN, "Ann", "secret")
        )
        SocketClient(self, self.running).login("Ann", "second").close()
        (self.folder / "password").write_text("third\n")
        self.output("reset-password", "ann", "--password-file", "password")
        SocketClient(self, self.running).login("Ann", "third").close()
        self.output("reset-password", "ann", "--open")
        SocketClient(self, self.running).login("Ann").close()
        for words, typed in (
            (["--password-file", "missing"], ""),
            (["--open", "--password-file", "password"], ""),
            ([], ""),
            ([], "\n"),
        ):
            self.failed(WRONG_USAGE, "reset-password", "ann", *words, typed=typed)
        self.assertIn(
            "at most 1024", self.failed(REFUSED, "reset-password", "ann", typed="x" * 1025)
        )
        SocketClient(self, self.running).login("Ann")
        self.assertNotIn("third", self.running.output)

    def test_a_password_at_a_terminal_is_asked_for_twice_without_echo(self) -> None:
        """The one command here that runs as `python -m chatd.admin`."""
        for second, status in (("other", REFUSED), ("fourth", 0)):
            child = pexpect.spawn(
                sys.executable,
                ["-m", "chatd.admin", "reset-password", "ann"],
                cwd=str(self.folder),
                env=environment(),
                timeout=START_PATIENCE,
                encoding="utf-8",
            )
            self.addCleanup(child.close, True)
            child.expect_exact("New password for ann: ")
            child.waitnoecho(PATIENCE)
            child.sendline("fourth")
            child.expect_exact("Again: ")
            child.waitnoecho(PATIENCE)
            child.sendline(second)
            child.expect(pexpect.EOF)
            self.assertNotIn("fourth", child.before)
            child.close()
            self.assertEqual(child.exitstatus, status)
        SocketClient(self, self.running).login("Ann", "fourth")

    def test_deleting_closes_the_connection(self) -> None:
        """The name is free again."""
        self.assertIn("--yes", self.failed(WRONG_USAGE, "delete", "ann", typed="yes\n"))
        self.assertEqual(self.json("delete", "ann", "--yes"), [{"name": "Ann"}])
        self.ann.read_to_end()
        SocketClient(self, self.running).create("ann")
        self.assertIn("no account", self.failed(REFUSED, "delete", "--yes", "nobody"))
        self.assertIn("cannot be", self.failed(REFUSED, "delete-room", "lobby", "-y"))
        self.assertIn("no room", self.failed(REFUSED, "delete-room", "#garden", "--yes"))

    def test_invite_tokens_are_stored_and_revoked(self) -> None:
        """A token is shown once, alone on standard output, and never in the daemon's log."""
        completed = self.command("invite", "--uses", "2", "--note", "for the choir")
        token = completed.stdout.strip()
        self.assertEqual((completed.status, completed.stdout), (0, token + "\n"))
        self.assertIn("Valid for 2 accounts until ", completed.stderr)
        (invite,) = self.json("invites")
        self.assertEqual((invite["uses"], invite["note"]), (2, "for the choir"))
        self.assertEqual(invite["expires"] - invite["created"], 7 * 86_400_000)
        shown = self.output("invites")
        self.assertIn("for the choir", shown)
        self.assertNotIn(token, shown)
        self.output("revoke", token)
        self.assertIn("no invite", self.failed(REFUSED, "revoke", token))
        (unlimited,) = self.json("invite", "--expires", "never")
        self.assertIsNone(unlimited["expires"])
        self.output("revoke", unlimited["key"][:12])
        self.assertEqual(self.output("invites"), "")
        for wrong in (["--uses", "many"], ["--uses", "0"], ["--expires", "5"], ["--expires", ""]):
            self.failed(WRONG_USAGE, "invite", *wrong)
        self.failed(REFUSED, "invite", "--note", "x" * 501)
        self.assertNotIn(token, self.running.output)

    def test_backup_while_clients_send(self) -> None:
        """A daemon can be started on the copy; it has everything that was accepted before, and may
        have as mail what had just arrived. The command runs as a process, to overlap with the
        clients."""
        for number in range(50):
            self.bob.send_text("bob", "Ann", f"{number}")
        self.assertEqual(len(self.ann.receive_many(50)), 50)
        self.ann.close()
        for _ in range(20):
            self.bob.send_text("bob", "Ann", "waiting")
        backup = Program(["chatd.admin", "backup", "copy.db"], cwd=self.folder, env=environment())
        with backup:
            while backup.poll() is None:
                self.bob.send_text("bob", "Ann", "meanwhile")
            self.assertEqual(backup.returncode, 0)
            assert backup.stdout is not None
            self.assertEqual(backup.stdout.read(), f"Written: {self.folder / 'copy.db'}\n")
        copy = self.folder / "copy.db"
        self.assertEqual(stat.S_IMODE(copy.stat().st_mode), 0o600)
        self.assertIn("exists already", self.failed(REFUSED, "backup", "copy.db"))
        self.assertIn("cannot be written", self.failed(REFUSED, "backup", "none/copy.db"))
        restored = self.daemon("--port", "0", "--store", "sqlite:copy.db")
        mail = SocketClient(self, restored).login("Ann", "secret").fetch_mail()
        texts = [getattr(message, "text", None) for message in mail]
        read = [str(number) for number in range(50)]
        first = texts.index("waiting")
        self.assertEqual(texts[:first], read[50 - first :])
        self.assertEqual(texts[first : first + 20], ["waiting"] * 20)
        self.assertEqual(set(texts[first + 20 :]) | {"meanwhile"}, {"meanwhile"})
        self.assertEqual(restored.stop(), 0)


class Bans(Administered):
    """Clients at 127.0.0.2, which is another address of this machine."""

    def connect(self, port: int) -> socket.socket:
        """A connection from that address."""
        client = socket.create_connection(("127.0.0.1", port), PATIENCE, ("127.0.0.2", 0))
        self.addCleanup(client.close)
        return client

    def is_served(self, port: int) -> bool:
        """Whether a client from that address gets an answer; else its connection is closed."""
        with contextlib.suppress(ConnectionError):
            client = self.connect(port)
            client.sendall(encode_classic(LIST))
            return bool(client.recv(1))
        return False

    def test_banned_address_cannot_connect_until_the_ban_is_ended(self) -> None:
        """Also not after a restart. Clients at other addresses, and operators, are not affected."""
        daemon = self.start()
        client = self.connect(daemon.port)
        client.sendall(encode_classic(CREATE, "eve"))
        self.assertTrue(client.recv(1))
        self.assertIn("--force", self.failed(REFUSED, "ban", "127.0.0.2"))
        (ban,) = self.json("ban", "127.0.0.2", "--force", "--for", "1h", "--reason", "spam")
        self.assertEqual((ban["network"], ban["sessions"]), ("127.0.0.2", 1))
        with contextlib.suppress(ConnectionError):
            while client.recv(1024):
                pass
        self.assertFalse(self.is_served(daemon.port))
        SocketClient(self, daemon).create("Ann")
        daemon.stop()
        daemon = self.start()
        self.assertFalse(self.is_served(daemon.port))
        self.assertEqual([each["reason"] for each in self.json("bans")], ["spam"])
        self.output("unban", "127.0.0.2")
        self.assertTrue(self.is_served(daemon.port))


class Sockets(Administered):
    """Where the admin socket is, who can open it, and when it exists."""

    def test_only_its_owner_can_open_it(self) -> None:
        """It is removed when the daemon stops."""
        running = self.start()
        path = self.folder / "chatd.db.admin"
        mode = path.stat().st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertEqual(running.stop(), 0)
        self.assertIn(f"python -m chatd.admin --admin {path}", running.output)
        self.assertEqual(sorted(self.contents()), ["chatd.db"])

    def test_another_user_is_refused(self) -> None:
        """By the file's permissions, and by the daemon if they are changed."""
        if os.geteuid() != 0:
            # Only root can become another user; `tests.protocols.admin.test_connection` needs none.
            return
        self.start()
        path = self.folder / "chatd.db.admin"
        self.folder.chmod(0o755)
        script = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
            's.connect(sys.argv[1]); s.sendall(b\'{"command":"stats"}\\n\'); print(s.recv(100))'
        )
        tried = [sys.executable, "-c", script, str(path)]
        ended = subprocess.run(tried, capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertIn("PermissionError", ended.stderr)
        path.chmod(0o666)
        ended = subprocess.run(tried, capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertNotIn("version", ended.stdout)
        self.assertEqual(len(self.json("stats")), 1)

    def test_the_socket_of_a_killed_daemon_is_replaced(self) -> None:
        """Until then nothing listens there."""
        self.start().kill()
        self.assertTrue((self.folder / "chatd.db.admin").is_socket())
        self.assertIn("connection refused", self.failed(NO_DAEMON, "stats"))
        running = self.start()
        self.assertEqual(len(self.json("stats")), 1)
        self.assertEqual(running.stop(), 0)
        self.assertIn("no such file", self.failed(NO_DAEMON, "stats"))

    def test_the_socket_of_a_live_daemon_is_not_replaced(self) -> None:
        """The second daemon does not start, and gives the reason."""
        self.start("--admin", "socket")
        self.refused(
            "--port=0",
            "--store=sqlite:other.db",
            "--admin=socket",
            words="in use by another daemon",
        )
        self.assertEqual(len(self.json("--admin", "socket", "stats")), 1)

    def test_an_unusable_path_is_refused_at_start(self) -> None:
        """With one sentence, before anything is written."""
        (self.folder / "file").write_text("mine")
        for path, words in (
            ("x" * 120, "too long"),
            ("none/socket", "there is no folder"),
            ("file", "there is a file with this name"),
            ("", "an admin socket is a path or none"),
        ):
            self.refused("--port=0", f"--admin={path}", words=words)

    def test_a_daemon_without_an_admin_socket(self) -> None:
        """With --admin none, and by default with a store in memory."""
        for options in (["--admin", "none"], ["--store", "memory"]):
            running = self.start(*options)
            self.assertNotIn("Administer:", running.output)
            self.assertFalse([path for path in self.folder.iterdir() if path.is_socket()])
            self.assertEqual(running.stop(), 0)
        self.assertIn("no admin socket", self.failed(WRONG_USAGE, "--admin", "none", "stats"))

    def test_a_store_in_memory_can_have_an_admin_socket(self) -> None:
        """It has no backup."""
        self.start("--store", "memory", "--admin", "socket")
        self.assertEqual(len(self.json("--admin", "socket", "stats")), 1)
        self.assertIn("in memory", self.failed(REFUSED, "--admin", "socket", "backup", "copy.db"))
        with socket.socket(socket.AF_UNIX) as program:
            program.settimeout(PATIENCE)
            program.connect(str(self.folder / "socket"))
            program.sendall(b'{"command":"invite"}\n')
            program.shutdown(socket.SHUT_WR)
            with program.makefile("rb") as answers:
                self.assertIn(b'"token"', answers.read())

    def test_it_is_found_as_the_daemon_finds_it(self) -> None:
        """By the environment and the configuration file."""
        (self.folder / "chatd.toml").write_text("store = 'sqlite:mine.db'\n")
        self.start("--config", "chatd.toml")
        self.assertEqual(len(self.json("--config", "chatd.toml", "stats")), 1)
        for variables in (
            {"CHATD_CONFIG": "chatd.toml"},
            {"CHATD_STORE": "sqlite:mine.db"},
            {"CHATD_ADMIN": "mine.db.admin"},
        ):
            self.assertEqual(self.command("stats", **variables).status, 0)
        self.assertEqual(self.command("stats", CHATD_ADMIN="other").status, NO_DAEMON)

    def test_a_connected_operator_does_not_delay_the_stop(self) -> None:
        """The connection is closed."""
        running = self.start()
        with socket.socket(socket.AF_UNIX) as operator:
            operator.settimeout(PATIENCE)
            operator.connect(str(self.folder / "chatd.db.admin"))
            operator.sendall(b'{"command":"invites"}\n')
            self.assertEqual(operator.recv(1000), b'{"ok":true,"items":[]}\n')
            self.assertEqual(running.stop(signal.SIGINT), 0)
            self.assertEqual(operator.recv(1), b"")
        self.assertNotIn("Traceback", running.output)


class Peer:
    """A client of version 1 that sends one request after another."""

    def __init__(self, case: Administered, daemon: Daemon) -> None:
        self._socket = socket.create_connection(("127.0.0.1", daemon.port), PATIENCE)
        case.addCleanup(self._socket.close)
        self._decoder = client_decoder(1 << 20)
        self._received: list[Any] = []

    def receive(self) -> Any:
        """The next message."""
        while not self._received:
            data = self._socket.recv(1 << 16)
            assert data, "the daemon closed the connection"
            self._received += self._decoder.feed(data)
        return self._received.pop(0)

    def ask(self, request: v1_messages.Message) -> Any:
        """The next message after a request, which is the answer unless something is pushed."""
        self._socket.sendall(encode(request))
        return self.receive()


class Users(Administered):
    """What clients of version 1 notice of operators."""

    def test_registration_with_invite_tokens(self) -> None:
        """A token has a number of uses, for any connection; a revoked token has none."""
        running = self.start("--registration", "invite")
        token = self.output("invite", "--uses", "2").strip()
        peer = Peer(self, running)

        def register(name: str, invite: str | None) -> str:
            answer = peer.ask(v1_messages.Register(1, name, "secret", invite))
            return answer.code if isinstance(answer, v1_messages.Refusal) else "done"

        self.assertEqual(peer.ask(v1_messages.Hello(1)).registration, "invite")
        self.assertEqual(register("ann", None), "invite-required")
        self.assertEqual(register("ann", "wrong"), "invite-invalid")
        self.assertEqual(register("ann", token), "done")
        self.assertEqual(register("ann", token), "name-taken")
        self.assertEqual(register("bob", token.upper()), "done")
        self.assertEqual(register("cid", token), "invite-invalid")
        token = self.output("invite").strip()
        self.output("revoke", token)
        self.assertEqual(register("cid", token), "invite-invalid")
        self.assertIn("invite", SocketClient(self, running).refusal(CREATE, "dan", "secret"))
        self.assertEqual([user["name"] for user in self.json("users")], ["ann", "bob"])

    def test_clients_learn_why_their_session_ended(self) -> None:
        """Operators see what users report."""
        running = self.start()
        peer = Peer(self, running)
        for name in ("ann", "bob"):
            peer.ask(v1_messages.Register(1, name))
        self.assertIsInstance(peer.ask(v1_messages.LogIn(1, "ann")), v1_messages.LoggedIn)
        peer.ask(v1_messages.Report(1, "bob", "rude\x1b[2J"))
        shown = self.output("reports")
        self.assertIn("ann reports\n    bob: rude\\x1b[2J\n", shown)
        (report,) = self.json("reports")
        self.assertEqual(self.output("reports", "--after", str(report["seq"])), "")
        self.output("end-sessions", "ann", "Enough of it.")
        goodbye = peer.receive()
        self.assertEqual((goodbye.code, goodbye.sentence), ("kicked", "Enough of it."))
        peer = Peer(self, running)
        peer.ask(v1_messages.LogIn(1, "bob"))
        self.output("delete", "bob", "--yes")
        self.assertEqual(peer.receive().code, "account-deleted")

    def test_operators_list_and_delete_private_rooms(self) -> None:
        """Without being a member."""
        running = self.start()
        peer = Peer(self, running)
        peer.ask(v1_messages.Register(1, "ann"))
        peer.ask(v1_messages.LogIn(1, "ann"))
        self.assertIsInstance(
            peer.ask(v1_messages.CreateRoom(1, "#Garden", "roses\x07", True)), v1_messages.RoomState
        )
        (room,) = self.json("rooms", "#G*")
        self.assertEqual((room["owner"], room["members"], room["private"]), ("ann", 1, True))
        self.assertIn("roses\\x07", self.output("rooms"))
        self.assertEqual(self.output("delete-room", "garden", "--yes"), "Deleted: #Garden\n")
        self.assertEqual([room["room"] for room in self.json("rooms")], ["#lobby"])
        self.assertEqual(
            self.output("restore-room", "garden"), "Restored: #Garden, with 1 member\n"
        )
        (room,) = self.json("rooms", "#G*")
        self.assertEqual((room["owner"], room["members"], room["private"]), ("ann", 1, True))
        self.output("delete-room", "garden", "--yes", "--now")
        self.assertEqual(self.json("deleted-rooms"), [])


class Policies(Administered):
    """What operators decide when they start the daemon."""

    def test_who_may_register_is_logged_at_start(self) -> None:
        """Together with who can reach the daemon."""
        for options, words in (
            (
                (),
                "this machine only (--host 0.0.0.0 for others). "
                "Anyone can create an account, and anyone can use",
            ),
            (
                ("--registration", "closed", "--forbid-open-accounts"),
                "No account can be created\n",
            ),
            (
                ("--registration", "invite"),
                "-m chatd.admin invite), and anyone can use",
            ),
            (("--registration", "invite", "--admin", "none"), "making one requires --admin PATH"),
        ):
            running = self.start(*options)
            running.stop()
            self.assertIn(words, running.output)

    def test_retention_trims_what_was_read(self) -> None:
        """When the daemon starts; unread mail is kept."""
        running = self.start()
        ann, bob = (
            SocketClient(self, running).create("Ann"),
            SocketClient(self, running).create("bob"),
        )
        for number in range(20):
            bob.send_text("bob", "Ann", f"{number}")
        self.assertEqual(len(ann.receive_many(20)), 20)
        ann.close()
        cid = SocketClient(self, running).create("Cid")
        cid.close()
        for number in range(20):
            bob.send_text("bob", "Cid", f"{number}")
        self.assertEqual(running.stop(), 0)
        running = self.start("--retain", "5")
        with closing(sqlite3.connect(f"file:{self.folder}/chatd.db?mode=ro", uri=True)) as store:
            deadline = time.monotonic() + PATIENCE
            trimmed = "SELECT trimmed FROM logs ORDER BY trimmed DESC"
            # The mailboxes of Ann, of Bob and of Cid, the lobby, the reports and the audit log.
            while store.execute(trimmed).fetchall() != [(15,), (0,), (0,), (0,), (0,), (0,)]:
                self.assertLess(time.monotonic(), deadline)
        self.assertEqual(running.stop(), 0)
        self.assertNotIn("Traceback", running.output)
